package webhook_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/webhook"
)

// sample is a request that was sent once, and what a program is to find of it.
type sample struct {
	Secret    string
	ID        string
	Timestamp string
	Signature string
	Body      string // hexadecimal
	Now       int64
	Right     bool
}

// samples are right requests, and wrong ones in each way.
func samples(t *testing.T) []sample {
	t.Helper()
	all := []sample{{publishedSecret, publishedID, "1614265330", publishedSignature, hex.EncodeToString([]byte(publishedBody)), publishedTime, true}}
	url, got := receiver(t, http.StatusOK)
	for _, secret := range []string{secret, secret + " " + publishedSecret, "ein Geheimnis für Bäume und Böden"} {
		s := &webhook.Sender{URL: url, Secret: secret, Client: here(t)}
		if err := s.Send(t.Context(), webhook.Event{ID: "parse-7", Type: "parse.failed", Data: "é\u2028<>"}); err != nil {
			t.Fatal(err)
		}
		r := <-got
		var now int64
		if err := json.Unmarshal([]byte(r.header.Get(webhook.HeaderTimestamp)), &now); err != nil {
			t.Fatal(err)
		}
		first := secret
		if strings.HasPrefix(secret, "whsec_") {
			first = strings.Fields(secret)[0]
		}
		all = append(all, sample{first, r.header.Get(webhook.HeaderID), r.header.Get(webhook.HeaderTimestamp), r.header.Get(webhook.HeaderSignature),
			hex.EncodeToString(r.body), now, true})
	}
	for _, change := range []func(s *sample){
		func(s *sample) { s.ID += "x" },
		func(s *sample) { s.Now += 301 },
		func(s *sample) { s.Now -= 301 },
		func(s *sample) { s.Signature = "v2" + strings.TrimPrefix(s.Signature, "v1") },
		func(s *sample) { s.Signature = "v1, v1,AAAA" },
		func(s *sample) { s.Body += "20" },
		func(s *sample) { s.Secret = "another secret of enough bytes" },
	} {
		wrong := all[0]
		change(&wrong)
		wrong.Right = false
		all = append(all, wrong)
	}
	return all
}

// What the guide shows for other languages verifies what is sent, and nothing
// else.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../docs/guides/events.md")
	if err != nil {
		t.Fatal(err)
	}
	requests, err := json.Marshal(samples(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		language, driver string
		program          []string
	}{
		{"python", `
import json, sys
for s in json.load(sys.stdin):
    h = {"webhook-id": s["ID"], "webhook-timestamp": s["Timestamp"], "webhook-signature": s["Signature"]}
    print(verify(s["Secret"], h, bytes.fromhex(s["Body"]), s["Now"]) == s["Right"])
`, []string{"python3", "-c"}},
		{"js", `
for (const s of JSON.parse(require('node:fs').readFileSync(0, 'utf8'))) {
  const h = { 'webhook-id': s.ID, 'webhook-timestamp': s.Timestamp, 'webhook-signature': s.Signature }
  console.log(verify(s.Secret, h, Buffer.from(s.Body, 'hex'), s.Now) === s.Right ? 'True' : 'False')
}
`, []string{"node", "-e"}},
	} {
		t.Run(c.language, func(t *testing.T) {
			_, code, ok := strings.Cut(string(guide), "```"+c.language+"\n")
			code, _, end := strings.Cut(code, "```")
			if !ok || !end {
				t.Fatalf("the guide shows no %s", c.language)
			}
			cmd := exec.CommandContext(t.Context(), c.program[0], c.program[1], code+c.driver)
			cmd.Stdin = strings.NewReader(string(requests))
			out, err := cmd.CombinedOutput()
			if errors.Is(err, exec.ErrNotFound) && !slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
				t.Skip(err)
			}
			if err != nil || strings.Contains(string(out), "False") || strings.Count(string(out), "True") != 11 {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}
