package webhook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/fetch"
	"github.com/rasterbase/rasterbase/webhook"
)

const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"

// The example that the Standard Webhooks libraries are tested with.
const (
	publishedSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	publishedID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	publishedTime      = 1614265330
	publishedBody      = `{"test": 2432232314}`
	publishedSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func header(id, timestamp, signature string) http.Header {
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", timestamp)
	h.Set("webhook-signature", signature)
	return h
}

func TestVerify(t *testing.T) {
	const stamp = "1614265330"
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(publishedSecret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		secret string
		header http.Header
		body   string
		late   time.Duration
		right  bool
	}{
		"as published":            {publishedSecret, header(publishedID, stamp, publishedSignature), publishedBody, 0, true},
		"with the plain secret":   {string(raw), header(publishedID, stamp, publishedSignature), publishedBody, 0, true},
		"just in time":            {publishedSecret, header(publishedID, stamp, publishedSignature), publishedBody, webhook.DefaultTolerance, true},
		"a clock that is behind":  {publishedSecret, header(publishedID, stamp, publishedSignature), publishedBody, -webhook.DefaultTolerance, true},
		"one of several":          {publishedSecret, header(publishedID, stamp, "v1,AAAA v1a,eA== "+publishedSignature+" v2,eA=="), publishedBody, 0, true},
		"with an old secret":      {secret + " " + publishedSecret, header(publishedID, stamp, publishedSignature), publishedBody, 0, true},
		"too late":                {publishedSecret, header(publishedID, stamp, publishedSignature), publishedBody, webhook.DefaultTolerance + time.Second, false},
		"from the future":         {publishedSecret, header(publishedID, stamp, publishedSignature), publishedBody, -webhook.DefaultTolerance - time.Second, false},
		"of the end of days":      {publishedSecret, header(publishedID, "9223372036854775807", publishedSignature), publishedBody, 0, false},
		"of no time":              {publishedSecret, header(publishedID, "yesterday", publishedSignature), publishedBody, 0, false},
		"without a time":          {publishedSecret, header(publishedID, "", publishedSignature), publishedBody, 0, false},
		"without an id":           {publishedSecret, header("", stamp, publishedSignature), publishedBody, 0, false},
		"without a signature":     {publishedSecret, header(publishedID, stamp, ""), publishedBody, 0, false},
		"another id":              {publishedSecret, header("msg_2", stamp, publishedSignature), publishedBody, 0, false},
		"another time":            {publishedSecret, header(publishedID, "1614265331", publishedSignature), publishedBody, 0, false},
		"the time in other words": {publishedSecret, header(publishedID, "+1614265330", publishedSignature), publishedBody, 0, false},
		"another body":            {publishedSecret, header(publishedID, stamp, publishedSignature), publishedBody + " ", 0, false},
		"another secret":          {secret, header(publishedID, stamp, publishedSignature), publishedBody, 0, false},
		"another version":         {publishedSecret, header(publishedID, stamp, strings.Replace(publishedSignature, "v1", "v2", 1)), publishedBody, 0, false},
	} {
		err := webhook.Verify(c.secret, c.header, []byte(c.body), time.Unix(publishedTime, 0).Add(c.late), 0)
		if c.right && err != nil || !c.right && !errors.Is(err, webhook.ErrUnverified) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, wrong := range []string{"", "  ", "whsec_", "whsec_***"} {
		err := webhook.Verify(wrong, header(publishedID, stamp, publishedSignature), []byte(publishedBody), time.Unix(publishedTime, 0), 0)
		if rasterbase.CodeOf(err) != rasterbase.Invalid || strings.Contains(err.Error(), "***") {
			t.Errorf("secret %q: %v", wrong, err)
		}
	}
}

// received is what a receiver got.
type received struct {
	header http.Header
	body   []byte
}

// receiver is a server that answers with a status, and says what it got.
func receiver(t *testing.T, status int) (url string, got chan received) {
	t.Helper()
	got = make(chan received, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			t.Errorf("%s %v", r.Method, err)
		}
		got <- received{r.Header, body}
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s.URL, got
}

// here is the guarded client, allowed to reach this machine.
func here(t testing.TB) *fetch.Client {
	t.Helper()
	allow, err := fetch.ParseHosts("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return fetch.New(fetch.Options{Allow: allow})
}

func TestSend(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 0, 0, 500, time.UTC)
	url, got := receiver(t, http.StatusNoContent)
	s := &webhook.Sender{URL: url + "/hook?key=1", Secret: secret, Client: here(t), UserAgent: "rasterbase/9", Clock: func() time.Time { return at }}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	event := webhook.Event{ID: "parse-7_finished", Type: "parse.finished", Time: at.Add(-time.Minute), Data: map[string]any{"layer": 3}}
	for range 2 {
		if err := s.Send(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		r := <-got
		if want := `{"type":"parse.finished","timestamp":"2024-02-29T11:59:00.0000005Z","data":{"layer":3}}`; string(r.body) != want {
			t.Errorf("the body is %s, want %s", r.body, want)
		}
		for name, want := range map[string]string{"webhook-id": "parse-7_finished", "webhook-timestamp": fmt.Sprint(at.Unix()),
			"Content-Type": "application/json", "User-Agent": "rasterbase/9", "Content-Length": fmt.Sprint(len(r.body))} {
			if r.header.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, r.header.Get(name), want)
			}
		}
		if err := webhook.Verify(secret, r.header, r.body, at, 0); err != nil {
			t.Error(err)
		}
		at = at.Add(time.Hour) // a later attempt is signed with its own time
	}
}

// What is sent while a secret is replaced is verified by who has either one.
func TestSendWithTwoSecrets(t *testing.T) {
	url, got := receiver(t, http.StatusOK)
	s := &webhook.Sender{URL: url, Secret: secret + " " + publishedSecret, Client: here(t)}
	if err := s.Send(t.Context(), webhook.Event{ID: "1", Type: "parse.failed"}); err != nil {
		t.Fatal(err)
	}
	r := <-got
	for _, one := range []string{secret, publishedSecret} {
		if err := webhook.Verify(one, r.header, r.body, time.Now(), 0); err != nil {
			t.Error(err)
		}
	}
	if err := webhook.Verify("plain text of enough bytes", r.header, r.body, time.Now(), 0); !errors.Is(err, webhook.ErrUnverified) {
		t.Error(err)
	}
}

// Any event is signed as the Python standard library signs it.
func TestSignatureAgainstPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") { // which needs it too
			t.Fatal(err)
		}
		t.Skip(err)
	}
	const program = `
import base64, hashlib, hmac, sys
secret, id, timestamp = sys.argv[1:4]
key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
signed = id.encode() + b"." + timestamp.encode() + b"." + sys.stdin.buffer.read()
print("v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode())
`
	url, got := receiver(t, http.StatusOK)
	for i, secret := range []string{secret, publishedSecret, "a secret in plain text, with spaces", "ein Geheimnis für Bäume und Böden"} {
		s := &webhook.Sender{URL: url, Secret: secret, Client: here(t)}
		if err := s.Send(t.Context(), webhook.Event{ID: fmt.Sprint("e-", i), Type: "parse.finished", Data: strings.Repeat("é<>&\u2028", i*100)}); err != nil {
			t.Fatal(err)
		}
		r := <-got
		cmd := exec.CommandContext(t.Context(), python, "-c", program, secret, r.header.Get("webhook-id"), r.header.Get("webhook-timestamp"))
		cmd.Stdin = bytes.NewReader(r.body)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if want := strings.TrimSpace(string(out)); r.header.Get("webhook-signature") != want {
			t.Errorf("the signature is %s, Python's is %s", r.header.Get("webhook-signature"), want)
		}
	}
}

