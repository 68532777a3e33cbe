package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/store"
)

// parsing is what commands work with that change layers: a store that is there
// and a parser over it.
type parsing struct {
	app    *app
	conf   *config
	store  store.Store
	parser *ingest.Parser
}

// withParser opens the store that the settings name, and a parser over it whose
// parses use so many cores, for as long as fn runs.
func (a *app) withParser(ctx context.Context, cores int, fn func(p *parsing) error) (err error) {
	conf, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	limitMemory(conf, 1, 0)
	parser, err := newParser(conf, st, a.commandLogger(conf), cores)
	if err != nil {
		return err
	}
	defer parser.Close() // another worker may have ended a parse
	return fn(&parsing{a, conf, st, parser})
}

// finish works on a layer's parse until it has ended, shows how far it is, and
// reads the layer then. After Ctrl-C it cancels the parse.
func (p *parsing) finish(ctx context.Context, l *rasterbase.Layer, t rasterbase.Ticket) (*layerDoc, error) {
	_, err := p.app.follow(ctx, p.parser, t, l.Slug)
	if err != nil && ctx.Err() != nil {
		after, cancel := afterInterrupt(ctx)
		defer cancel()
		if err := p.parser.Cancel(after, l.ID); err != nil {
			return nil, fmt.Errorf("interrupted; cancelling the parse of layer %d failed: %w", l.ID, err)
		}
		return nil, errors.New("interrupted; the parse is cancelled and the layer is served as it was")
	}
	if err != nil {
		return nil, withLogHint(err, l, l.ID)
	}
	return readLayer(ctx, p.store, l.ID)
}

// printParsed says what came of a parse.
func (a *app) printParsed(d *layerDoc) {
	tiles := d.Revision.BaseTiles + d.Revision.PyramidTiles
	fmt.Fprintf(a.stdout, "parsed layer %d, %s: %d %s\n", d.ID, d.Slug, tiles, plural(int(tiles), "tile"))
}
