package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/export/mbtiles"
	"github.com/rasterbase/rasterbase/export/pmtiles"
	"github.com/rasterbase/rasterbase/export/tileset"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

// tiles writes coloured map tiles, which a server in this process draws, so that they
// are the same as those over HTTP.
func (c *exportCmd) tiles(ctx context.Context, a *app, conf *config, st store.Store, source *exportSource, area exportArea, format string) (doc exportDoc, err error) {
	d := source.coverage.Describe()
	if !d.HasPyramid {
		return doc, rasterbase.Errorf(rasterbase.NotFound, "%s has no map tiles", d.Name).WithHint("import it again without --no-pyramid")
	}
	address, err := c.address(source)
	if err != nil {
		return doc, err
	}
	srv, err := server.New(server.Config{
		Store: st, Auth: operator{}, Transformer: gdal.Transformer{}, Log: a.commandLogger(conf), TileCache: -1, EmptyTile204: true,
	})
	if err != nil {
		return doc, err
	}
	set := tileset.Set{
		MinZoom: int(c.MinZoom), MaxZoom: d.MaxZoom, Bounds: d.Bounds, Format: strings.ToLower(c.Picture), Name: d.Name,
		Draw: func(ctx context.Context, z, x, y int) ([]byte, bool, error) {
			return drawTile(ctx, srv, address(z, x, y))
		},
	}
	if c.Zoom != nil {
		set.MaxZoom = int(*c.Zoom)
	}
	if l := source.layer; l != nil {
		set.Description, set.Attribution = l.Description, l.Attribution
	}
	if area.geometry != nil {
		if set.Bounds, err = boundsOf(ctx, area); err != nil {
			return doc, err
		}
	}
	p, err := tileset.NewPlan(set, int64(conf.ExportMaxTiles))
	if err != nil {
		return doc, err
	}
	bar := newExportProgress(a, filepath.Base(c.Output), p.Tiles, "tiles")
	defer bar.end()
	write := mbtiles.Write
	if format == "pmtiles" {
		write = pmtiles.Write
	}
	if err := write(ctx, c.Output, p, tileset.Options{Progress: func(done, _ int64) { bar.show(done) }}); err != nil {
		return doc, err
	}
	info, err := os.Stat(c.Output)
	if err != nil {
		return doc, err
	}
	return exportDoc{File: c.Output, Format: format, Bytes: info.Size(), Zoom: &set.MaxZoom, Tiles: p.Tiles}, nil
}

// address gives the address of a tile on the server.
func (c *exportCmd) address(source *exportSource) (func(z, x, y int) string, error) {
	q := url.Values{}
	if c.Legend != "" {
		q.Set("legend", c.Legend)
	}
	for _, p := range c.Param {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "%q is not a parameter and its value", p).
				WithHint("write NAME=VALUE").WithField("param")}
		}
		q.Add(name, value)
	}
	path := "/algebra"
	switch {
	case source.formula != "":
		q.Set("layers", source.parameter())
		q.Set("formula", source.formula)
		if c.Grid != "" {
			q.Set("grid", c.Grid)
		}
	default:
		path = fmt.Sprintf("/tiles/%d", source.layer.ID)
		switch {
		case c.Bands != "":
			q.Set("bidx", c.Bands)
		case source.listed:
			q.Set("bidx", strconv.Itoa(source.inputs[0].Band+1))
		}
	}
	rest := "." + strings.ToLower(c.Picture)
	if len(q) > 0 {
		rest += "?" + q.Encode()
	}
	return func(z, x, y int) string { return fmt.Sprintf("%s/%d/%d/%d%s", path, z, x, y, rest) }, nil
}

// drawTile asks the server for a tile.
func drawTile(ctx context.Context, h http.Handler, address string) (body []byte, empty bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, false, err
	}
	w := &answer{header: http.Header{}, status: http.StatusOK}
	h.ServeHTTP(w, r)
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if w.status >= 400 {
		return nil, false, w.problem()
	}
	return w.body.Bytes(), w.status == http.StatusNoContent, nil
}

// boundsOf is the box of an area in longitude and latitude.
func boundsOf(ctx context.Context, a exportArea) (b rasterbase.Bounds, err error) {
	box, ok := a.geometry.(orb.Bound)
	if !ok {
		box = a.geometry.Bound()
	}
	if a.srid == 4326 {
		return rasterbase.Bounds{West: box.Min[0], South: box.Min[1], East: box.Max[0], North: box.Max[1]}, nil
	}
	t, err := transformer().Between(rasterbase.CRS{SRID: a.srid}, rasterbase.CRS{SRID: 4326})
	if err != nil {
		return b, err
	}
	const n = 16 // places along a side: edges can be curved
	var at []crs.Point
	for i := range n + 1 {
		x, y := box.Min[0]+(box.Max[0]-box.Min[0])*float64(i)/n, box.Min[1]+(box.Max[1]-box.Min[1])*float64(i)/n
		at = append(at, crs.Point{X: x, Y: box.Min[1]}, crs.Point{X: x, Y: box.Max[1]}, crs.Point{X: box.Min[0], Y: y}, crs.Point{X: box.Max[0], Y: y})
	}
	if err := t.Apply(ctx, at); err != nil {
		return b, err
	}
	b = rasterbase.Bounds{West: 180, South: 90, East: -180, North: -90}
	for _, p := range at {
		if p.X-p.X == 0 && p.Y-p.Y == 0 {
			b.West, b.East, b.South, b.North = min(b.West, p.X), max(b.East, p.X), min(b.South, p.Y), max(b.North, p.Y)
		}
	}
	if b.West > b.East {
		return b, errors.New("the area has no place in longitude and latitude")
	}
	return b, nil
}