func TestAnswers(t *testing.T) {
	for status, c := range map[int]struct{ ok, permanent bool }{
		200: {ok: true}, 202: {ok: true}, 204: {ok: true},
		301: {permanent: true}, 302: {}, 304: {}, 307: {}, 308: {permanent: true},
		400: {permanent: true}, 401: {permanent: true}, 404: {permanent: true}, 410: {permanent: true}, 422: {permanent: true},
		408: {}, 425: {}, 429: {}, 500: {}, 502: {}, 503: {}, 504: {}, 599: {},
	} {
		url, got := receiver(t, status)
		address := strings.Replace(url, "http://", "http://user:password@", 1) + "/services/T0/token?key=secret"
		err := (&webhook.Sender{URL: address, Secret: secret, Client: here(t)}).Send(t.Context(), webhook.Event{ID: "1"})
		<-got
		if (err == nil) != c.ok || errors.Is(err, webhook.ErrPermanent) != c.permanent {
			t.Errorf("%d: %v", status, err)
		}
		if err != nil && (!strings.Contains(err.Error(), fmt.Sprintf("%s/… answers %d", url, status)) || strings.Contains(err.Error(), "user") || strings.Contains(err.Error(), "token")) {
			t.Errorf("%d: the error says %v", status, err)
		}
	}
}

