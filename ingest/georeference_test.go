//go:build cgo && !nogdal

package ingest_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/xyz"
)

var lonLat = rasterbase.CRS{SRID: 4326}

// customWKT is a CRS without an EPSG code.
func customWKT(latitude float64) string {
	return fmt.Sprintf(`PROJCS["somewhere",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],`+
		`PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Lambert_Azimuthal_Equal_Area"],`+
		`PARAMETER["latitude_of_center",%g],PARAMETER["longitude_of_center",11.3],PARAMETER["false_easting",0],`+
		`PARAMETER["false_northing",0],UNIT["metre",1]]`, latitude)
}

// placed is a raster whose every pixel has a value of its own: row times width
// plus column.
func placed(g rasterbase.Grid, srid int) geotiff {
	return geotiff{grid: g, srid: srid, kind: rasterbase.Int32, value: func(_, col, row int) float64 { return float64(row*g.Width + col) }}
}

func skewed(g rasterbase.Grid, degrees float64) rasterbase.Grid {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	g.ScaleX, g.SkewX, g.SkewY, g.ScaleY = g.ScaleX*cos, -g.ScaleY*sin, g.ScaleX*sin, g.ScaleY*cos
	return g
}

// translated passes a file through gdal_translate.
func translated(t *testing.T, path string, args ...string) string {
	out := filepath.Join(t.TempDir(), "translated.tif")
	gdalTool(t, "gdal_translate", append(append([]string{"-q"}, args...), path, out)...)
	return out
}

func TestGeoreference(t *testing.T) {
	utm := grid(600_000, 5_600_000, 100, 150, 120)
	southUp := utm
	southUp.ScaleY = -southUp.ScaleY
	nonSquare := utm
	nonSquare.ScaleX *= 3
	custom := placed(grid(-7500, 6000, 100, 150, 120), 0)
	custom.wkt = customWKT(46.2)
	tests := []struct {
		name     string
		f        geotiff
		args     []string // of gdal_translate
		settings rasterbase.Settings
		crossing bool // of the antimeridian
	}{
		{name: "north-up", f: placed(utm, 32632)},
		{name: "south-up", f: placed(southUp, 32632)},
		{name: "rotated", f: placed(skewed(utm, 30), 32632)},
		{name: "sheared", f: placed(rasterbase.Grid{OriginX: 600_000, OriginY: 5_600_000, ScaleX: 100, SkewX: 40, SkewY: -20, ScaleY: -90, Width: 150, Height: 120}, 32632)},
		{name: "pixel is point", f: placed(utm, 32632), args: []string{"-mo", "AREA_OR_POINT=Point"}},
		{name: "non-square pixels", f: placed(nonSquare, 32632)},
		{name: "no EPSG code", f: custom},
		{name: "srid given", f: placed(utm, 0), settings: rasterbase.Settings{SRID: 32632}},
		{name: "UTM across the antimeridian", f: placed(grid(770_000, 8_120_000, 500, 200, 120), 32760), crossing: true},
		{name: "170 to 190 degrees", f: placed(grid(170, 10, 0.1, 200, 150), 4326), crossing: true},
		{name: "-190 to -170 degrees", f: placed(grid(-190, 10, 0.1, 200, 150), 4326), crossing: true},
		{name: "0 to 360 degrees", f: placed(grid(0, 90, 1, 360, 180), 4326)},
		{name: "the whole world", f: placed(grid(-180, 90, 1, 360, 180), 4326)},
		{name: "pixels around the world's edge", f: placed(grid(-180.5, 90.5, 1, 361, 181), 4326)},
		{name: "south pole", f: placed(grid(-3_000_000, 3_000_000, 30_000, 200, 200), 3031)},
		{name: "north pole", f: placed(skewed(grid(-2_000_000, 1_000_000, 30_000, 150, 130), 10), 3413)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := tt.f.write(t)
			if tt.args != nil {
				path = translated(t, path, tt.args...)
			}
			tt.settings.Datatype, tt.settings.TileSize = rasterbase.Categorical, 64
			c := imported(t, open(t), ingest.Request{Source: path, Settings: tt.settings})
			if c.Revision().Grid != tt.f.grid {
				t.Errorf("the grid is %+v, want %+v", c.Revision().Grid, tt.f.grid)
			}
			if b := c.Revision().Bounds; (b.West > b.East) != tt.crossing {
				t.Errorf("the bounds are %+v", b)
			}
			lookUpPixels(t, c, func(col, row int) float64 { return tt.f.value(0, col, row) })
		})
	}
}

