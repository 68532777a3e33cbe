package server

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/render"
	"github.com/rasterbase/rasterbase/store"
)

// maxDrawnZoom is the deepest zoom whose pixel numbers fit in 63 bits at any
// tile size. A pixel is smaller than a micrometre there; tiles beyond it are
// answered transparent, without reading anything.
const maxDrawnZoom = 48

// tileAddress is a tile inside the grid. Beyond maxDrawnZoom x and y are not
// kept.
type tileAddress struct{ z, x, y int }

// parseTile reads z, x and y. Something other than whole numbers is invalid,
// and a place outside the 2^z by 2^z grid is not found.
func parseTile(z, x, y string) (tileAddress, error) {
	var t tileAddress
	zoom, err := wholeNumber("z", z, 9)
	if err != nil {
		return t, err
	}
	t.z = int(zoom.Int64())
	for _, c := range []struct {
		name, text string
		to         *int
	}{{"x", x, &t.x}, {"y", y, &t.y}} {
		n, err := wholeNumber(c.name, c.text, 100)
		if err != nil {
			return t, err
		}
		if n.BitLen() > t.z {
			return t, rasterbase.Errorf(rasterbase.NotFound, "%s %s is outside the grid: zoom %d has 2^%d tiles a side", c.name, c.text, t.z, t.z).WithField(c.name)
		}
		if t.z <= maxDrawnZoom {
			*c.to = int(n.Int64())
		}
	}
	return t, nil
}

// wholeNumber reads a number of digits only, at most so many.
func wholeNumber(name, s string, most int) (*big.Int, error) {
	bad := rasterbase.Errorf(rasterbase.Invalid, "%s is not a whole number: %.40q", name, s).
		WithHint("write tiles/{layer}/{z}/{x}/{y}.png").WithField(name)
	if s == "" || len(s) > most {
		return nil, bad
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return nil, bad
		}
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil, bad
	}
	return n, nil
}

// parseTilePath reads the address and the format from a tile's path.
func parseTilePath(z, x, file string) (tileAddress, render.Format, error) {
	y, ext, _ := strings.Cut(file, ".")
	t, err := parseTile(z, x, y)
	if err != nil {
		return t, "", err
	}
	f, err := render.ParseFormat(ext)
	if err != nil {
		return t, "", rasterbase.Errorf(rasterbase.Invalid, "there are no tiles of format %.20q", ext).
			WithHint("end the address in .png or .jpg").WithField("format")
	}
	return t, f, nil
}

// tile answers one map tile.
func (s *Server) tile(w http.ResponseWriter, r *http.Request) error {
	t, format, err := parseTilePath(r.PathValue("z"), r.PathValue("x"), r.PathValue("file"))
	if err != nil {
		return err
	}
	query := r.URL.Query()
	legendRef, err := drawingParameters(query)
	if err != nil {
		return err
	}
	for attempt := 0; ; attempt++ {
		l, err := s.resolve(r, r.PathValue("layer"), legendRef)
		if err != nil {
			return err
		}
		etag := tileTag(l, t, format)
		s.cacheHeaders(w, l, query.Get("v"))
		w.Header().Set("ETag", etag)
		if matches(r.Header.Get("If-None-Match"), etag) {
			w.WriteHeader(http.StatusNotModified)
			s.observeTile("client")
			return nil
		}
		body, from, err := s.encoded(r.Context(), etag, func(ctx context.Context) ([]byte, error) { return draw(ctx, l, t, format) })
		if errors.Is(err, store.ErrRevisionGone) && attempt == 0 {
			continue // a re-parse was published and the old tiles dropped meanwhile
		}
		if err != nil {
			return err
		}
		s.observeTile(from)
		w.Header().Set("Content-Type", format.ContentType())
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method != http.MethodHead {
			send(w, body)
		}
		return nil
	}
}

