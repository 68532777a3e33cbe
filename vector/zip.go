package vector

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/tempdir"
)

// Zips opens files of features with another opener, and what lies in zip files too:
// the one .shp, .gpkg, .fgb or .geojson of it, with what belongs to it. Of several,
// Options.Layer names one: its name in the zip, or that and, after a colon, a layer of
// it.
type Zips struct {
	Opener
	// TempDir is where files are unpacked. Empty: the system's folder for that.
	TempDir string
	// Bytes bounds what is unpacked: 4 GiB when 0.
	Bytes int64
}

// maxEntries bounds the files of a zip.
const maxEntries = 10_000

// readable are the names' ends of files that a zip is searched for.
var readable = []string{".shp", ".gpkg", ".fgb", ".geojson", ".json"}

// OpenVector opens a layer of a file, or of a file in a zip.
func (z Zips) OpenVector(ctx context.Context, path string, o Options) (_ Source, err error) {
	if !strings.EqualFold(filepath.Ext(path), ".zip") {
		return z.Opener.OpenVector(ctx, path, o)
	}
	name := filepath.Base(path)
	r, err := zip.OpenReader(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, rasterbase.Errorf(rasterbase.NotFound, "there is no file %s", name)
	}
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s cannot be read as a zip file: %w", name, err)
	}
	defer r.Close()
	if len(r.File) > maxEntries {
		return nil, rasterbase.Errorf(rasterbase.TooLarge, "%s holds %d files, more than the %d allowed", name, len(r.File), maxEntries)
	}
	entry, o, err := chooseEntry(name, r.File, o)
	if err != nil {
		return nil, err
	}
	temp, err := tempdir.Make(z.TempDir, "rasterbase-source-")
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	u := unpacking{ctx: ctx, dir: temp.Path, zip: name, left: z.Bytes}
	if u.left == 0 {
		u.left = 4 << 30
	}
	file, err := u.unpack(r.File, entry)
	var s Source
	if err == nil {
		s, err = z.Opener.OpenVector(ctx, file, o)
	}
	if err != nil {
		_ = temp.Remove() // there is an error already, and a rest is collected
		return nil, err
	}
	return &unzipped{s, temp}, nil
}

// unzipped is a source whose file goes with it.
type unzipped struct {
	Source
	temp *tempdir.Dir
}

// Close closes the source and removes what was unpacked.
func (u *unzipped) Close() error {
	err := u.Source.Close()
	_ = u.temp.Remove() // a rest is collected
	return err
}

// chooseEntry finds the file of a zip that is to be opened, and what is asked of it.
func chooseEntry(name string, files []*zip.File, o Options) (string, Options, error) {
	var found []string
	for _, f := range files {
		if f.Mode().IsRegular() && slices.Contains(readable, strings.ToLower(filepath.Ext(f.Name))) {
			found = append(found, f.Name)
		}
	}
	for _, n := range found {
		if rest, ok := strings.CutPrefix(o.Layer, n); ok && (rest == "" || rest[0] == ':') {
			o.Layer = strings.TrimPrefix(rest, ":")
			return n, o, nil
		}
	}
	switch len(found) {
	case 0:
		return "", o, rasterbase.Errorf(rasterbase.Invalid, "%s holds no file of features", name).
			WithHint("it is searched for %s", strings.Join(readable, ", "))
	case 1:
		return found[0], o, nil
	}
	e := &SeveralLayers{Path: name}
	for _, n := range found {
		e.Layers = append(e.Layers, Layer{Name: n})
	}
	if o.Layer != "" {
		_, err := o.ChooseLayer(name, e.Layers)
		return "", o, err
	}
	return "", o, e
}

// unpacking unpacks files of a zip.
type unpacking struct {
	ctx  context.Context
	dir  string
	zip  string
	left int64 // bytes that may be unpacked
}

// unpack unpacks a file and those that have its name with another ending, and gives
// its path.
func (u *unpacking) unpack(files []*zip.File, entry string) (string, error) {
	stem := strings.ToLower(strings.TrimSuffix(entry, filepath.Ext(entry)))
	var path string
	for _, f := range files {
		rest, ok := strings.CutPrefix(strings.ToLower(f.Name), stem)
		if !ok || !strings.HasPrefix(rest, ".") || strings.Contains(rest, "/") || !f.Mode().IsRegular() {
			continue
		}
		// All of them lie in one folder, whatever the zip says of theirs.
		to := filepath.Join(u.dir, filepath.Base(filepath.FromSlash(strings.ReplaceAll(f.Name, `\`, "/"))))
		if err := u.file(f, to); err != nil {
			return "", err
		}
		if f.Name == entry {
			path = to
		}
	}
	return path, nil
}

func (u *unpacking) file(f *zip.File, to string) (err error) {
	const encrypted = 1 // bit of the flags
	if f.Flags&encrypted != 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "%s: %q is encrypted", u.zip, f.Name).WithHint("pack it again without a password")
	}
	in, err := f.Open()
	if err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "%s: %q cannot be unpacked: %w", u.zip, f.Name, err).
			WithHint("pack it again with the usual deflate method, without a password")
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "%s: %q cannot be unpacked: there is another of that name", u.zip, f.Name)
	}
	n, err := io.Copy(out, io.LimitReader(reader{u.ctx, in}, u.left+1))
	err = errors.Join(err, out.Close())
	switch u.left -= n; {
	case u.left < 0:
		return rasterbase.Errorf(rasterbase.TooLarge, "%s unpacks to more bytes than are allowed", u.zip)
	case u.ctx.Err() != nil:
		return u.ctx.Err()
	case err != nil:
		return rasterbase.Errorf(rasterbase.Invalid, "%s: %q cannot be unpacked: %w", u.zip, f.Name, err)
	}
	return nil
}

// reader stops reading when its context is done.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}