// Redirects are not followed, wherever they lead.
func TestRedirects(t *testing.T) {
	inside, got := receiver(t, http.StatusOK)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := httptest.NewServer(http.RedirectHandler(inside+"/secret", status))
		err := (&webhook.Sender{URL: s.URL, Secret: secret, Client: here(t)}).Send(t.Context(), webhook.Event{ID: "1"})
		s.Close()
		if err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
			t.Errorf("%d: %v", status, err)
		}
	}
	if len(got) != 0 {
		t.Error("a redirect was followed")
	}
}

// Without a client of the host's own, internal addresses are not reached.
func TestInternalAddresses(t *testing.T) {
	url, got := receiver(t, http.StatusOK)
	for _, address := range []string{url + "/token", strings.Replace(url, "127.0.0.1", "localhost", 1), "http://169.254.169.254/latest/meta-data", "http://[::1]:80/"} {
		err := (&webhook.Sender{URL: address, Secret: secret}).Send(t.Context(), webhook.Event{ID: "1"})
		e, ok := errors.AsType[*rasterbase.Error](err)
		if !ok || e.Code != rasterbase.Forbidden || e.Field != "webhook_url" || !errors.Is(err, webhook.ErrPermanent) || strings.Contains(err.Error(), "token") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if len(got) != 0 {
		t.Error("this machine was reached")
	}
}

// A receiver that stalls is given up, before its answer and in it.
func TestStallingReceiver(t *testing.T) {
	over := make(chan struct{})
	stalls := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}))
	defer stalls.Close()
	defer close(over)
	s := &webhook.Sender{URL: stalls.URL + "/token", Secret: secret, Client: here(t), Timeout: 50 * time.Millisecond}
	err := s.Send(t.Context(), webhook.Event{ID: "1"})
	if rasterbase.CodeOf(err) != rasterbase.Busy || errors.Is(err, webhook.ErrPermanent) || !strings.Contains(err.Error(), stalls.URL+"/… did not answer within 50ms") {
		t.Error(err)
	}
	s.Timeout = 0
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := s.Send(ctx, webhook.Event{ID: "1"}); !errors.Is(err, context.Canceled) || errors.Is(err, webhook.ErrPermanent) {
		t.Error(err)
	}
}

// An answer without an end is not read.
func TestEndlessAnswer(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}))
	defer s.Close()
	if err := (&webhook.Sender{URL: s.URL, Secret: secret, Client: here(t)}).Send(t.Context(), webhook.Event{ID: "1"}); err != nil {
		t.Error(err)
	}
}

