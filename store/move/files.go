package move

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// sourceFiles lists the files that a layer's source has. Of a source that is
// gone there are none: the layer is moved without.
func (m *mover) sourceFiles(ctx context.Context, l *rasterbase.Layer) ([]string, error) {
	if l.Source.ID == "" {
		return nil, nil
	}
	names, err := m.from.Sources().Files(ctx, l.Source.ID)
	if errors.Is(err, store.ErrNotExist) {
		m.warn("the source has lost the file of %s: it is moved without, and cannot be parsed again", layerName(l))
		l.Source.ID = ""
		return nil, nil
	}
	return names, err
}

// files copies the files of a source that the destination has not, and
// compares all of them.
func (m *mover) files(ctx context.Context, src, dst *rasterbase.Layer, names []string) error {
	m.stage(Files, src.Source.Size)
	for _, name := range names {
		size, err := m.file(ctx, src.Source.ID, dst.Source.ID, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		m.count(func(r *Report) { r.Files++; r.FileBytes += size })
	}
	have, err := m.to.Sources().Files(ctx, dst.Source.ID)
	if err != nil {
		return err
	}
	if !slices.Equal(have, names) {
		return fmt.Errorf("the list of files %w: %q, not %q", ErrDiffers, have, names)
	}
	return nil
}

// file copies one file and reads it back; one that is there and equal is left.
func (m *mover) file(ctx context.Context, from, to, name string) (size int64, err error) {
	f, err := m.from.Sources().Open(ctx, from, name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	there, err := digest(ctx, m.to.Sources(), to, name)
	if err != nil && !errors.Is(err, store.ErrNotExist) {
		return 0, err
	}
	hash := sha256.New()
	counted := &countingReader{ctx: ctx, r: f, advance: m.advance}
	if err == nil && there.size == f.Size() {
		if _, err := io.Copy(hash, counted); err != nil {
			return 0, err
		}
		if there.is(hash.Sum(nil)) {
			return f.Size(), nil
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return 0, err
		}
		hash.Reset()
	}
	if _, err := m.to.Sources().Put(ctx, to, name, io.TeeReader(counted, hash)); err != nil {
		return 0, err
	}
	if there, err = digest(ctx, m.to.Sources(), to, name); err != nil {
		return 0, err
	}
	if !there.is(hash.Sum(nil)) {
		return 0, fmt.Errorf("the file %w", ErrDiffers)
	}
	return there.size, nil
}

// fileDigest stands for the contents of a file.
type fileDigest struct {
	size int64
	hash [sha256.Size]byte
}

func (d fileDigest) is(hash []byte) bool { return string(d.hash[:]) == string(hash) }

// digest reads a file to its end.
func digest(ctx context.Context, s store.Sources, id, name string) (d fileDigest, err error) {
	f, err := s.Open(ctx, id, name)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	hash := sha256.New()
	if d.size, err = io.Copy(hash, &countingReader{ctx: ctx, r: f, advance: func(int64) {}}); err != nil {
		return d, err
	}
	hash.Sum(d.hash[:0])
	return d, nil
}

// countingReader tells what was read, and fails once its context is done.
type countingReader struct {
	ctx     context.Context
	r       io.Reader
	advance func(int64)
}

func (c *countingReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(b)
	c.advance(int64(n))
	return n, err
}
