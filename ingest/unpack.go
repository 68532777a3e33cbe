package ingest

import (
	"archive/zip"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/tempdir"
)

// rasterFile is a raster that can be opened: the source itself, or a file
// unpacked from it.
type rasterFile struct {
	path       string
	subdataset string // what is left to be named within the file
	dir        string // of unpacked files, removed in the end
	temp       *tempdir.Dir
}

// clean takes the folder of unpacked files out of an error's text: it means
// nothing to the person who reads it. The code and the field stay.
func (f rasterFile) clean(err error) error {
	if err == nil || f.dir == "" || !strings.Contains(err.Error(), f.dir) {
		return err
	}
	strip := strings.NewReplacer(f.dir+string(filepath.Separator), "", f.dir, "").Replace
	e, ok := errors.AsType[*rasterbase.Error](err)
	if !ok {
		return &cleanError{strip(err.Error()), err}
	}
	return &rasterbase.Error{Code: e.Code, Message: strip(err.Error()), Field: e.Field}
}

// cleanError is an error with another text.
type cleanError struct {
	text string
	err  error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.err }

func (f rasterFile) remove() {
	if f.temp != nil {
		_ = f.temp.Remove() // a rest is collected
	}
}

// unpack finds the raster of a source: zip files are searched for it, with the
// side-cars beside it, and gzipped ones are unpacked, both within the limit for
// the bytes of a source.
func (p *Parser) unpack(ctx context.Context, path string, o OpenOptions) (f rasterFile, err error) {
	var into func(context.Context, string, string) (string, error)
	f = rasterFile{path: path, subdataset: o.Subdataset}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".zip":
	case ".gz":
		into = p.gunzip
	default:
		return f, nil
	}
	if f.temp, err = tempdir.Make(p.c.WorkDir, "rasterbase-source-"); err != nil {
		return f, fmt.Errorf("unpack %s: %w", filepath.Base(path), err)
	}
	f.dir = f.temp.Path
	defer func() {
		if err != nil {
			err = f.clean(err)
			f.remove()
		}
	}()
	if into != nil {
		f.path, err = into(ctx, path, f.dir)
		return f, err
	}
	names, err := p.unzip(ctx, path, f.dir)
	if err != nil {
		return f, err
	}
	return f, p.choose(ctx, &f, o.SRID, names)
}

func (p *Parser) gunzip(ctx context.Context, path, dir string) (string, error) {
	in, err := os.Open(path)
	if err != nil {
		return "", rasterbase.Errorf(rasterbase.Invalid, "%s cannot be read: %w", filepath.Base(path), err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		return "", rasterbase.Errorf(rasterbase.Invalid, "%s is not a gzip file: %w", filepath.Base(path), err)
	}
	base := filepath.Base(path)
	out := filepath.Join(dir, base[:len(base)-len(".gz")])
	left := p.c.Limits.SourceBytes
	return out, writeLimited(ctx, out, z, &left, base)
}

// unzip unpacks all files of a zip and lists their names.
func (p *Parser) unzip(ctx context.Context, path, dir string) ([]string, error) {
	base := filepath.Base(path)
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s cannot be read as a zip file: %w", base, err)
	}
	defer z.Close()
	const most = 10_000
	if len(z.File) > most {
		return nil, rasterbase.Errorf(rasterbase.TooLarge, "%s holds %d files, more than the %d allowed", base, len(z.File), most)
	}
	left := p.c.Limits.SourceBytes
	var names []string
	for _, e := range z.File {
		if e.FileInfo().IsDir() || !e.Mode().IsRegular() {
			continue
		}
		name := filepath.FromSlash(e.Name)
		if !filepath.IsLocal(name) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%s holds a file with the unsafe name %q", base, e.Name)
		}
		if err := unzipFile(ctx, e, filepath.Join(dir, name), &left, base); err != nil {
			return nil, err
		}
		names = append(names, e.Name)
	}
	return names, nil
}