// lookUpPixels looks random pixels up by longitude and latitude, in the base
// grid and at the max zoom.
func lookUpPixels(t *testing.T, c *coverage.Layer, value func(col, row int) float64) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	rev := c.Revision()
	g := rev.Grid
	shown := 0
	for range 150 {
		col, row := r.IntN(g.Width), r.IntN(g.Height)
		p := []crs.Point{{}}
		p[0].X, p[0].Y = g.World(float64(col)+0.5, float64(row)+0.5)
		if rev.CRS.Geographic() && math.Abs(p[0].Y) > 90 {
			continue
		}
		transform(t, rev.CRS, lonLat, p)
		at := func(l coverage.Level) coverage.Pixel {
			px, err := coverage.At(t.Context(), c, coverage.PointRequest{Point: p[0], CRS: lonLat, Level: l, Transformer: gdal.Transformer{}})
			if err != nil {
				t.Fatal(err)
			}
			return px
		}
		px := at(coverage.BaseLevel)
		if !px.Inside || len(px.Values) != 1 || !px.Values[0].Valid || px.Values[0].Value != value(px.Col, px.Row) {
			t.Fatalf("pixel %d,%d at %v: found %+v", col, row, p[0], px)
		}
		if px.Col != col && math.Abs(float64(px.Col-col)*g.ScaleX) != 360 || px.Row != row {
			t.Fatalf("pixel %d,%d at %v is found at %d,%d", col, row, p[0], px.Col, px.Row)
		}
		if math.Abs(p[0].Y) > 85 {
			continue
		}
		if !within(rev.Bounds, p[0]) {
			t.Fatalf("pixel %d,%d at %v is outside the bounds %+v", col, row, p[0], rev.Bounds)
		}
		px = at(coverage.ZoomLevel(rev.MaxZoom))
		off := allowed(t, rev, col, row)
		if !px.Values[0].Valid {
			// At the rim the zoom's pixel may have its centre outside.
			if col >= off && row >= off && col < g.Width-off && row < g.Height-off {
				t.Fatalf("pixel %d,%d at %v is not valid at the max zoom", col, row, p[0])
			}
			continue
		}
		shown++
		v := int(px.Values[0].Value)
		dc, dr := v%g.Width-col, v/g.Width-row
		if turn := 360 / g.ScaleX; rev.CRS.Geographic() {
			dc -= int(math.Round(float64(dc)/turn) * turn)
		}
		if max(dc, -dc) > off || max(dr, -dr) > off {
			t.Fatalf("pixel %d,%d at %v: the max zoom shows one that is %d,%d away, more than %d", col, row, p[0], dc, dr, off)
		}
	}
	if shown < 50 {
		t.Errorf("only %d places could be compared at the max zoom", shown)
	}
}

func transform(t testing.TB, from, to rasterbase.CRS, p []crs.Point) {
	t.Helper()
	tr, err := gdal.Transformer{}.Between(from, to)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
}

// allowed is how many source pixels the max zoom may be off at a pixel: one
// where its own pixel is at most as large as the source's.
func allowed(t *testing.T, rev *rasterbase.Revision, col, row int) int {
	t.Helper()
	p := make([]crs.Point, 3)
	for i, d := range [][2]float64{{0.5, 0.5}, {0.51, 0.5}, {0.5, 0.51}} {
		p[i].X, p[i].Y = rev.Grid.World(float64(col)+d[0], float64(row)+d[1])
	}
	transform(t, rev.CRS, rasterbase.CRS{SRID: 3857}, p)
	side := func(q crs.Point) float64 {
		return 100 * math.Hypot(math.Remainder(q.X-p[0].X, 2*xyz.HalfWorld), q.Y-p[0].Y)
	}
	ratio := xyz.Resolution(rev.MaxZoom, rev.TileSize) / min(side(p[1]), side(p[2]))
	return max(1, int(0.5+0.75*ratio))
}

