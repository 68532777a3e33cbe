package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/rasterbase/rasterbase/fetch"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/store"
	"github.com/rasterbase/rasterbase/webhook"
)

// tellEnded gives what is called when a parse has ended: it tells the address
// that the settings name, if they name one.
func tellEnded(c *config) func(context.Context, ingest.Ended) error {
	if c.WebhookURL == "" {
		return nil
	}
	s := &webhook.Sender{
		URL: c.WebhookURL, Secret: c.WebhookSecret,
		Client:    fetch.New(fetch.Options{Allow: c.AllowedHosts}),
		UserAgent: "rasterbase/" + version(),
	}
	return func(ctx context.Context, e ingest.Ended) error {
		err := s.Send(ctx, webhook.Event{
			ID:   fmt.Sprintf("parse-%d", e.Parse), // the same at each attempt
			Type: "parse." + string(e.Status),
			Time: e.Ended,
			Data: e,
		})
		if errors.Is(err, webhook.ErrPermanent) {
			return &store.Permanent{Err: err}
		}
		return err
	}
}
