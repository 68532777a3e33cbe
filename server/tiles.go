package server

import (
	"context"
	"errors"
	"math"
	"math/big"
	"math/bits"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/render"
	"github.com/rasterbase/rasterbase/store"
)

// maxDrawnZoom is the deepest zoom whose pixel numbers fit in 63 bits at any
// tile size. A pixel is smaller than a micrometre there; tiles beyond it hold
// nothing, and are made without reading anything.
const maxDrawnZoom = 48

// tileAddress is a tile inside the grid. Beyond maxDrawnZoom x and y are not
// kept, but where the tile begins, as a share of the world from the west and from
// the north.
type tileAddress struct {
	z, x, y     int
	west, north float64
}

// parseTile reads z, x and y. Something other than whole numbers is invalid,
// and a place outside the 2^z by 2^z grid is not found.
func parseTile(z, x, y string) (tileAddress, error) {
	var t tileAddress
	if !isDigits(z) || len(z) > 9 {
		return t, noNumber("z", z)
	}
	t.z, _ = strconv.Atoi(z) // nine digits at most
	for _, c := range [...]struct {
		name, text string
		to         *int
		share      *float64
	}{{"x", x, &t.x, &t.west}, {"y", y, &t.y, &t.north}} {
		n, inside, err := wholeNumber(c.name, c.text, t.z)
		if err != nil {
			return t, err
		}
		if !inside {
			return t, rasterbase.Errorf(rasterbase.NotFound, "%s %s is outside the grid: zoom %d has 2^%d tiles a side", c.name, c.text, t.z, t.z).WithField(c.name)
		}
		if t.z <= maxDrawnZoom {
			*c.to = n
			continue
		}
		number, _ := strconv.ParseFloat(c.text, 64) // of digits alone
		*c.share = math.Ldexp(number, -t.z)
	}
	return t, nil
}

// wholeNumber reads a number of digits only, at most 100, and tells whether it is
// below 2^zoom. The number itself is given where an int holds it.
func wholeNumber(name, s string, zoom int) (n int, inside bool, err error) {
	if !isDigits(s) || len(s) > 100 {
		return 0, false, noNumber(name, s)
	}
	if digits := strings.TrimLeft(s, "0"); len(digits) <= 18 {
		n, _ = strconv.Atoi("0" + digits) // fits
		return n, bits.Len(uint(n)) <= zoom, nil
	}
	long, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return 0, false, noNumber(name, s)
	}
	return 0, long.BitLen() <= zoom, nil
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func noNumber(name, s string) error {
	return rasterbase.Errorf(rasterbase.Invalid, "%s is not a whole number from 0 on, or one of too many digits: %.40q", name, s).
		WithHint("write tiles/{layer}/{z}/{x}/{y}.png").WithField(name)
}

// tilePlace is what a tile's path says: where it is, in which format, and whether
// twice as many pixels a side are wanted.
type tilePlace struct {
	tileAddress
	format render.Format
	double bool
}

// parseTilePath reads a tile's path. The last part of it is y, @2x for twice the
// pixels, and the format.
func parseTilePath(z, x, file string) (p tilePlace, err error) {
	y, ext, _ := strings.Cut(file, ".")
	y, p.double = strings.CutSuffix(y, "@2x")
	if p.tileAddress, err = parseTile(z, x, y); err != nil {
		return p, err
	}
	if p.format, err = render.ParseFormat(ext); err != nil {
		return p, unknownFormat(ext)
	}
	return p, nil
}

func unknownFormat(ext string) error {
	return rasterbase.Errorf(rasterbase.Invalid, "there are no tiles of format %.20q", ext).
		WithHint("one of png, jpg, webp, tif").WithField("format")
}

// tile answers one map tile.
func (s *Server) tile(w http.ResponseWriter, r *http.Request) error {
	p, err := parseTilePath(r.PathValue("z"), r.PathValue("x"), r.PathValue("file"))
	if err != nil {
		return err
	}
	d, err := s.parametersOf(r, tileRoute)
	if err == nil {
		err = d.checkFormat(p.format)
	}
	if err != nil {
		return err
	}
	return s.resolvedTile(w, r, p, asked{layer: r.PathValue("layer"), drawing: d})
}

// resolvedTile answers a tile of a layer or a formula.
func (s *Server) resolvedTile(w http.ResponseWriter, r *http.Request, p tilePlace, a asked) error {
	d := a.drawing
	a.values = p.format == render.TIFF
	return s.answerTile(w, r, d.version, func(again bool) (sheet, error) {
		a.again = again
		l, err := s.resolve(r, a)
		if err != nil {
			return sheet{}, err
		}
		size := d.size(l.rev.TileSize, p.double)
		return sheet{
			etag: tileTag(l.style.tag, p, size), version: l.style.version, private: l.hidden, format: p.format, size: size,
			computes: l.formula != nil,
			draw:     func(ctx context.Context) (picture, error) { return s.draw(ctx, l, d, p, size) },
		}, nil
	})
}