func within(b rasterbase.Bounds, p crs.Point) bool {
	const tiny = 1e-9
	if p.Y < b.South-tiny || p.Y > b.North+tiny {
		return false
	}
	x := p.X - 360*math.Round(p.X/360)
	if b.West > b.East {
		return x >= b.West-tiny || x <= b.East+tiny
	}
	for _, turn := range []float64{-360, 0, 360} {
		if x+turn >= b.West-tiny && x+turn <= b.East+tiny {
			return true
		}
	}
	return false
}

func TestBounds(t *testing.T) {
	tests := []struct {
		name string
		g    rasterbase.Grid
		srid int
		want rasterbase.Bounds
	}{
		{"a box of degrees", grid(8, 51, 0.01, 300, 200), 4326, rasterbase.Bounds{West: 8, South: 49, East: 11, North: 51}},
		{"across the antimeridian", grid(170, 10, 0.1, 200, 150), 4326, rasterbase.Bounds{West: 170, South: -5, East: -170, North: 10}},
		{"0 to 360", grid(0, 60, 1, 360, 120), 4326, rasterbase.Bounds{West: -180, South: -60, East: 180, North: 60}},
		{"the whole world", grid(-180, 90, 1, 360, 180), 4326, rasterbase.Bounds{West: -180, South: -xyz.MaxLatitude, East: 180, North: xyz.MaxLatitude}},
		{"web mercator", grid(0, 1_000_000, 1000, 500, 1000), 3857, rasterbase.Bounds{West: 0, South: 0, East: 500_000 / (math.Pi / 180 * xyz.Radius), North: 8.946573850543414}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan, err := parser(t, open(t), gdal.Opener{}).Plan(t.Context(), ingest.Request{Source: placed(tt.g, tt.srid).write(t)})
			if err != nil {
				t.Fatal(err)
			}
			for i, d := range []float64{plan.Bounds.West - tt.want.West, plan.Bounds.South - tt.want.South, plan.Bounds.East - tt.want.East, plan.Bounds.North - tt.want.North} {
				if math.Abs(d) > 1e-6 {
					t.Errorf("side %d is off by %v degrees: %+v, want %+v", i, d, plan.Bounds, tt.want)
				}
			}
		})
	}
}

// A file with ground control points only is warped to the grid that GDAL
// suggests, in which its pixels are where the points say.
func TestGroundControlPoints(t *testing.T) {
	f := placed(grid(0, 0, 1, 200, 150), 0)
	f.grid.ScaleY = 1
	truth := skewed(grid(600_000, 5_600_000, 100, 200, 150), 20)
	args := []string{"-a_srs", "EPSG:32632"}
	for _, c := range [][2]float64{{0, 0}, {200, 0}, {0, 150}, {200, 150}, {100, 75}} {
		x, y := truth.World(c[0], c[1])
		args = append(args, "-gcp", fmt.Sprint(c[0]), fmt.Sprint(c[1]), strconv.FormatFloat(x, 'f', 3, 64), strconv.FormatFloat(y, 'f', 3, 64))
	}
	path := translated(t, f.write(t), args...)
	c := imported(t, open(t), ingest.Request{Source: path, Settings: rasterbase.Settings{Datatype: rasterbase.Categorical, TileSize: 64}})
	baseIsTheFile(t, c, path)
	found := 0
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		col, row := 2+r.IntN(196), 2+r.IntN(146)
		x, y := truth.World(float64(col)+0.5, float64(row)+0.5)
		px, err := coverage.At(t.Context(), c, coverage.PointRequest{Point: crs.Point{X: x, Y: y}, CRS: rasterbase.CRS{SRID: 32632}, Transformer: gdal.Transformer{}})
		if err != nil {
			t.Fatal(err)
		}
		if !px.Inside || !px.Values[0].Valid {
			continue
		}
		found++
		v := int(px.Values[0].Value)
		if dc, dr := v%200-col, v/200-row; max(dc, -dc, dr, -dr) > 1 {
			t.Fatalf("pixel %d,%d is shown %d,%d away", col, row, dc, dr)
		}
	}
	if found < 190 {
		t.Errorf("only %d of 200 pixels were found", found)
	}
}

