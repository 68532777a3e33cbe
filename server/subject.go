package server

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/coverage"
)

// subject is what pictures are made of: a stored layer or a formula, fixed to one
// state. It is shared by requests and not changed.
type subject struct {
	cov     coverage.Coverage
	version string
	// rev is what is drawn. Of a formula it is made up of what its coverage tells,
	// and its band has no statistics: see [Server.statistics].
	rev     *rasterbase.Revision
	formula *coverage.Formula   // nil: a stored layer
	reads   []*rasterbase.Layer // all layers that are read
	private bool                // any of them is

	estimated atomic.Pointer[rasterbase.Revision] // rev with estimated statistics; nil: not yet
}

func newSubject(cov coverage.Coverage) *subject {
	sub := &subject{cov: cov, version: cov.Version(), reads: coverage.Reads(cov)}
	for _, l := range sub.reads {
		sub.private = sub.private || l.Visibility == rasterbase.Private
	}
	switch c := cov.(type) {
	case *coverage.Layer:
		sub.rev = c.Revision()
	case *coverage.Formula:
		sub.formula = c
		d := c.Describe()
		sub.rev = &rasterbase.Revision{
			Datatype: d.Datatype, CRS: d.CRS, Grid: d.Grid, TileSize: d.TileSize, HasPyramid: d.HasPyramid,
			MaxZoom: d.MaxZoom, Bands: d.Bands, Bounds: d.Bounds,
		}
		if l := c.Layer(); l != nil {
			sub.rev.Layer = l.ID
		}
	}
	return sub
}

// hides reports whether what is drawn of a layer is kept out of caches. A subject of a
// stored layer outlives changes of who may read it.
func (sub *subject) hides(l *rasterbase.Layer) bool {
	return l.Visibility == rasterbase.Private || sub.formula != nil && sub.private
}

// subjectCost is the memory that it takes, roughly: of a formula the tree and the
// compiled programs are many times its text, of which the key is a part.
func subjectCost(key string, k *keptSubject) int64 {
	cost := 2000 + int64(len(key)) + 1000*int64(len(k.subject.reads))
	if f := k.subject.formula; f != nil {
		cost += formulaMemory * int64(max(f.Cost(), len(key), len(f.Describe().Name)))
	}
	return cost
}

// formulaMemory is what a compiled formula takes for each character, roughly.
const formulaMemory = 250

// nameOf names what is drawn in errors.
func nameOf(rev *rasterbase.Revision) string {
	if rev.Layer == 0 {
		return "the formula"
	}
	return fmt.Sprintf("layer %d", rev.Layer)
}

// keptSubject is a subject that is remembered as long as the catalog is as it was.
type keptSubject struct {
	generation uint64
	subject    *subject
}

// noGeneration is that of what was opened while nobody knew the catalog's.
const noGeneration = math.MaxUint64

// open gives what a layer is drawn from. A stored layer stays the same as long as
// its revision is published; a formula as long as nothing in the catalog changes.
func (s *Server) open(ctx context.Context, l *rasterbase.Layer, again bool) (*subject, error) {
	now, known := uint64(0), true
	key := "r" + strconv.FormatInt(int64(l.Published), 10)
	if l.Formula != nil {
		now, known = s.memory.generation()
		key = "l" + strconv.FormatInt(int64(l.ID), 10)
	}
	return s.remembered(key, now, known, again, func() (coverage.Coverage, error) {
		return coverage.OpenWith(ctx, s.c.Store, l.ID, coverage.OpenOptions{Transformer: s.c.Transformer})
	})
}

// openFor opens a layer for somebody who may read it.
func (s *Server) openFor(ctx context.Context, who rasterbase.Principal, l *rasterbase.Layer, again bool) (*subject, error) {
	sub, err := s.open(ctx, l, again)
	if err != nil {
		return nil, err
	}
	return sub, s.mayReadAll(ctx, who, sub)
}

// openedFor opens a layer for the sender of a request.
func (s *Server) openedFor(r *http.Request, l *rasterbase.Layer) (*subject, error) {
	who, err := s.principal(r)
	if err != nil {
		return nil, err
	}
	return s.openFor(r.Context(), who, l, false)
}

// mayReadAll asks for the right to all that a formula reads. Between the finding of a
// formula layer and its opening it can have come to read others.
func (s *Server) mayReadAll(ctx context.Context, who rasterbase.Principal, sub *subject) error {
	if sub.formula == nil {
		return nil
	}
	for _, l := range sub.reads {
		sees, err := s.sees(ctx, who, l)
		if err != nil {
			return err
		}
		if !sees {
			return rasterbase.Errorf(rasterbase.NotFound, "a layer of the formula is gone").
				WithHint("/layers lists those that you may read").WithField("layers")
		}
	}
	return nil
}

