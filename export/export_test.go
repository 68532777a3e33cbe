package export_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/paulmach/orb"
	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/export"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

func openStore(t testing.TB) store.Store {
	t.Helper()
	st, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func addLayer(t testing.TB, st store.Store, s testlayer.Spec) *coverage.Layer {
	t.Helper()
	ctx := context.Background()
	l, err := testlayer.Add(ctx, st, s)
	if err != nil {
		t.Fatal(err)
	}
	c, err := coverage.OpenLayer(ctx, st, l.ID)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// exported is a request, the file that came of it, and what it must hold.
type exported struct {
	name string
	cov  coverage.Coverage
	r    export.Request
	plan *export.Plan
	path string
}

// save makes a file in a folder, and sees to it that nothing else is left there.
func (e *exported) save(t testing.TB, dir string) {
	t.Helper()
	ctx := context.Background()
	var err error
	if e.plan, err = export.NewPlan(ctx, e.cov, e.r); err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	temp := t.TempDir()
	done := int64(0)
	f, err := e.plan.Make(ctx, export.Options{TempDir: temp, Workers: 2, Progress: func(n int64) { done = n }, Recompress: recompress})
	if err != nil {
		t.Fatalf("%s: %v", e.name, err)
	}
	if done != e.plan.Pixels {
		t.Errorf("%s: %d of %d pixels are done", e.name, done, e.plan.Pixels)
	}
	e.path = filepath.Join(dir, strconv.Itoa(len(entries(t, dir)))+".tif")
	w, err := os.Create(e.path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if n, err := f.WriteTo(w); err != nil || n != f.Size() {
		t.Fatalf("%s: wrote %d of %d bytes: %v", e.name, n, f.Size(), err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left := entries(t, temp); len(left) > 0 {
		t.Errorf("%s: %v are left", e.name, left)
	}
}

func entries(t testing.TB, dir string) []os.DirEntry {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// pixels is one band of one size: values and which of them are valid.
type pixels struct {
	width, height int
	values        []float64
	valid         []bool
}

// want is what the coverage holds of the plan's rectangle.
func (e *exported) want(t testing.TB) (bands []pixels) {
	t.Helper()
	p := e.plan
	w, err := e.cov.Window(context.Background(), coverage.WindowRequest{
		Level: p.Level, X: p.Rect.X, Y: p.Rect.Y, Width: p.Rect.Width, Height: p.Rect.Height, Bands: e.r.Bands,
	})
	if err != nil {
		t.Fatal(err)
	}
	inside := func(x, y int) bool { return true }
	if p.Masked {
		inside = func(x, y int) bool { return insidePolygon(e.r.Area, p.Grid, x, y) }
	}
	for b := range w.Bands {
		px := pixels{width: w.Width, height: w.Height}
		for i := range w.Width * w.Height {
			px.values = append(px.values, w.Bands[b].Pixels.At(i))
			px.valid = append(px.valid, w.Valid(b, i) && inside(i%w.Width, i/w.Width))
		}
		bands = append(bands, px)
	}
	return bands
}

// insidePolygon counts the edges that a ray from a pixel's centre to the right
// crosses. The polygon is in the CRS of the grid, which is north up.
func insidePolygon(g orb.Geometry, grid rasterbase.Grid, x, y int) bool {
	in := false
	cx, cy := float64(x)+0.5, float64(y)+0.5
	for _, ring := range g.(orb.Polygon) {
		for i := range ring {
			ax, ay := grid.Pixel(ring[i][0], ring[i][1])
			bx, by := grid.Pixel(ring[(i+1)%len(ring)][0], ring[(i+1)%len(ring)][1])
			if (ay <= cy) != (by <= cy) && ax+(cy-ay)/(by-ay)*(bx-ax) <= cx {
				in = !in
			}
		}
	}
	return in
}

// half is the overview of pixels, by the rule of a datatype, made the plain way.
func (p pixels) half(d rasterbase.Datatype, whole bool) pixels {
	out := pixels{width: (p.width + 1) / 2, height: (p.height + 1) / 2}
	for i := range out.width * out.height {
		x, y := i%out.width*2, i/out.width*2
		var of []float64
		for k := range 4 {
			if cx, cy := x+k%2, y+k/2; cx < p.width && cy < p.height && p.valid[cy*p.width+cx] {
				of = append(of, p.values[cy*p.width+cx])
			}
		}
		v := 0.0
		if len(of) > 0 {
			v = reduce(of, d, whole)
		}
		out.values, out.valid = append(out.values, v), append(out.valid, len(of) > 0)
	}
	return out
}

func reduce(of []float64, d rasterbase.Datatype, whole bool) float64 {
	switch d {
	case rasterbase.Continuous:
		sum := 0.0
		for _, v := range of {
			sum += v
		}
		if m := sum / float64(len(of)); !whole {
			return m
		}
		return math.Floor(sum/float64(len(of)) + 0.5)
	case rasterbase.RankOrdered:
		slices.Sort(of)
		return of[(len(of)-1)/2]
	}
	best, most := of[0], 0
	for _, v := range of {
		n := 0
		for _, w := range of {
			if w == v {
				n++
			}
		}
		if n > most {
			best, most = v, n
		}
	}
	return best
}

func (e *exported) compare(t testing.TB, g gdalRaster) {
	t.Helper()
	p := e.plan
	if w := []float64{p.Grid.OriginX, p.Grid.ScaleX, p.Grid.SkewX, p.Grid.OriginY, p.Grid.SkewY, p.Grid.ScaleY}; fmt.Sprint(w) != fmt.Sprint(g.Transform) {
		t.Errorf("%s: placed by %v, want %v", e.name, g.Transform, w)
	}
	if len(g.Problems) > 0 {
		t.Errorf("%s: not cloud optimized: %q", e.name, g.Problems)
	}
	if e.r.Compression == "JPEG" {
		return
	}
	for b, want := range e.want(t) {
		band := g.Bands[b]
		d := e.cov.Describe()
		samePixels(t, fmt.Sprintf("%s: band %d", e.name, b+1), want, band.gdalPixels, 0)
		for k, o := range band.Overviews {
			want = want.half(d.Datatype, !p.Bands[b].PixelType.IsFloat())
			tolerance := 0.0
			if p.Bands[b].PixelType.IsFloat() {
				tolerance = 1e-6
			} else if n := p.Bands[b].Nodata; n != nil && d.Datatype == rasterbase.Continuous {
				// A mean that equals nodata is moved by one.
				for i, v := range want.values {
					if v == float64(*n) && want.valid[i] {
						want.values[i] = o.at(i)
						if math.Abs(o.at(i)-v) != 1 {
							t.Errorf("%s: a mean of %v became %v", e.name, v, o.at(i))
						}
					}
				}
			}
			samePixels(t, fmt.Sprintf("%s: band %d, overview %d", e.name, b+1, k+1), want, o, tolerance)
		}
		if last := append([]gdalPixels{band.gdalPixels}, band.Overviews...)[len(band.Overviews)]; p.Format == export.COG && max(last.Width, last.Height) > 512 {
			t.Errorf("%s: the smallest overview has %d x %d pixels", e.name, last.Width, last.Height)
		}
	}
}

func samePixels(t testing.TB, name string, want pixels, got gdalPixels, tolerance float64) {
	t.Helper()
	if got.Width != want.width || got.Height != want.height {
		t.Fatalf("%s: %d x %d pixels, want %d x %d", name, got.Width, got.Height, want.width, want.height)
	}
	for i, v := range want.values {
		if (got.Mask[i] != 0) != want.valid[i] {
			t.Fatalf("%s: pixel %d,%d holds %v, valid %v; want %v, valid %v", name, i%want.width, i/want.width, got.at(i), got.Mask[i], v, want.valid[i])
		}
		if want.valid[i] && math.Abs(got.at(i)-v) > tolerance*math.Abs(v) {
			t.Fatalf("%s: pixel %d,%d is %v, want %v", name, i%want.width, i/want.width, got.at(i), v)
		}
	}
}

// check saves all and compares them with what GDAL reads.
func check(t testing.TB, all []*exported) []gdalRaster {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for _, e := range all {
		e.save(t, dir)
		paths = append(paths, string(e.plan.Format)+" "+e.path)
	}
	read := readByGDAL(t, paths)
	for i, e := range all {
		e.compare(t, read[i])
	}
	return read
}

var methods = []string{"", "PACKBITS", "LZW", "DEFLATE", "ZSTD"}

// Whatever the layer and the request, GDAL reads the coverage's pixels.
func TestExportsHoldTheCoveragesPixels(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	var all []*exported
	rapid.Check(t, func(rt *rapid.T) {
		if len(all) >= 20 {
			return
		}
		s := genSpec(rt)
		s.Layer.Name = fmt.Sprint("layer ", len(all))
		e := &exported{cov: addLayer(t, st, s), r: genRequest(rt, s)}
		e.name = fmt.Sprintf("%s %dx%d tile %d, %v %+v", s.Layer.Name, s.Width, s.Height, s.TileSize, s.Bands, e.r)
		// A polygon can be smaller than a pixel.
		if _, err := export.NewPlan(t.Context(), e.cov, e.r); rasterbase.CodeOf(err) == rasterbase.Invalid {
			return
		}
		all = append(all, e)
	})
	for i, g := range check(t, all) {
		if want := all[i].plan.Compression; g.Structure["COMPRESSION"] != want {
			t.Errorf("%s: packed by %s", all[i].name, g.Structure["COMPRESSION"])
		}
	}
}

func genSpec(rt *rapid.T) testlayer.Spec {
	s := testlayer.Spec{
		Datatype: rapid.SampledFrom([]rasterbase.Datatype{rasterbase.Continuous, rasterbase.Categorical, rasterbase.RankOrdered}).Draw(rt, "datatype"),
		TileSize: rapid.SampledFrom([]int{64, 100, 256}).Draw(rt, "tile size"),
		MaxZoom:  4,
		Width:    rapid.OneOf(rapid.IntRange(1, 200), rapid.IntRange(513, 1100)).Draw(rt, "width"), Height: rapid.IntRange(1, 100).Draw(rt, "height"),
		X: rapid.IntRange(0, 200).Draw(rt, "x"), Y: rapid.IntRange(0, 200).Draw(rt, "y"),
	}
	pt := rapid.SampledFrom(rasterbase.PixelTypes).Draw(rt, "type")
	lo, hi := pt.Range()
	lo, hi = max(lo, -3000), min(hi, 4000)
	for range rapid.IntRange(1, 6).Draw(rt, "bands") {
		b := rasterbase.Band{PixelType: pt}
		if rapid.Bool().Draw(rt, "nodata") {
			v := rasterbase.Float(math.Floor(lo + (hi-lo)*rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(rt, "nodata value")))
			if pt.IsFloat() && rapid.Bool().Draw(rt, "nan") {
				v = rasterbase.Float(math.NaN())
			}
			b.Nodata = &v
		}
		s.Bands = append(s.Bands, b)
	}
	if rapid.Bool().Draw(rt, "alike") {
		for i := range s.Bands {
			s.Bands[i].Nodata = s.Bands[0].Nodata
		}
	}
	holes := rapid.SampledFrom([]int{0, 0, 1, 3}).Draw(rt, "holes")
	s.Value = func(band, x, y int) (float64, bool) {
		v := (math.Sin(float64(x)/30+float64(band)) + math.Cos(float64(y)/20) + 2) / 4
		if x%90 < 30 {
			v = math.Floor(v*4) / 4
		}
		v = lo + v*(hi-lo)
		if !pt.IsFloat() {
			v = math.Floor(v)
		}
		nodata := s.Bands[band].Nodata
		valid := holes == 0 || (x/20+y/30)%(2*holes) >= holes || x%7 == 0
		if nodata != nil && v == float64(*nodata) {
			valid = false
		}
		return v, valid
	}
	return s
}

func genRequest(rt *rapid.T, s testlayer.Spec) export.Request {
	r := export.Request{
		Format:      rapid.SampledFrom([]export.Format{export.COG, export.GeoTIFF}).Draw(rt, "format"),
		Compression: rapid.SampledFrom(methods).Draw(rt, "compression"),
	}
	if rapid.Bool().Draw(rt, "at a zoom") {
		r.Zoom = new(rapid.IntRange(2, 5).Draw(rt, "zoom"))
	}
	if n := len(s.Bands); n > 1 && rapid.Bool().Draw(rt, "some bands") {
		r.Bands = []int{n - 1, 0}
	}
	res := 2 * 20037508.342789244 / float64(s.TileSize) / 16
	at := func(x, y float64) orb.Point {
		return orb.Point{-20037508.342789244 + (float64(s.X)+x*float64(s.Width))*res, 20037508.342789244 - (float64(s.Y)+y*float64(s.Height))*res}
	}
	r.AreaCRS = rasterbase.CRS{SRID: 3857}
	switch rapid.IntRange(0, 2).Draw(rt, "area") {
	case 1:
		r.Area = orb.Bound{Min: at(0.2, 0.7), Max: at(0.9, 0.1)}
	case 2:
		// Uneven numbers, so that no centre of a pixel lies on an edge but for rounding.
		r.Area = orb.Polygon{
			{at(-0.30171, 0.50219), at(0.40337, -0.20411), at(1.10719, 0.40123), at(0.60277, 1.20531)},
			{at(0.40159, 0.40367), at(0.50731, 0.60139), at(0.60911, 0.45677)},
		}
	}
	return r
}

// formula is a formula over the first band of a coverage, a.
func formula(t testing.TB, cov coverage.Coverage, text string) *coverage.Formula {
	t.Helper()
	f, err := algebra.Parse(text, algebra.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := coverage.NewFormula(context.Background(), f, []coverage.Input{{Name: "a", Coverage: cov}}, coverage.FormulaOptions{Name: text})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