// A receiver that is away may be back later. A client of the host's own shows
// addresses in its errors; these do not.
func TestReceiverAway(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	for _, client := range []webhook.Client{here(t), http.DefaultClient} {
		err := (&webhook.Sender{URL: s.URL + "/token?key=1", Secret: secret, Client: client}).Send(t.Context(), webhook.Event{ID: "1"})
		if err == nil || errors.Is(err, webhook.ErrPermanent) || strings.Contains(err.Error(), "token") || strings.Contains(err.Error(), "key=1") ||
			!strings.Contains(err.Error(), s.URL) {
			t.Error(err)
		}
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct{ url, secret, field string }{
		"no address":      {"", secret, "webhook_url"},
		"no scheme":       {"example.org/hook?key=abc", secret, "webhook_url"},
		"another scheme":  {"ftp://example.org/abc", secret, "webhook_url"},
		"no host":         {"https:///abc", secret, "webhook_url"},
		"broken":          {"https://exa mple.org/abc%zz", secret, "webhook_url"},
		"no secret":       {"https://example.org/", "", "webhook_secret"},
		"a short secret":  {"https://example.org/", "abc", "webhook_secret"},
		"a short key":     {"https://example.org/", "whsec_YWJj", "webhook_secret"},
		"a broken secret": {"https://example.org/", "whsec_abc$", "webhook_secret"},
	} {
		s := &webhook.Sender{URL: c.url, Secret: c.secret}
		err := s.Check()
		e, ok := errors.AsType[*rasterbase.Error](err)
		if !ok || e.Field != c.field || strings.Contains(err.Error(), "abc") {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Send(t.Context(), webhook.Event{ID: "1"}); !errors.Is(err, webhook.ErrPermanent) {
			t.Errorf("%s: sending says %v", name, err)
		}
	}
	for _, e := range []webhook.Event{{}, {ID: "a.b"}, {ID: "a b"}, {ID: "a\r\nb"}, {ID: "1", Data: func() {}}} {
		if err := (&webhook.Sender{URL: "https://example.org/", Secret: secret}).Send(t.Context(), e); !errors.Is(err, webhook.ErrPermanent) {
			t.Errorf("event %q: %v", e.ID, err)
		}
	}
}

// capture is a client that sends nothing.
type capture struct{ r *http.Request }

func (c *capture) Do(r *http.Request) (*http.Response, error) {
	c.r = r
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// What is sent with a secret is verified with it, and not after any change of a
// byte of it.
func TestSentIsVerified(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 24, 64).Draw(t, "key")
		secret := "whsec_" + base64.StdEncoding.EncodeToString(key)
		c := &capture{}
		at := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "time"), 0)
		e := webhook.Event{ID: rapid.StringMatching(`[a-zA-Z0-9_-]{1,40}`).Draw(t, "id"), Type: "parse.finished", Data: rapid.String().Draw(t, "data")}
		if err := (&webhook.Sender{URL: "https://example.org", Secret: secret, Client: c, Clock: func() time.Time { return at }}).Send(context.Background(), e); err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(c.r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := webhook.Verify(secret, c.r.Header, body, at, time.Second); err != nil {
			t.Fatal(err)
		}
		body[rapid.IntRange(0, len(body)-1).Draw(t, "place")] ^= rapid.ByteRange(1, 255).Draw(t, "change")
		if err := webhook.Verify(secret, c.r.Header, body, at, time.Second); !errors.Is(err, webhook.ErrUnverified) {
			t.Fatal(err)
		}
	})
}

func FuzzVerify(f *testing.F) {
	f.Add(publishedSecret, publishedID, fmt.Sprint(publishedTime), publishedSignature, []byte(publishedBody))
	f.Add("plain", "", "-1", "v1,", []byte{})
	f.Add(secret+" "+secret, "a", "1e9", "v1,AA== v1", []byte(nil))
	f.Fuzz(func(t *testing.T, secret, id, timestamp, signature string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}}
		if webhook.Verify(secret, h, body, time.Unix(publishedTime, 0), 0) != nil {
			return
		}
		// Whatever was right is wrong for another event.
		h.Set(webhook.HeaderID, id+"x")
		if err := webhook.Verify(secret, h, body, time.Unix(publishedTime, 0), 0); !errors.Is(err, webhook.ErrUnverified) {
			t.Errorf("%v", err)
		}
	})
}
