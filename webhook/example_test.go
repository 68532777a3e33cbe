package webhook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/rasterbase/rasterbase/fetch"
	"github.com/rasterbase/rasterbase/webhook"
)

// A receiver verifies a request before it looks at what it says.
func Example() {
	const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err == nil {
			err = webhook.Verify(secret, r.Header, body, time.Now(), 0)
		}
		if err != nil {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		var event struct {
			Type string
			Data struct{ Slug string }
		}
		if err := json.Unmarshal(body, &event); err != nil {
			http.Error(w, "what is this?", http.StatusBadRequest)
			return
		}
		fmt.Println(r.Header.Get(webhook.HeaderID), event.Type, event.Data.Slug)
	}))
	defer receiver.Close()

	allow, err := fetch.ParseHosts("127.0.0.1")
	if err != nil {
		fmt.Println(err)
		return
	}
	sender := &webhook.Sender{URL: receiver.URL, Secret: secret, Client: fetch.New(fetch.Options{Allow: allow})}
	err = sender.Send(context.Background(), webhook.Event{
		ID: "parse-7-finished", Type: "parse.finished", Data: map[string]string{"slug": "landcover.tif"},
	})
	fmt.Println(err)
	sender.Secret = "another secret, in plain text"
	err = sender.Send(context.Background(), webhook.Event{ID: "parse-8-failed", Type: "parse.failed"})
	fmt.Println(err != nil)
	// Output:
	// parse-7-finished parse.finished landcover.tif
	// <nil>
	// true
}
