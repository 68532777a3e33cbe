// Package tileset plans and draws a pyramid of map tiles for a file that holds all
// of them: what the packages mbtiles and pmtiles write.
//
//	plan, err := tileset.NewPlan(tileset.Set{MaxZoom: 12, Bounds: box, Format: "png", Draw: draw}, 1_000_000)
//	…
//	err = mbtiles.Write(ctx, "cover.mbtiles", plan, tileset.Options{})
//
// The package knows nothing of layers and colours: tiles come from a function.
package tileset

import (
	"context"
	"encoding/json"
	"math"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/xyz"
)

// Set is a pyramid of tiles of the XYZ grid and what is said of it.
type Set struct {
	MinZoom, MaxZoom int
	// Bounds is the box whose tiles are drawn, in longitude and latitude. West is
	// greater than East when it crosses the antimeridian. The zero value is the whole
	// world.
	Bounds rasterbase.Bounds
	// Draw makes a tile: its encoded picture, or that it is empty, which means that
	// nothing of it is to be seen. It is called by several goroutines at once; what it
	// returns is not changed.
	Draw func(ctx context.Context, z, x, y int) (body []byte, empty bool, err error)
	// Format is that of all pictures: png, jpg or webp.
	Format      string
	TileSize    int // pixels a side; 0: 256
	Name        string
	Description string
	Attribution string // HTML, as map libraries show it
	Version     string // of the content; empty: 1
	// Legend explains the colours: the legend's JSON as the server answers it; nil:
	// nothing does.
	Legend json.RawMessage
	// Center is where viewers begin; nil: the middle of the bounds, at the zoom at
	// which they fit in about one screen.
	Center *Center
}

// Center is a place and a zoom.
type Center struct {
	Lon, Lat float64
	Zoom     int
}

// Options say how a set is written.
type Options struct {
	// Workers is how many tiles are drawn at a time; 0: as many as there are cores.
	Workers int
	// Progress is told how many of Plan.Tiles are done, empty ones included, by one
	// goroutine at a time; nil: nobody is.
	Progress func(done, total int64)
	// TempDir is the folder for temporary files that do not become the file itself;
	// empty: that of the file.
	TempDir string
}

// Plan is a set that can be written, known before the work. It does not change.
type Plan struct {
	Set
	// Tiles is how many tiles meet the bounds. As many are drawn; empty ones are left
	// out of the file.
	Tiles int64

	boxes []xyz.Box // one, or two when the bounds cross the antimeridian
}

// NewPlan checks a set and counts its tiles. It fails with code invalid when
// something is not as it must be, and with code too large when there are more
// than maxTiles of them; 0 is no limit.
func NewPlan(s Set, maxTiles int64) (*Plan, error) {
	if s.Bounds == (rasterbase.Bounds{}) {
		s.Bounds = rasterbase.Bounds{West: -180, South: -xyz.MaxLatitude, East: 180, North: xyz.MaxLatitude}
	}
	if s.TileSize == 0 {
		s.TileSize = 256
	}
	if s.Version == "" {
		s.Version = "1"
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	p := &Plan{Set: s, boxes: boxes(s.Bounds)}
	for z := s.MinZoom; z <= s.MaxZoom; z++ {
		p.Tiles += p.count(z)
	}
	if p.Tiles == 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the box %s has no map tiles: they end at %.4f degrees north and south",
			written(s.Bounds), xyz.MaxLatitude).WithField("bbox")
	}
	if maxTiles > 0 && p.Tiles > maxTiles {
		return nil, p.tooMany(maxTiles)
	}
	if p.Center == nil {
		p.Center = p.middle()
	}
	return p, nil
}