func unzipFile(ctx context.Context, e *zip.File, to string, left *int64, zipName string) error {
	const encrypted = 1 // bit of the flags
	if e.Flags&encrypted != 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "%s: %q is encrypted", zipName, e.Name).
			WithHint("pack it again without a password")
	}
	r, err := e.Open()
	if err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "%s: %q cannot be unpacked: %w", zipName, e.Name, err).
			WithHint("pack it again with the usual deflate method, without a password")
	}
	defer r.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return fmt.Errorf("unpack %s: %w", zipName, err)
	}
	return writeLimited(ctx, to, r, left, zipName)
}

// writeLimited writes a file, not more than what is left of the limit.
func writeLimited(ctx context.Context, to string, r io.Reader, left *int64, from string) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "unpack %s: %w", from, err)
	}
	n, err := io.Copy(f, io.LimitReader(&ctxReader{ctx, r}, *left+1))
	err = errors.Join(err, f.Close())
	if *left -= n; *left < 0 {
		return rasterbase.Errorf(rasterbase.TooLarge, "%s unpacks to more bytes than are allowed", from)
	}
	failed, ok := errors.AsType[*fs.PathError](err)
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case ok && failed.Path == to: // the disk is at fault, not the file
		return fmt.Errorf("unpack %s: %w", from, err)
	}
	return rasterbase.Errorf(rasterbase.Invalid, "%s cannot be unpacked: %w", from, err)
}

// ctxReader stops reading when its context is done.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (r *ctxReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(b)
}

// choose finds the one file of a zip that is a raster, or the one that was
// named: a file's name, or a file's name, a colon and a subdataset of it.
func (p *Parser) choose(ctx context.Context, f *rasterFile, srid int, names []string) error {
	if f.subdataset != "" {
		for _, n := range names {
			if rest, ok := strings.CutPrefix(f.subdataset, n); ok && (rest == "" || rest[0] == ':') {
				f.path, f.subdataset = filepath.Join(f.dir, filepath.FromSlash(n)), strings.TrimPrefix(rest, ":")
				return nil
			}
		}
	}
	zipName := filepath.Base(f.path)
	const most = 100 // files that are tried
	var found []string
	var list []Subdataset
	var first error
	tried := 0
	for _, n := range names {
		if rasterbase.LooksLikeSidecar(n) || tried >= most {
			continue
		}
		tried++
		err := p.canOpen(ctx, filepath.Join(f.dir, filepath.FromSlash(n)), OpenOptions{Subdataset: f.subdataset, SRID: srid, Oversized: true})
		var several *SeveralRasters
		switch {
		case errors.As(err, &several):
			for _, s := range several.Rasters {
				list = append(list, Subdataset{Name: n + ":" + s.Name, Description: s.Description})
			}
			found = append(found, n)
		case err == nil:
			list = append(list, Subdataset{Name: n})
			found = append(found, n)
		case ctx.Err() != nil:
			return err
		case first == nil:
			first = fmt.Errorf("%s: %w", n, err)
		}
	}
	switch {
	case len(found) == 0 && first == nil:
		return rasterbase.Errorf(rasterbase.Invalid, "%s holds no file that could be a raster", zipName)
	case len(found) == 0:
		return noneOpens(zipName, first)
	case len(found) == 1:
		f.path = filepath.Join(f.dir, filepath.FromSlash(found[0]))
		return nil
	case f.subdataset != "":
		return rasterbase.Errorf(rasterbase.NotFound, "%s holds no raster %q", zipName, f.subdataset).WithField("subdataset")
	}
	return &SeveralRasters{Path: zipName, Rasters: list}
}

// noneOpens is the error of a zip of whose rasters none can be opened, of which the first
// one says why, and what helps.
func noneOpens(zipName string, first error) error {
	e := rasterbase.Errorf(rasterbase.Invalid, "%s holds no raster that can be parsed: %w", zipName, first)
	if why, ok := errors.AsType[*rasterbase.Error](first); ok && why.Message != "" {
		e = rasterbase.Errorf(rasterbase.Invalid, "%s holds no raster that can be parsed: %s", zipName, why.Message).WithField(why.Field)
		e.Hint = why.Hint
	}
	return e
}

func (p *Parser) canOpen(ctx context.Context, path string, o OpenOptions) error {
	d, err := p.c.Opener.Open(ctx, path, o)
	if err != nil {
		return err
	}
	return d.Close()
}
