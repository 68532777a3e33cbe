package export

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rasterbase/rasterbase/internal/tempdir"
)

// recompress gives the file as a compression that only GDAL has, and closes f.
func (f *File) recompress(ctx context.Context, p *Plan, o Options) (out *File, err error) {
	defer func() { _ = f.Close() }() // which is not needed any more
	dir, err := tempdir.Make(o.TempDir, tempPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder for an export: %w", err)
	}
	defer func() {
		if e := dir.Remove(); err == nil && e != nil {
			_ = out.Close()
			out, err = nil, e
		}
	}()
	from, to := filepath.Join(dir.Path, "from.tif"), filepath.Join(dir.Path, "to.tif")
	if err := f.save(from); err != nil {
		return nil, err
	}
	if err := o.Recompress(ctx, from, to, p.Compression); err != nil {
		return nil, fmt.Errorf("compress the export by %s: %w", p.Compression, err)
	}
	in, err := os.Open(to)
	if err != nil {
		return nil, fmt.Errorf("read the export that GDAL has made: %w", err)
	}
	defer in.Close()
	s, err := newSpool(o.TempDir)
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(s.f, in)
	if err != nil {
		_ = s.close()
		return nil, fmt.Errorf("read the export that GDAL has made: %w", err)
	}
	out = &File{spool: s}
	out.addSpooled(0, n)
	return out, nil
}

// save writes the file to a new one.
func (f *File) save(name string) (err error) {
	w, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write a temporary file for an export: %w", err)
	}
	_, err = f.WriteTo(w)
	if e := w.Close(); err == nil {
		err = e
	}
	return err
}
