package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Create saves a new layer with the texts, slug, settings, legend and visibility
// of l, and queues its parse, in one transaction. An empty name is made of the
// file's, an empty visibility is that of the parser's Config. It sets what the
// store decides in l.
//
// An upload must be complete, and is no upload any more then: its file belongs
// to the layer. What an address or a path names is fetched by the worker that
// takes the parse; a path must be under one of the allowed folders. What is
// known to be wrong before is an error here, with code invalid, not found,
// conflict, too large, unsupported or forbidden and the name of the field.
//
// A layer with a formula is saved without a source, which must be zero, and without
// a parse: the ticket has none. Its formula is kept as it is given, so the caller has
// checked it, and of settings it takes the datatype alone.
func (p *Parser) Create(ctx context.Context, l *rasterbase.Layer, from rasterbase.SourceFrom) (rasterbase.Ticket, error) {
	if l.Formula != nil {
		return p.createFormula(ctx, l, from)
	}
	if err := p.canQueue(); err != nil {
		return rasterbase.Ticket{}, err
	}
	s, err := p.supplyOf(ctx, from)
	if err != nil {
		return rasterbase.Ticket{}, err
	}
	layer := rasterbase.Layer{
		Slug: l.Slug, Name: cmp.Or(l.Name, s.layerName()), Description: l.Description, Attribution: l.Attribution,
		License: l.License, Settings: l.Settings, Legend: l.Legend, Visibility: cmp.Or(l.Visibility, p.c.Visibility),
	}
	var t rasterbase.Ticket
	err = p.c.Store.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		made := layer
		if err := checkLayer(ctx, tx, &made, nil); err != nil {
			return err
		}
		if made.Source, err = s.take(ctx, tx); err != nil {
			return err
		}
		if err := tx.Layers().Create(ctx, &made); err != nil {
			return err
		}
		if t, err = enqueueParse(ctx, tx, made.ID, s.fetch); err != nil {
			return err
		}
		*l = made
		return nil
	})
	return t, err
}

// canQueue fails where a parse that is queued would never be worked on.
func (p *Parser) canQueue() error {
	if p.c.InRequest {
		return p.checkOpener()
	}
	return nil
}

// checkLayer refuses what a layer cannot have, of what differs from before; nil:
// all of it does.
func checkLayer(ctx context.Context, tx store.Tx, l, before *rasterbase.Layer) error {
	if err := l.CheckTexts(before); err != nil {
		return err
	}
	if before == nil {
		before = &rasterbase.Layer{}
	}
	if l.Name == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "a layer has a name").WithField("name")
	}
	if l.Visibility != rasterbase.Public && l.Visibility != rasterbase.Private {
		return rasterbase.Errorf(rasterbase.Invalid, "unknown visibility %q", l.Visibility).
			WithHint("one of public, private").WithField("visibility")
	}
	if l.Legend != 0 && l.Legend != before.Legend {
		if _, err := tx.Legends().Get(ctx, l.Legend); err != nil {
			if errors.Is(err, store.ErrNotExist) {
				return rasterbase.Errorf(rasterbase.Invalid, "there is no legend %d", l.Legend).WithField("legend")
			}
			return err
		}
	}
	if sameSettings(l.Settings, before.Settings) {
		return nil
	}
	if l.Formula != nil {
		return CheckFormulaSettings(l.Settings)
	}
	return CheckSettings(l.Settings)
}

// Change changes a layer, and parses it anew when its settings become others or
// from is not nil; a parse under way is cancelled for that, and what it was
// still to fetch is fetched by the new one. The ticket has no parse when there
// is nothing to be parsed.
//
// Fn changes texts, slug, settings, legend and visibility of the layer as it is
// stored; other changes are lost. It may be run more than once. While a new
// source is being fetched, and when that fails, the layer keeps the one before.
//
// Of a layer with a formula, fn can change the formula as well, which is kept as it
// is given. Such a layer is never parsed: from must be nil, and of settings only the
// datatype can be given.
func (p *Parser) Change(ctx context.Context, id rasterbase.LayerID, from *rasterbase.SourceFrom, fn func(*rasterbase.Layer) error) (*rasterbase.Layer, rasterbase.Ticket, error) {
	var s *supply
	if from != nil {
		var err error
		if err = p.canQueue(); err == nil {
			s, err = p.supplyOf(ctx, *from)
		}
		if err != nil {
			return nil, rasterbase.Ticket{}, err
		}
	}
	var l *rasterbase.Layer
	var t rasterbase.Ticket
	err := p.c.Store.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		l, t, err = p.change(ctx, tx, id, s, fn)
		return err
	})
	if err != nil {
		return nil, rasterbase.Ticket{}, err
	}
	return l, t, nil
}

