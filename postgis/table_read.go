package postgis

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// tableFetchBytes is how many bytes of pixels one statement fetches, at least
// one tile, and tableCacheBytes how many stay for the next window.
const (
	tableFetchBytes = 32 << 20
	tableCacheBytes = 64 << 20
)

// Read reads a window of the grid, which may reach beyond it. Invalid pixels
// hold the bands' nodata, or NaN in floats without one; for whole numbers
// without nodata Validity says which pixels are, nil when all are valid.
//
// Reading windows row by row from the left reads few tiles twice.
func (t *Table) Read(ctx context.Context, w raster.Rect) (*raster.Raster, error) {
	if w.Width <= 0 || w.Height <= 0 || w.Width > maxWindow || w.Height > maxWindow {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a window of %d x %d pixels cannot be read", w.Width, w.Height)
	}
	out := t.empty(w)
	var batch []tableTile
	bytes := 0
	for _, tile := range t.nearRows(w.Y, w.Y+w.Height) {
		if tile.rect().Intersect(w) == (raster.Rect{}) {
			continue
		}
		size := t.pixelBytes(int(tile.w) * int(tile.h))
		if len(batch) > 0 && bytes+size > tableFetchBytes {
			if err := t.paint(ctx, out, w, batch); err != nil {
				return nil, t.readError(err)
			}
			batch, bytes = batch[:0], 0
		}
		batch, bytes = append(batch, tile), bytes+size
	}
	if err := t.paint(ctx, out, w, batch); err != nil {
		return nil, t.readError(err)
	}
	if out.Validity != nil && !slices.Contains(out.Validity, 0) {
		out.Validity = nil
	}
	return out, nil
}

// nearRows are the tiles that touch rows of pixels. They stay for the next window
// of the same rows.
func (t *Table) nearRows(from, to int) []tableTile {
	if t.near == nil || t.nearFrom != from || t.nearTo != to {
		t.near, t.nearFrom, t.nearTo = []tableTile{}, from, to
		for _, tile := range t.tiles {
			if int(tile.y) < to && int(tile.y)+int(tile.h) > from {
				t.near = append(t.near, tile)
			}
		}
	}
	return t.near
}

// maxWindow is the longest side of a window.
const maxWindow = 1 << 15

func (t *Table) pixelBytes(pixels int) (n int) {
	for _, b := range t.Bands {
		n += pixels * b.Type.Size()
	}
	return n
}

// empty is a window of invalid pixels.
func (t *Table) empty(w raster.Rect) *raster.Raster {
	g := t.Grid
	g.OriginX, g.OriginY = t.Grid.World(float64(w.X), float64(w.Y))
	g.Width, g.Height = w.Width, w.Height
	return raster.NewInvalid(g, t.CRS.SRID, t.Bands...)
}

// paint fetches tiles and copies what they and a window have in common.
func (t *Table) paint(ctx context.Context, out *raster.Raster, w raster.Rect, tiles []tableTile) error {
	got, err := t.fetch(ctx, tiles)
	if err != nil {
		return err
	}
	for i, tile := range tiles {
		r := got[i]
		if r == nil {
			return fmt.Errorf("the row at %s is gone", tile.tid())
		}
		at := tile.rect()
		for k := range t.Bands {
			src := &r.Bands[k]
			if t.regular && sameNodata(src, &t.Bands[k]) {
				raster.CopyRect(out.Bands[k].Pixels.Bytes(), w, src.Pixels.Bytes(), at, src.Type.Size())
			} else {
				copyValid(out.Bands[k].Pixels, w, src, at)
			}
		}
		if out.Validity != nil {
			markValid(out.Validity, w, r, at)
		}
	}
	return nil
}

func sameNodata(a, b *raster.Band) bool {
	return a.HasNodata == b.HasNodata && (!a.HasNodata || a.Nodata == b.Nodata || math.IsNaN(a.Nodata) && math.IsNaN(b.Nodata))
}

// copyValid copies the valid pixels that a window and a tile have in common.
func copyValid(out raster.Pixels, w raster.Rect, src *raster.Band, at raster.Rect) {
	eachShared(w, at, func(to, from int) {
		if v := src.Pixels.At(from); src.IsData(v) {
			out.Set(to, v)
		}
	})
}

// markValid marks the pixels that are valid in all bands of a tile.
func markValid(validity []uint8, w raster.Rect, r *raster.Raster, at raster.Rect) {
	eachShared(w, at, func(to, from int) {
		for k := range r.Bands {
			if !r.Valid(k, from) {
				return
			}
		}
		validity[to] = 255
	})
}

// eachShared calls fn for each pixel that two rectangles have in common, with
// its place in each.
func eachShared(w, at raster.Rect, fn func(to, from int)) {
	part := w.Intersect(at)
	for y := part.Y; y < part.Y+part.Height; y++ {
		to, from := (y-w.Y)*w.Width+part.X-w.X, (y-at.Y)*at.Width+part.X-at.X
		for i := range part.Width {
			fn(to+i, from+i)
		}
	}
}

// fetch reads tiles, in the bands that were asked for. Those that were read for
// the window before are taken from there.
func (t *Table) fetch(ctx context.Context, tiles []tableTile) ([]*raster.Raster, error) {
	out := make([]*raster.Raster, len(tiles))
	at := map[string]int{}
	var tids []string
	for i, tile := range tiles {
		if out[i] = t.kept[tile.tid()]; out[i] == nil {
			at[tile.tid()] = i
			tids = append(tids, tile.tid())
		}
	}
	if len(tids) == 0 {
		return out, nil
	}
	value := t.column + "::bytea"
	if t.outside {
		value = t.raster + ".ST_AsBinary(" + t.column + ", true)"
	}
	rows, err := t.tx.Query(ctx, `SELECT t.ctid::text, `+value+` FROM ONLY `+t.name+` t WHERE t.ctid = ANY ($1::text[]::tid[])`, tids)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var tid string
		var wkb []byte
		if err := rows.Scan(&tid, &wkb); err != nil {
			return nil, err
		}
		r, err := raster.ParseWKB(wkb)
		if err != nil {
			return nil, fmt.Errorf("the raster of the row at %s: %w", tid, err)
		}
		if out[at[tid]], err = t.choose(r); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	t.keep(tiles, out)
	return out, nil
}

// choose leaves the bands that were asked for.
func (t *Table) choose(r *raster.Raster) (*raster.Raster, error) {
	if t.ref.Bands == nil {
		return r, nil
	}
	c := *r
	c.Bands = nil
	for _, n := range t.ref.Bands {
		if n > len(r.Bands) {
			return nil, fmt.Errorf("band %d is gone", n)
		}
		c.Bands = append(c.Bands, r.Bands[n-1])
	}
	return &c, nil
}

// keep remembers the tiles that were read last, as far as they are few bytes.
func (t *Table) keep(tiles []tableTile, got []*raster.Raster) {
	for i, tile := range tiles {
		if got[i] == nil || t.kept[tile.tid()] != nil {
			continue
		}
		size := t.pixelBytes(int(tile.w) * int(tile.h))
		if t.keptBytes+size > tableCacheBytes {
			t.kept, t.keptBytes = nil, 0
		}
		if t.kept == nil {
			t.kept = map[string]*raster.Raster{}
		}
		t.kept[tile.tid()], t.keptBytes = got[i], t.keptBytes+size
	}
}
