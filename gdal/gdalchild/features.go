package gdalchild

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/vector"
)

// OpenVector starts a child that opens a layer of the file of features at a path. The
// errors are those of gdal.Opener; besides, when the child dies, one that says of what,
// with code too large when it was a limit and invalid otherwise.
func (o Opener) OpenVector(ctx context.Context, path string, opt vector.Options) (vector.Source, error) {
	if !gdal.Available && o.Binary == "" {
		return gdal.Opener{}.OpenVector(ctx, path, opt)
	}
	o = o.withDefaults()
	opt.Limits = opt.Limits.WithDefaults()
	path, p, err := o.startFor(ctx, path)
	if err != nil {
		return nil, err
	}
	s := &features{p: p, limits: opt.Limits}
	// The answer may come when nobody waits any more, so it has a place of its own.
	info := new(vector.Info)
	_, err = p.call(ctx, request{Op: opVector, Path: path, Vector: &opt}, nil, func(a answer, raw uint64) ([][]byte, error) {
		if err := checkVector(a.Vector, opt, raw); err != nil {
			return nil, err
		}
		*info = *a.Vector
		return nil, nil
	})
	if err != nil {
		p.close()
		return nil, err
	}
	s.info = *info
	return s, nil
}

// checkVector refuses what a child that works could not have said.
func checkVector(i *vector.Info, o vector.Options, raw uint64) error {
	switch {
	case raw != 0 || i == nil || len(i.Layers) == 0 || len(i.Layers) > o.Limits.Layers:
		return errors.New("the answer to opening is not one")
	case len(i.Fields) > max(o.Limits.Fields, len(o.Fields)) || o.Fields != nil && len(i.Fields) != len(o.Fields):
		return fmt.Errorf("the answer to opening names %d fields", len(i.Fields))
	}
	return nil
}

// features is a vector.Source in a child.
type features struct {
	p      *process
	limits vector.Limits
	info   vector.Info

	mu   sync.Mutex // of what follows
	done bool       // nothing more is read
}

// Info tells what the file says of itself.
func (s *features) Info() vector.Info { return s.info }

// Close ends the child.
func (s *features) Close() error { s.p.close(); return nil }

// Next asks the child for features.
func (s *features) Next(ctx context.Context, n int) ([]vector.Feature, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done || n <= 0 {
		return nil, nil
	}
	b := new([]byte)
	_, err := s.p.call(ctx, request{Op: opNext, Count: n}, nil, func(_ answer, raw uint64) ([][]byte, error) {
		if raw > uint64(s.mostBytes()) {
			return nil, fmt.Errorf("an answer with features has %d bytes", raw)
		}
		*b = make([]byte, raw)
		return [][]byte{*b}, nil
	})
	var all []vector.Feature
	if err == nil {
		all, err = readFeatures(*b, n, len(s.info.Fields))
	}
	if err != nil {
		s.done = true
		return nil, err
	}
	s.done = len(all) == 0
	return all, nil
}

// mostBytes is how long an answer can be: those of a batch that is nearly full, and of
// one feature more.
func (s *features) mostBytes() int64 {
	l, fields := s.limits, int64(len(s.info.Fields))
	one := 64 + l.GeometryBytes + fields*(16+l.TextBytes)
	// Values that are no text do not count where the child fills a batch.
	return l.BatchBytes + one + batchFeatures*(64+fields*16)
}

// batchFeatures is the most features of an answer.
const batchFeatures = 4096

func (v *service) openVector(ctx context.Context, q request) (answer, [][]byte, error) {
	if q.Vector == nil {
		return answer{}, nil, errors.New("opening needs options")
	}
	o := gdal.Opener{Limits: v.setup.Limits, CacheBytes: v.setup.CacheBytes, TempDir: v.setup.TempDir}
	s, err := o.OpenVector(ctx, q.Path, *q.Vector)
	if err != nil {
		return answer{}, nil, err
	}
	v.mu.Lock()
	v.zones = s
	v.mu.Unlock()
	info := s.Info()
	return answer{Vector: &info}, nil, nil
}

func (v *service) nextFeatures(ctx context.Context, n int) (answer, [][]byte, error) {
	v.mu.Lock()
	zones := v.zones
	v.mu.Unlock()
	if zones == nil {
		return answer{}, nil, errors.New("no file of features is open")
	}
	all, err := zones.Next(ctx, min(n, batchFeatures))
	if err != nil {
		return answer{}, nil, err
	}
	var b []byte
	for _, f := range all {
		if b, err = appendFeature(b, f); err != nil {
			return answer{}, nil, err
		}
	}
	return answer{}, [][]byte{b}, nil
}