// change is Change in a transaction.
func (p *Parser) change(ctx context.Context, tx store.Tx, id rasterbase.LayerID, s *supply, fn func(*rasterbase.Layer) error) (*rasterbase.Layer, rasterbase.Ticket, error) {
	none := rasterbase.Ticket{}
	l, err := tx.Layers().Get(ctx, id)
	if err != nil {
		return nil, none, err
	}
	before, err := tx.Layers().Get(ctx, id) // fn may change what settings point to
	if err != nil {
		return nil, none, err
	}
	if fn != nil {
		if err := fn(l); err != nil {
			return nil, none, err
		}
	}
	l.ID, l.Source, l.Published, l.Created = before.ID, before.Source, before.Published, before.Created
	if err := checkLayer(ctx, tx, l, before); err != nil {
		return nil, none, err
	}
	if before.Formula != nil && s != nil {
		return nil, none, noSource(before)
	}
	if s == nil && (l.Formula != nil || sameSettings(l.Settings, before.Settings)) {
		return l, rasterbase.Ticket{Layer: id}, tx.Layers().Update(ctx, l)
	}
	if err := p.canQueue(); err != nil {
		return nil, none, err
	}
	fetch, err := p.supplyAnew(ctx, tx, l, s)
	if err != nil {
		return nil, none, err
	}
	if err := tx.Layers().Update(ctx, l); err != nil {
		return nil, none, err
	}
	t, err := enqueueParse(ctx, tx, id, fetch)
	return l, t, err
}

// supplyAnew cancels the parse of a layer for another one, and tells where that
// one fetches its source from; empty: it is kept already.
func (p *Parser) supplyAnew(ctx context.Context, tx store.Tx, l *rasterbase.Layer, s *supply) (fetch string, err error) {
	latest, err := tx.Parses().Latest(ctx, l.ID)
	switch {
	case errors.Is(err, store.ErrNotExist):
	case err != nil:
		return "", err
	case !latest.Status.Ended():
		fetch = latest.Fetch
		if err := p.endParse(ctx, tx, latest, rasterbase.Cancelled, "", 0); err != nil {
			return "", err
		}
	}
	if s == nil {
		return p.orOrigin(l, fetch)
	}
	src, err := s.take(ctx, tx)
	if err != nil {
		return "", err
	}
	if s.fetch != "" {
		if l.Source.ID == "" && l.Published == 0 { // there is none to be kept meanwhile
			l.Source = src
		}
		return s.fetch, nil
	}
	err = enqueueSourceDeletion(ctx, tx, l.Source.ID)
	l.Source = src
	return "", err
}

// orOrigin is where the source of a layer is to be fetched from. One that is not
// kept can be fetched again from an address without secrets.
func (p *Parser) orOrigin(l *rasterbase.Layer, fetch string) (string, error) {
	if fetch != "" || l.Source.ID != "" {
		return fetch, nil
	}
	if o := l.Source.Origin; isAddress(o) && OriginOf(o) == o && p.checkAddress(o) == nil {
		return o, nil
	}
	return "", rasterbase.Errorf(rasterbase.Conflict, "layer %d (%s) has no source file to be parsed from", l.ID, l.Name).
		WithHint("name a source for it again, or import the raster as a new layer")
}

// Reparse queues a new parse of a layer; one that is queued or running already
// is returned instead. A source that is not kept is fetched again when it came
// from an address without secrets. The error has code invalid for a layer with a
// formula, which is never parsed.
func (p *Parser) Reparse(ctx context.Context, id rasterbase.LayerID) (t rasterbase.Ticket, err error) {
	// Whether it can be parsed at all is said before what keeps it from that now.
	err = p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		l, err := tx.Layers().Get(ctx, id)
		if err == nil && l.Formula != nil {
			err = neverParsed(l)
		}
		return err
	})
	if err == nil {
		err = p.canQueue()
	}
	if err != nil {
		return t, err
	}
	err = p.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		layer, err := tx.Layers().Get(ctx, id)
		if err != nil {
			return err
		}
		fetch := ""
		latest, err := tx.Parses().Latest(ctx, id)
		switch {
		case errors.Is(err, store.ErrNotExist):
		case err != nil:
			return err
		case !latest.Status.Ended():
			s, err := jobsOf(ctx, tx, latest.ID)
			if err != nil {
				return err
			}
			if s.active != nil {
				t = rasterbase.Ticket{Layer: id, Parse: latest.ID}
				return nil
			}
			fetch = latest.Fetch
			if err := p.endRecord(ctx, tx, latest, s); err != nil {
				return err
			}
		}
		if fetch, err = p.orOrigin(layer, fetch); err != nil {
			return err
		}
		t, err = enqueueParse(ctx, tx, id, fetch)
		return err
	})
	return t, err
}

// Preview says what a parse would make, without storing anything for good: what
// an address or a path names is copied for that, and deleted.
func (p *Parser) Preview(ctx context.Context, from rasterbase.SourceFrom, s rasterbase.Settings) (*rasterbase.Plan, error) {
	if err := p.checkOpener(); err != nil {
		return nil, err
	}
	if err := CheckSettings(s); err != nil {
		return nil, err
	}
	u, err := p.supplyOf(ctx, from)
	if err != nil {
		return nil, err
	}
	src := u.source
	if u.fetch != "" {
		if src, err = p.fetchFrom(ctx, u.fetch, nil); err != nil {
			return nil, err
		}
		defer p.deleteSource(ctx, src.ID)
	}
	pl, err := p.planSource(ctx, src, s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", src.Name, err)
	}
	return &pl.Plan, nil
}