// remembered gives the subject of a key in a generation of the catalog, and opens it
// when it is not remembered. The same coverage stays the same subject, so that what
// is known of it is not found out again.
func (s *Server) remembered(key string, now uint64, known, again bool, open func() (coverage.Coverage, error)) (*subject, error) {
	if known && !again {
		if kept, ok := s.subjects.get(key); ok && kept.generation == now {
			return kept.subject, nil
		}
	}
	cov, err := open()
	if err != nil {
		return nil, err
	}
	if l, ok := cov.(*coverage.Layer); ok { // it may have been published since
		key = "r" + strconv.FormatInt(int64(l.Revision().ID), 10)
	}
	sub := newSubject(cov)
	if kept, ok := s.subjects.get(key); ok && kept.subject.version == sub.version {
		sub.estimated.Store(kept.subject.estimated.Load())
	}
	if !known {
		now = noGeneration // what was found out of this version counts, and nothing else
	}
	s.subjects.put(key, &keptSubject{now, sub})
	return sub, nil
}

// statistics gives what is drawn with the statistics that colours are spread by.
// Those of a formula are estimated, once for each version, as work of the client that
// asks: whoever calls it has no place of [Server.admitWork].
func (s *Server) statistics(r *http.Request, sub *subject) (*rasterbase.Revision, error) {
	if sub.formula == nil {
		return sub.rev, nil
	}
	if rev := sub.estimated.Load(); rev != nil {
		return rev, nil
	}
	if err := sub.drawable(); err != nil {
		return nil, err
	}
	if err := sub.affordable(samplePixels); err != nil {
		return nil, err
	}
	release, err := s.admitWork(r)
	if err != nil {
		return nil, err
	}
	defer release()
	// It takes its turn as a tile does.
	band, err := s.samples.do(r.Context(), sub.version, func(ctx context.Context) (rasterbase.Band, error) {
		select {
		case s.drawing <- struct{}{}:
			defer func() { <-s.drawing }()
		case <-ctx.Done():
			return rasterbase.Band{}, context.Cause(ctx)
		}
		return sub.formula.Sample(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("estimate the values of %s: %w", nameOf(sub.rev), readFailure(err))
	}
	rev := *sub.rev
	rev.Bands = []rasterbase.Band{band}
	sub.estimated.Store(&rev)
	return &rev, nil
}

// overBands gives a formula over the bands b1, b2 and so on of what is drawn, of which
// x is the first.
func (s *Server) overBands(ctx context.Context, sub *subject, text string, again bool) (*subject, error) {
	o := s.c.Formula
	o.Names, o.Reductions = nil, true
	f, err := algebra.Parse(text, o)
	if err != nil {
		return nil, mistake(err)
	}
	var inputs []coverage.Input
	for _, name := range f.Variables() {
		band, ok := bandNamed(name, len(sub.rev.Bands))
		if !ok {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the formula uses %s, which is no band of %s", cut(name, 40), nameOf(sub.rev)).
				WithHint("its bands are b1 to b%d, and x is b1; /algebra takes several layers", len(sub.rev.Bands)).WithField("formula")
		}
		inputs = append(inputs, coverage.Input{Name: name, Coverage: sub.cov, Band: band})
	}
	key := "t" + sub.version + " " + f.String()
	return s.remembered(key, 0, true, again, func() (coverage.Coverage, error) {
		return coverage.NewFormula(ctx, f, inputs, coverage.FormulaOptions{Name: text, Transformer: s.c.Transformer})
	})
}

// bandNamed is the band, from 0, that a variable of a formula over one layer means.
func bandNamed(name string, bands int) (band int, ok bool) {
	if name == "x" {
		return 0, bands > 0
	}
	digits, ok := strings.CutPrefix(name, "b")
	n, err := strconv.Atoi(digits)
	return n - 1, ok && err == nil && n >= 1 && n <= bands && digits == strconv.Itoa(n)
}

// drawable fails for what has no map tiles.
func (sub *subject) drawable() error {
	if sub.rev.HasPyramid {
		return nil
	}
	if sub.formula == nil {
		return withoutPyramid(sub.rev)
	}
	for _, in := range sub.formula.Inputs() {
		if !in.Coverage.Describe().HasPyramid {
			return rasterbase.Errorf(rasterbase.NotFound, "%s has no map tiles: %s was parsed without a pyramid", nameOf(sub.rev), in.Coverage.Describe().Name).
				WithHint("parse it again with one").WithField("layers")
		}
	}
	return nil
}

// samplePixels is the side of a tile of as many pixels as statistics are estimated
// from.
const samplePixels = 512

// maxFormulaWork is the most work of one tile: its pixels times the formula's
// [algebra.Formula.Cost]. It is about a second's.
const maxFormulaWork = 1 << 30

// affordable refuses tiles that would take too long.
func (sub *subject) affordable(size int) error {
	if sub.formula == nil {
		return nil
	}
	return affordable(nameOf(sub.rev), sub.formula.Cost(), size)
}

func affordable(name string, cost, size int) error {
	if cost*size*size <= maxFormulaWork {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Invalid, "a tile of %d pixels a side of %s is too much work", size, name).
		WithHint("a shorter formula, smaller tiles, or rescale= where the range of its values would have to be estimated").WithField("formula")
}
