package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// followPause is how often the log is read while it is followed.
const followPause = 300 * time.Millisecond

type layersLogCmd struct {
	Layer  string `arg:"" help:"Id, slug or file name."`
	Follow bool   `short:"f" help:"Go on until the parse has ended."`
	JSON   bool   `name:"json" help:"Print one JSON document."`
}

// logDoc is what --json prints.
type logDoc struct {
	Status rasterbase.Status `json:"status"`
	Error  string            `json:"error,omitempty"`
	Lines  []logLineDoc      `json:"lines"`
}

type logLineDoc struct {
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

// Run prints the log of the layer's latest parse.
func (c *layersLogCmd) Run(ctx context.Context, a *app) (err error) {
	_, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	l, err := findLayer(ctx, st, c.Layer)
	if err != nil {
		return err
	}
	doc, seen := logDoc{Lines: []logLineDoc{}}, int64(0)
	for {
		p, lines, err := readLog(ctx, st, l.ID, seen)
		if errors.Is(err, store.ErrNotExist) {
			return rasterbase.Errorf(rasterbase.NotFound, "layer %d was never parsed, so there is no log", l.ID)
		}
		if err != nil {
			return err
		}
		for _, line := range lines {
			seen = line.Seq
			doc.Lines = append(doc.Lines, logLineDoc{line.Time, line.Text})
			if !c.JSON {
				fmt.Fprintln(a.stdout, harmless(line.String()))
			}
		}
		if !c.Follow || p.Status.Ended() {
			doc.Status, doc.Error = p.Status, p.Error
			break
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followPause):
		}
	}
	if c.JSON {
		return a.printJSON(doc)
	}
	return nil
}

// readLog reads a layer's latest parse and the lines of its log after one.
func readLog(ctx context.Context, st store.Store, id rasterbase.LayerID, after int64) (p *rasterbase.Parse, lines []rasterbase.LogLine, err error) {
	err = st.Catalog().View(ctx, func(tx store.Tx) error {
		if p, err = tx.Parses().Latest(ctx, id); err != nil {
			return err
		}
		lines, err = tx.Parses().Lines(ctx, p.ID, after)
		return err
	})
	return p, lines, err
}
