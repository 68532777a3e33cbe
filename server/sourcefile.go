package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// sourceFile answers the file that a layer was parsed from, as it was sent, or
// another one of its source: a side-car. Programs that open rasters at addresses
// look for those beside the raster under their names.
func (s *Server) sourceFile(w http.ResponseWriter, r *http.Request) error {
	r, who, err := s.identified(r)
	if err != nil {
		return err
	}
	l, err := s.find(r, r.PathValue("layer"), func(store.Tx, *rasterbase.Layer) error { return nil })
	if err != nil {
		return err
	}
	if l.Formula != nil {
		return s.withoutSource(r.Context(), who, l)
	}
	name := cmp.Or(r.PathValue("file"), l.Source.Name)
	f, err := s.openSource(r.Context(), l, name)
	if err != nil {
		return err
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", mediaTypeOf(name))
	h.Set("Content-Disposition", attachmentNamed(name))
	h.Set("ETag", sourceTag(l, name, f.Size()))
	h.Set("Cache-Control", "no-cache")
	if l.Visibility == rasterbase.Private {
		private(h)
	}
	body := &noted{ReadSeeker: f}
	http.ServeContent(&unhurried{ResponseWriter: w, control: http.NewResponseController(w), idle: sendIdle}, r, "", l.Updated, body)
	if body.err != nil && r.Context().Err() == nil {
		s.c.Log.ErrorContext(r.Context(), "a source was not sent whole", "layer", l.ID, "file", name, "error", body.err)
		panic(http.ErrAbortHandler) // the client must not take it for the whole
	}
	return nil
}

// openSource opens a file of a layer's source, and nothing but these.
func (s *Server) openSource(ctx context.Context, l *rasterbase.Layer, name string) (store.SourceFile, error) {
	if l.Source.ID == "" {
		return nil, rasterbase.Errorf(rasterbase.NotFound, "the source of layer %d is not kept here", l.ID).
			WithHint("it is there when it has been fetched, unless the layer was moved here without it").WithField("layer")
	}
	if store.CheckFileName(name) != nil {
		return nil, noSourceFile(l, name)
	}
	sources := s.c.Store.Sources()
	if name != l.Source.Name { // what is not listed is no file of the source, whatever a backend can open
		files, err := sources.Files(ctx, l.Source.ID)
		if err != nil && !errors.Is(err, store.ErrNotExist) {
			return nil, fmt.Errorf("list the source of layer %d: %w", l.ID, internal(err))
		}
		if !slices.Contains(files, name) {
			return nil, noSourceFile(l, name)
		}
	}
	f, err := sources.Open(ctx, l.Source.ID, name)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return nil, rasterbase.Errorf(rasterbase.NotFound, "the source of layer %d is gone", l.ID).
			WithHint("the layer was moved here without it, or it is being replaced").WithField("layer")
	case err != nil:
		return nil, fmt.Errorf("open the source of layer %d: %w", l.ID, internal(err))
	}
	return f, nil
}

func noSourceFile(l *rasterbase.Layer, name string) error {
	return rasterbase.Errorf(rasterbase.NotFound, "the source of layer %d has no file %.100q", l.ID, name).
		WithHint("layers/%d/source is %s", l.ID, l.Source.Name).WithField("file")
}

// withoutSource tells what a layer is made of that has no source.
func (s *Server) withoutSource(ctx context.Context, who rasterbase.Principal, l *rasterbase.Layer) error {
	var inputs []*rasterbase.Layer
	err := s.view(ctx, func(tx store.Tx) error {
		inputs = nil
		for _, in := range l.Formula.Inputs {
			of, err := tx.Layers().Get(ctx, in.Layer)
			if errors.Is(err, store.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			inputs = append(inputs, of)
		}
		return nil
	})
	if err != nil {
		return err
	}
	seen, err := s.visible(ctx, who, inputs)
	if err != nil {
		return err
	}
	if len(seen) < len(inputs) { // then it does not exist for the sender
		return rasterbase.Errorf(rasterbase.NotFound, "there is no layer %.200q", l.Slug).
			WithHint("/layers lists those that you may read").WithField("layer")
	}
	e := rasterbase.Errorf(rasterbase.NotFound, "layer %d has no source: it is made of the formula %s", l.ID, cut(l.Formula.Text, 200)).WithField("layer")
	if len(seen) > 0 {
		var texts []string
		for _, of := range seen {
			if text := fmt.Sprintf("layers/%d/source", of.ID); of.Formula == nil && !slices.Contains(texts, text) {
				texts = append(texts, text)
			}
		}
		e = e.WithHint("its values are at /export; what it is computed from is at %s", strings.Join(texts, ", "))
	}
	return e
}

// sourceTag is a strong ETag: a file of a source never changes.
func sourceTag(l *rasterbase.Layer, name string, size int64) string {
	if digits, ok := strings.CutPrefix(l.Source.Checksum, "sha256:"); ok && name == l.Source.Name {
		return `"` + digits + `"`
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %d", l.Source.ID, name, size))
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// mediaTypes are those of files that rasters come in. None is shown by a browser as
// a page, whatever was uploaded.
var mediaTypes = map[string]string{
	".tif": "image/tiff; application=geotiff", ".tiff": "image/tiff; application=geotiff",
	".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".jp2": "image/jp2", ".webp": "image/webp", ".gif": "image/gif",
	".zip": "application/zip", ".gz": "application/gzip", ".gpkg": "application/geopackage+sqlite3",
	".nc": "application/netcdf", ".h5": "application/x-hdf5", ".hdf": "application/x-hdf",
	".xml": "application/xml", ".json": "application/json",
	".asc": "text/plain; charset=utf-8", ".prj": "text/plain; charset=utf-8", ".hdr": "text/plain; charset=utf-8",
	".tfw": "text/plain; charset=utf-8", ".wld": "text/plain; charset=utf-8",
}

func mediaTypeOf(name string) string {
	return cmp.Or(mediaTypes[strings.ToLower(path.Ext(name))], "application/octet-stream")
}

// attachmentNamed is a Content-Disposition with a file's name, for old clients in ASCII
// and for others whole (RFC 6266, RFC 8187).
func attachmentNamed(name string) string {
	plain := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || strings.ContainsRune(`"\%`, c) {
			return '_'
		}
		return c
	}, name)
	out := `attachment; filename="` + plain + `"`
	if plain != name {
		// What PathEscape leaves as it is, and RFC 8187 does not.
		whole := strings.NewReplacer("'", "%27", "(", "%28", ")", "%29", "*", "%2A", ":", "%3A", "@", "%40", "=", "%3D", ",", "%2C", ";", "%3B").
			Replace(url.PathEscape(strings.ToValidUTF8(name, "_")))
		out += "; filename*=UTF-8''" + whole
	}
	return out
}

// noted remembers why reading failed.
type noted struct {
	io.ReadSeeker
	err error
}

func (n *noted) Read(p []byte) (int, error) {
	k, err := n.ReadSeeker.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return k, err
}

// unhurried lets an answer take as long as its client takes some of it in each while.
type unhurried struct {
	http.ResponseWriter
	control *http.ResponseController
	idle    time.Duration
}

// sendIdle is how long a client may take nothing of an answer that is sent piece by
// piece.
const sendIdle = time.Minute

func (w *unhurried) Write(p []byte) (int, error) {
	_ = w.control.SetWriteDeadline(time.Now().Add(w.idle)) // not all can
	return w.ResponseWriter.Write(p)
}
