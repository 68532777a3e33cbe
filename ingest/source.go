package ingest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// checkFile tells what is wrong with a path before anything else looks at it.
func checkFile(path string) (fs.FileInfo, error) {
	if path == "" {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "no file was named").WithField("source")
	}
	if strings.HasPrefix(path, "/vsi") {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s: virtual file systems are not read", path).
			WithHint("name a file; a zip file is searched for the raster").WithField("source")
	}
	info, err := os.Stat(path)
	return info, checkInfo(path, info, err)
}

// checkInfo tells what is wrong with a file that was looked at.
func checkInfo(path string, info fs.FileInfo, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return noSuchFile(path)
	case err != nil:
		return unreadable(path, err)
	case info.IsDir():
		return rasterbase.Errorf(rasterbase.Invalid, "%s is a folder", path).
			WithHint("name the raster file in it").WithField("source")
	case !info.Mode().IsRegular():
		return rasterbase.Errorf(rasterbase.Invalid, "%s is not a regular file", path).WithField("source")
	case info.Size() == 0:
		return rasterbase.Errorf(rasterbase.Invalid, "%s is empty", path).WithField("source")
	}
	return nil
}

// keepSource copies a file and its side-cars into the store.
func (p *Parser) keepSource(ctx context.Context, path string) (src rasterbase.Source, err error) {
	info, err := checkFile(path)
	if err != nil {
		return src, err
	}
	if info.Size() > p.c.Limits.SourceBytes {
		return src, p.tooLarge(path, info.Size())
	}
	if err := p.checkDisk(path, info.Size()); err != nil {
		return src, err
	}
	dir, name := filepath.Split(path)
	return p.keepFrom(ctx, plainFolder(cmp.Or(dir, ".")), name, path)
}

// keepFrom copies a file of a folder and its side-cars into the store.
func (p *Parser) keepFrom(ctx context.Context, d folder, name, origin string) (src rasterbase.Source, err error) {
	id, err := p.c.Store.Sources().Create(ctx)
	if err != nil {
		return src, fmt.Errorf("keep the source: %w", err)
	}
	defer func() {
		if err != nil {
			p.deleteSource(ctx, id)
		}
	}()
	src = rasterbase.Source{ID: id, Name: name, Origin: origin}
	sum := sha256.New()
	if src.Size, err = p.keepFile(ctx, src, d, name, sum); err != nil {
		return src, err
	}
	src.Checksum = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	cars, err := sidecarsIn(d, name)
	if err != nil {
		return src, err
	}
	for _, c := range cars {
		if _, err := p.keepFile(ctx, src, d, c, io.Discard); err != nil {
			return src, err
		}
	}
	return src, nil
}

// keepFile copies a file within the limits, which it may grow beyond meanwhile.
func (p *Parser) keepFile(ctx context.Context, src rasterbase.Source, d folder, name string, also io.Writer) (int64, error) {
	path := filepath.Join(filepath.Dir(src.Origin), name)
	f, err := d.open(name)
	if err != nil {
		return 0, unreadable(path, err)
	}
	defer f.Close()
	in := &sourceReader{p: p, r: &ctxReader{ctx, f}, origin: path, size: -1}
	n, err := p.c.Store.Sources().Put(ctx, src.ID, name, io.TeeReader(in, also))
	switch {
	case in.err != nil: // the reason, without what the store was doing
		return 0, fmt.Errorf("copy %s: %w", path, in.err)
	case err != nil:
		return 0, fmt.Errorf("keep %s: %w", name, err)
	}
	return n, nil
}

// sidecars lists the files beside a raster that belong to it.
func sidecars(path string) ([]string, error) {
	dir, base := filepath.Split(path)
	names, err := sidecarsIn(plainFolder(cmp.Or(dir, ".")), base)
	for i, n := range names {
		names[i] = filepath.Join(dir, n)
	}
	return names, err
}

// sidecarsIn lists the files of a folder that belong to a raster in it.
func sidecarsIn(d folder, raster string) ([]string, error) {
	entries, err := d.list()
	if err != nil {
		return nil, fmt.Errorf("look for side-car files: %w", err)
	}
	var found []string
	for _, e := range entries {
		if e.Type().IsRegular() && rasterbase.IsSidecar(e.Name(), raster) {
			found = append(found, e.Name())
		}
	}
	slices.Sort(found)
	return found, nil
}