func (s *Set) check() error {
	switch {
	case s.MinZoom < 0 || s.MaxZoom > xyz.MaxZoom:
		return rasterbase.Errorf(rasterbase.Invalid, "there are no zooms %d to %d: they go from 0 to %d", s.MinZoom, s.MaxZoom, xyz.MaxZoom).WithField("zoom")
	case s.MinZoom > s.MaxZoom:
		return rasterbase.Errorf(rasterbase.Invalid, "the smallest zoom, %d, is larger than the largest, %d", s.MinZoom, s.MaxZoom).WithField("zoom")
	case s.Format != "png" && s.Format != "jpg" && s.Format != "webp":
		return rasterbase.Errorf(rasterbase.Invalid, "tile sets have no pictures of the format %q", s.Format).
			WithField("format").WithHint("the formats are png, jpg and webp")
	case s.TileSize < 0:
		return rasterbase.Errorf(rasterbase.Invalid, "tiles have no %d pixels a side", s.TileSize).WithField("tilesize")
	case len(s.Legend) > 0 && !json.Valid(s.Legend):
		return rasterbase.Errorf(rasterbase.Invalid, "the legend is not JSON").WithField("legend")
	case s.Draw == nil:
		return rasterbase.Errorf(rasterbase.Invalid, "nothing draws the tiles")
	}
	b := s.Bounds
	for _, v := range []float64{b.West, b.South, b.East, b.North} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return rasterbase.Errorf(rasterbase.Invalid, "the box %s is not finite", written(b)).WithField("bbox")
		}
	}
	if b.South > b.North || b.South < -90 || b.North > 90 || math.Abs(b.West) > 180 || math.Abs(b.East) > 180 {
		return rasterbase.Errorf(rasterbase.Invalid, "%s is not a box in longitude and latitude", written(b)).
			WithField("bbox").WithHint("it is west,south,east,north in degrees; west is greater than east across the antimeridian")
	}
	return nil
}

// tooMany says how far the zooms could go.
func (p *Plan) tooMany(limit int64) error {
	err := rasterbase.Errorf(rasterbase.TooLarge, "the zooms %d to %d of this box have %d tiles, and at most %d are allowed in one file",
		p.MinZoom, p.MaxZoom, p.Tiles, limit).WithField("zoom")
	sum := int64(0)
	for z := p.MinZoom; z <= p.MaxZoom; z++ {
		n := p.count(z)
		if sum+n > limit {
			if z == p.MinZoom {
				break
			}
			return err.WithHint("up to zoom %d it has %d; or take a smaller box", z-1, sum)
		}
		sum += n
	}
	return err.WithHint("take a smaller box")
}

// middle is where a viewer begins that is not told otherwise: the zoom is the
// smallest whose tiles are about as wide as the bounds.
func (p *Plan) middle() *Center {
	west, east := p.Bounds.West, p.Bounds.East
	if west > east {
		east += 360
	}
	_, south := xyz.FromLonLat(0, max(p.Bounds.South, -xyz.MaxLatitude))
	_, north := xyz.FromLonLat(0, min(p.Bounds.North, xyz.MaxLatitude))
	lon := (west + east) / 2
	if lon > 180 {
		lon -= 360
	}
	_, lat := xyz.ToLonLat(0, (south+north)/2)
	size := max((east-west)/360, (north-south)/(2*xyz.HalfWorld))
	zoom := p.MaxZoom
	if size > 0 {
		zoom = int(math.Floor(math.Min(math.Log2(1/size), xyz.MaxZoom)))
	}
	const digits = 1e6 // a tenth of a metre
	return &Center{Lon: math.Round(lon*digits) / digits, Lat: math.Round(lat*digits) / digits, Zoom: max(p.MinZoom, min(p.MaxZoom, zoom))}
}

// Extent is the bounds as files say them that know no antimeridian: west is never
// greater than east, and bounds that cross it reach around the world; north and
// south end with the map.
func (p *Plan) Extent() rasterbase.Bounds {
	b := p.Bounds
	if b.West > b.East {
		b.West, b.East = -180, 180
	}
	b.South, b.North = max(b.South, -xyz.MaxLatitude), min(b.North, xyz.MaxLatitude)
	return b
}

// written is a box as people write it.
func written(b rasterbase.Bounds) string {
	f := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	return f(b.West) + "," + f(b.South) + "," + f(b.East) + "," + f(b.North)
}