// sheet is a tile that can be drawn.
type sheet struct {
	etag    string // names everything that its bytes depend on
	version string // v= of addresses of now
	private bool
	format  render.Format
	size    int
	// computes says that drawing it is work that each client gets so much of.
	computes bool
	draw     func(context.Context) (picture, error)
}

// picture is a tile that was drawn.
type picture struct {
	body        []byte
	aggregation string // JSON of the pixels of each entry; empty: not asked for
	empty       bool   // has no valid pixel
}

// pictureCost is the memory that a cached tile takes, its key and place included.
func pictureCost(etag string, p picture) int64 {
	return int64(len(etag) + len(p.body) + len(p.aggregation) + 240)
}

// answerTile answers with a tile, from a cache or drawn now. It is prepared again
// when a re-parse was published and the old tiles were dropped meanwhile.
func (s *Server) answerTile(w http.ResponseWriter, r *http.Request, version string, prepare func(again bool) (sheet, error)) error {
	for attempt := 0; ; attempt++ {
		t, err := prepare(attempt > 0)
		if errors.Is(err, store.ErrRevisionGone) && attempt == 0 {
			continue
		}
		if err != nil {
			return err
		}
		s.cacheHeaders(w, t, version)
		w.Header().Set("ETag", t.etag)
		if matches(r.Header.Get("If-None-Match"), t.etag) {
			w.WriteHeader(http.StatusNotModified)
			s.observeTile("client")
			return nil
		}
		p, from, err := s.admitted(r, t)
		if errors.Is(err, store.ErrRevisionGone) && attempt == 0 {
			continue
		}
		if err != nil {
			return err
		}
		s.observeTile(from)
		s.sendPicture(w, r, t, p)
		return nil
	}
}

// admitted gives an encoded tile; one that has to be computed waits for the client's
// turn.
func (s *Server) admitted(r *http.Request, t sheet) (p picture, from string, err error) {
	if p, ok := s.tiles.get(t.etag); ok {
		return p, "cache", nil
	}
	if t.computes {
		release, err := s.admitWork(r)
		if err != nil {
			return p, "", err
		}
		defer release()
	}
	return s.encoded(r.Context(), t.etag, t.draw)
}

func (s *Server) sendPicture(w http.ResponseWriter, r *http.Request, t sheet, p picture) {
	h := w.Header()
	if p.aggregation != "" {
		h.Set("Aggregation", p.aggregation)
	}
	if p.empty && s.c.EmptyTile204 {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	h.Set("Content-Type", t.format.ContentType())
	h.Set("Content-Length", strconv.Itoa(len(p.body)))
	if r.Method != http.MethodHead {
		send(w, p.body)
	}
}

// encoded gives an encoded tile from the cache, or draws it once for all who
// ask at the same time. Only so many tiles are drawn at once, so that a burst
// of requests takes time and not memory. From is where it came from, in the words
// of [Observer].
func (s *Server) encoded(ctx context.Context, etag string, draw func(context.Context) (picture, error)) (p picture, from string, err error) {
	if p, ok := s.tiles.get(etag); ok {
		return p, "cache", nil
	}
	var drawn atomic.Bool
	p, err = s.flights.do(ctx, etag, func(ctx context.Context) (picture, error) {
		select {
		case s.drawing <- struct{}{}:
			defer func() { <-s.drawing }()
		case <-ctx.Done(): // all who asked have left
			return picture{}, context.Cause(ctx)
		}
		drawn.Store(true)
		p, err := draw(ctx)
		if err == nil {
			s.tiles.put(etag, p)
		}
		return p, err
	})
	switch {
	case !drawn.Load():
		return p, "shared", err
	case p.empty:
		return p, "empty", err
	}
	return p, "drawn", err
}

func (s *Server) observeTile(from string) {
	s.origins.add(from)
	if s.c.Observer != nil {
		s.c.Observer.Tile(from)
	}
}

// tileTag is the ETag of a tile: a style, or several, and what else its bytes
// depend on, in the characters that a tag may have.
func tileTag(tag string, p tilePlace, size int) string {
	b := make([]byte, 0, 96)
	b = append(b, '"')
	b = append(b, tag...)
	for _, n := range [...]int{p.z, p.x, p.y, size} {
		b = append(b, '-')
		b = strconv.AppendInt(b, int64(n), 10)
	}
	if p.z > maxDrawnZoom {
		for _, share := range [...]float64{p.west, p.north} {
			b = append(b, '-')
			b = strconv.AppendUint(b, math.Float64bits(share), 36)
		}
	}
	b = append(b, '.')
	b = append(b, p.format...)
	return string(append(b, '"'))
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
// and makes them ask each time otherwise. What is private is not kept at all.
func (s *Server) cacheHeaders(w http.ResponseWriter, t sheet, version string) {
	h := w.Header()
	switch current := version == t.version; {
	case t.private:
		private(h)
	case s.c.CacheTimeout > 0 && current:
		h.Set("Cache-Control", s.cacheControl+", immutable")
	case s.c.CacheTimeout > 0 && s.c.NoRevalidate:
		h.Set("Cache-Control", s.cacheControl)
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