func TestMissingCRSIsRefusedWithTheWayOut(t *testing.T) {
	st := open(t)
	_, err := parser(t, st, gdal.Opener{}).Import(t.Context(), ingest.Request{Source: placed(grid(0, 0, 1, 20, 20), 0).write(t)}, nil)
	if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "--srid") {
		t.Errorf("the error is %v", err)
	}
	nothingStored(t, st)
}

func TestCustomCRSKeepsItsSRID(t *testing.T) {
	st := open(t)
	srids := map[int]float64{}
	for _, latitude := range []float64{46.2, 46.2, 50} {
		f := placed(grid(-750, 600, 100, 15, 12), 0)
		f.wkt = customWKT(latitude)
		got := imported(t, st, ingest.Request{Source: f.write(t)}).Revision().CRS
		if got.SRID < rasterbase.FirstCustomSRID || got.WKT == "" {
			t.Fatalf("the CRS is %+v", got)
		}
		if of, ok := srids[got.SRID]; ok && of != latitude {
			t.Errorf("srid %d was given twice", got.SRID)
		}
		srids[got.SRID] = latitude
	}
	if len(srids) != 2 {
		t.Errorf("two CRSs have the srids %v", srids)
	}
}

func TestMaxZoom(t *testing.T) {
	of := func(z int, factor float64) rasterbase.Grid {
		return grid(0, 6_000_000, xyz.Resolution(z, 256)*factor, 200, 200)
	}
	tests := []struct {
		name     string
		g        rasterbase.Grid
		srid     int
		settings rasterbase.Settings
		want     int
	}{
		{"exact", of(11, 1), 3857, rasterbase.Settings{}, 11},
		{"a little smaller counts as equal", of(11, 1-5e-7), 3857, rasterbase.Settings{}, 11},
		{"smaller", of(11, 1-1e-5), 3857, rasterbase.Settings{}, 12},
		{"larger", of(11, 1+1e-5), 3857, rasterbase.Settings{}, 11},
		{"nearly twice", of(11, 1.99), 3857, rasterbase.Settings{}, 11},
		{"next lower, exact", of(11, 1), 3857, rasterbase.Settings{NextLower: true}, 11},
		{"next lower, a little larger counts as equal", of(11, 1+5e-7), 3857, rasterbase.Settings{NextLower: true}, 11},
		{"next lower, larger", of(11, 1+1e-5), 3857, rasterbase.Settings{NextLower: true}, 10},
		{"next lower, smaller", of(11, 1-1e-5), 3857, rasterbase.Settings{NextLower: true}, 11},
		{"manual", of(11, 1), 3857, rasterbase.Settings{MaxZoom: intPtr(5)}, 5},
		{"manual beyond", of(11, 1), 3857, rasterbase.Settings{MaxZoom: intPtr(12)}, 12},
		{"larger tiles", of(11, 1), 3857, rasterbase.Settings{TileSize: 512}, 10},
		// 10 m at 50.5 degrees are 10/cos = 15.7 m of web mercator; zoom 14 has 9.55 m.
		{"UTM", grid(600_000, 5_600_000, 10, 200, 200), 32632, rasterbase.Settings{}, 14},
		{"UTM, next lower", grid(600_000, 5_600_000, 10, 200, 200), 32632, rasterbase.Settings{NextLower: true}, 13},
		// 1 degree is 111,319 m at the equator; zoom 1 has 78,271 m.
		{"the whole world", grid(-180, 90, 1, 360, 180), 4326, rasterbase.Settings{}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			plan, err := parser(t, open(t), gdal.Opener{}).Plan(t.Context(), ingest.Request{Source: placed(tt.g, tt.srid).write(t), Settings: tt.settings})
			if err != nil {
				t.Fatal(err)
			}
			if plan.MaxZoom != tt.want {
				t.Errorf("max zoom %d, want %d", plan.MaxZoom, tt.want)
			}
		})
	}
	for _, z := range []int{-1, 31} {
		_, err := parser(t, open(t), gdal.Opener{}).Plan(t.Context(), ingest.Request{Source: placed(of(11, 1), 3857).write(t), Settings: rasterbase.Settings{MaxZoom: &z}})
		if rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("max zoom %d: the error is %v", z, err)
		}
	}
}