// encoded gives an encoded tile from the cache, or draws it once for all who
// ask at the same time. Only so many tiles are drawn at once, so that a burst
// of requests takes time and not memory. From is where it came from, in the words
// of [Observer].
func (s *Server) encoded(ctx context.Context, etag string, fn func(context.Context) ([]byte, error)) (body []byte, from string, err error) {
	if body, ok := s.tiles.get(etag); ok {
		return body, "cache", nil
	}
	var drawn atomic.Bool
	body, err = s.flights.do(ctx, etag, func(ctx context.Context) ([]byte, error) {
		select {
		case s.drawing <- struct{}{}:
			defer func() { <-s.drawing }()
		case <-ctx.Done(): // all who asked have left
			return nil, context.Cause(ctx)
		}
		drawn.Store(true)
		body, err := fn(ctx)
		if err == nil {
			s.tiles.put(etag, body)
		}
		return body, err
	})
	if drawn.Load() {
		return body, "drawn", err
	}
	return body, "shared", err
}

func (s *Server) observeTile(from string) {
	if s.c.Observer != nil {
		s.c.Observer.Tile(from)
	}
}

// draw reads a tile's pixels and encodes them in colour.
func draw(ctx context.Context, l *resolved, t tileAddress, f render.Format) ([]byte, error) {
	rev := l.cov.Revision()
	if !rev.HasPyramid {
		return nil, withoutPyramid(rev)
	}
	if t.z > maxDrawnZoom {
		return render.Tile(nothing(rev.TileSize), render.Options{Format: f, Colormap: &rasterbase.Colormap{}})
	}
	ts := rev.TileSize
	pixels, err := l.cov.Window(ctx, coverage.WindowRequest{
		Level: coverage.ZoomLevel(t.z), X: t.x * ts, Y: t.y * ts, Width: ts, Height: ts, Bands: l.style.bands,
	})
	if err != nil {
		return nil, fmt.Errorf("read tile %d/%d/%d of layer %d: %w", t.z, t.x, t.y, rev.Layer, internal(err))
	}
	body, err := render.Tile(pixels, l.style.options(f))
	if err != nil {
		return nil, fmt.Errorf("draw tile %d/%d/%d of layer %d: %w", t.z, t.x, t.y, rev.Layer, internal(err))
	}
	return body, nil
}

// nothing is a raster without a valid pixel.
func nothing(size int) *raster.Raster {
	out := raster.New(rasterbase.Grid{Width: size, Height: size, ScaleX: 1, ScaleY: -1}, 3857, rasterbase.Uint8)
	out.Validity = make([]uint8, size*size)
	return out
}

// tileTag is the ETag of a tile: everything that its bytes depend on.
func tileTag(l *resolved, t tileAddress, f render.Format) string {
	h := fnv.New128a()
	fmt.Fprintf(h, "%d|%s|%s|%d/%d/%d.%s", l.layer.ID, l.version, l.style.key, t.z, t.x, t.y, f)
	return fmt.Sprintf(`"%x"`, h.Sum(nil))
}

// matches reports whether an If-None-Match header names the tag, by the weak
// comparison of RFC 9110.
func matches(header, etag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.TrimPrefix(one, "W/") == etag {
			return header != ""
		}
	}
	return false
}

// cacheHeaders lets caches keep what is at an address with the current version
// and makes them ask each time otherwise. Private layers are not kept at all.
func (s *Server) cacheHeaders(w http.ResponseWriter, l *resolved, v string) {
	h := w.Header()
	switch {
	case l.layer.Visibility == rasterbase.Private:
		private(h)
	case v == l.version && s.c.CacheTimeout > 0:
		h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d, immutable", int(s.c.CacheTimeout.Seconds())))
	default:
		h.Set("Cache-Control", "no-cache")
	}
}

// private keeps an answer out of every cache.
func private(h http.Header) {
	const vary = "Authorization, Cookie"
	h.Set("Cache-Control", "private, no-store")
	if !slices.Contains(h.Values("Vary"), vary) {
		h.Add("Vary", vary)
	}
}
