package export_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/export"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/raster"
)

// checkers is a layer of bytes around the middle of the map's zoom 4.
func checkers(name string, width, height int) testlayer.Spec {
	return testlayer.Spec{
		Layer: rasterbase.Layer{Name: name}, Datatype: rasterbase.Categorical, MaxZoom: 4, X: 2000, Y: 2000, Width: width, Height: height,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}},
		Value: func(_, x, y int) (float64, bool) { return float64((x/8 + y/8) % 5), true },
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	one := addLayer(t, st, checkers("one", 300, 200))
	flat := checkers("flat", 50, 50)
	flat.NoPyramid = true
	bare := addLayer(t, st, flat)
	floats := checkers("floats", 50, 50)
	floats.Bands[0].PixelType = rasterbase.Float32
	real := addLayer(t, st, floats)
	lonLat := rasterbase.CRS{SRID: 4326}
	box := func(w, s, e, n float64) orb.Bound { return orb.Bound{Min: orb.Point{w, s}, Max: orb.Point{e, n}} }
	tests := []struct {
		name        string
		cov         coverage.Coverage
		r           export.Request
		code        rasterbase.Code
		field, text string
	}{
		{"too many pixels", one, export.Request{MaxPixels: 59999}, rasterbase.TooLarge, "bbox", "RASTER_EXPORT_MAX_PIXELS"},
		{"too many at a zoom", one, export.Request{Zoom: new(9), MaxPixels: 300 * 200 * 4}, rasterbase.TooLarge, "bbox", "zoom=5"},
		{"beyond any file", one, export.Request{Zoom: new(30)}, rasterbase.TooLarge, "bbox", "GeoTIFF"},
		{"elsewhere", one, export.Request{Area: box(50, 50, 51, 51), AreaCRS: lonLat}, rasterbase.Invalid, "bbox", "does not meet"},
		{"polygon elsewhere", one, export.Request{Area: box(50, 50, 51, 51).ToPolygon(), AreaCRS: lonLat}, rasterbase.Invalid, "geom", "does not meet"},
		{"polygon between centres", one, export.Request{Area: orb.Polygon{{{-2.0, 2.0}, {-2.0, 2.00001}, {-2.00001, 2.0}}}, AreaCRS: lonLat}, rasterbase.Invalid, "geom", "centre"},
		{"a line", one, export.Request{Area: orb.LineString{{-2, 2}, {-3, 3}}, AreaCRS: lonLat}, rasterbase.Invalid, "geom", "no area"},
		{"upside down", one, export.Request{Area: box(-3, 3, -2, 2), AreaCRS: lonLat}, rasterbase.Invalid, "bbox", "ends before"},
		{"inside out in metres", one, export.Request{Area: box(10, 0, -10, 3), AreaCRS: rasterbase.CRS{SRID: 3857}}, rasterbase.Invalid, "bbox", "west"},
		{"unknown CRS", one, export.Request{Area: box(1, 2, 3, 4), AreaCRS: rasterbase.CRS{SRID: 27700}}, rasterbase.Unsupported, "", "27700"},
		{"no such band", one, export.Request{Bands: []int{1}}, rasterbase.Invalid, "bands", "band 2"},
		{"no bands", one, export.Request{Bands: []int{}}, rasterbase.Invalid, "bands", "0 bands"},
		{"negative zoom", one, export.Request{Zoom: new(-1)}, rasterbase.Invalid, "zoom", "zoom -1"},
		{"no pyramid", bare, export.Request{Zoom: new(1)}, rasterbase.NotFound, "", "pyramid"},
		{"no such format", one, export.Request{Format: "png"}, rasterbase.Invalid, "format", "png"},
		{"no such compression", one, export.Request{Compression: "LERC"}, rasterbase.Invalid, "compress_method", "LERC"},
		{"JPEG of floats", real, export.Request{Compression: "jpeg"}, rasterbase.Invalid, "compress_method", "JPEG"},
		{"CCITT of bytes", one, export.Request{Compression: "CCITTFAX4"}, rasterbase.Invalid, "compress_method", "1-bit"},
		{"quality", one, export.Request{Compression: "JPEG", Quality: 101}, rasterbase.Invalid, "quality", "101"},
	}
	for _, tt := range tests {
		_, err := export.NewPlan(t.Context(), tt.cov, tt.r)
		e, ok := errors.AsType[*rasterbase.Error](err)
		if !ok || e.Code != tt.code || e.Field != tt.field || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v (%+v); want code %s, field %q, %q", tt.name, err, e, tt.code, tt.field, tt.text)
		}
	}
}

// A box takes the pixels that it has a part in, and no more of them for rounding.
func TestBoxes(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	cov := addLayer(t, st, checkers("one", 300, 200))
	g := cov.Describe().Grid
	corners := func(x1, y1, x2, y2 float64) orb.Bound {
		ax, ay := g.World(x1, y1)
		bx, by := g.World(x2, y2)
		return orb.Bound{Min: orb.Point{ax, by}, Max: orb.Point{bx, ay}}
	}
	for _, tt := range []struct {
		name string
		area orb.Geometry
		want raster.Rect
	}{
		{"whole pixels", corners(10, 20, 40, 60), raster.Rect{X: 10, Y: 20, Width: 30, Height: 40}},
		{"parts of pixels", corners(9.9, 20.9, 40.1, 59.1), raster.Rect{X: 9, Y: 20, Width: 32, Height: 40}},
		{"within a pixel", corners(9.2, 20.2, 9.3, 20.3), raster.Rect{X: 9, Y: 20, Width: 1, Height: 1}},
		{"a point", corners(9.2, 20.2, 9.2, 20.2), raster.Rect{X: 9, Y: 20, Width: 1, Height: 1}},
		{"beyond the layer", corners(-50, 150, 20, 900), raster.Rect{Y: 150, Width: 20, Height: 50}},
		{"several", orb.Collection{corners(0, 0, 10, 10), corners(10, 0, 20, 10)}, raster.Rect{Width: 20, Height: 10}},
	} {
		p, err := export.NewPlan(t.Context(), cov, export.Request{Area: tt.area, AreaCRS: rasterbase.CRS{SRID: 3857}})
		if err != nil || p.Rect != tt.want || p.Masked {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, p, err, tt.want)
		}
	}
	world := checkers("world", 1024, 1024)
	world.MaxZoom, world.X, world.Y = 2, 0, 0
	all := addLayer(t, st, world)
	_, err := export.NewPlan(t.Context(), all, export.Request{
		Area: orb.Bound{Min: orb.Point{170, -10}, Max: orb.Point{-170, 10}}, AreaCRS: rasterbase.CRS{SRID: 4326},
	})
	if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "antimeridian") {
		t.Errorf("a box over the antimeridian: %v", err)
	}
}

// Two polygons that share an edge share no pixel, and none is left out between them.
func TestPolygonsShareNoPixel(t *testing.T) {
	t.Parallel()
	d := addLayer(t, openStore(t), checkers("one", 300, 200)).Describe()
	at := func(x, y float64) orb.Point { x, y = d.Grid.World(x, y); return orb.Point{x, y} }
	a, b, c, e := at(0, 0), at(300, 0), at(300, 200), at(0, 200)
	m, n := at(100.5, 30.5), at(200.5, 100.5) // centres of pixels
	parts := []orb.Polygon{{{a, m, n, e}}, {{a, b, n, m}}, {{b, c, e, n}}}
	count := make([]int, 300*200)
	for _, p := range parts {
		placer, err := footprint.NewPlacer(t.Context(), d.LevelGrid(coverage.BaseLevel), footprint.Options{CRS: d.CRS})
		if err != nil {
			t.Fatal(err)
		}
		o, err := placer.Place(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		mask, _ := o.Mask(raster.Rect{Width: 300, Height: 200})
		for i, v := range mask {
			count[i] += int(v & 1)
		}
		for _, piece := range []raster.Rect{{X: 33, Y: 41, Width: 77, Height: 90}, {X: -5, Y: -5, Width: 9, Height: 9}} {
			part, _ := o.Mask(piece)
			for i := range piece.Width * piece.Height {
				x, y := piece.X+i%piece.Width, piece.Y+i/piece.Width
				want := x >= 0 && y >= 0 && mask[y*300+x] != 0
				if got := part == nil || part[i] != 0; got != want {
					t.Fatalf("pixel %d,%d is inside %v in one window and %v in another", x, y, want, got)
				}
			}
		}
	}
	for i, n := range count {
		if n != 1 {
			t.Fatalf("pixel %d,%d is in %d polygons", i%300, i/300, n)
		}
	}
}

// Base grids of any kind are placed as they are, and so are polygons on them.
func TestGridsOfAllKinds(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	st := openStore(t)
	dir := t.TempDir()
	opener := &rastertest.Opener{Sources: map[string]rastertest.Source{}}
	grids := map[string]rasterbase.Grid{
		"north-up.tif":  {OriginX: 400000, OriginY: 5000000, ScaleX: 30, ScaleY: -30},
		"south-up.tif":  {OriginX: 400000, OriginY: 5000000, ScaleX: 30, ScaleY: 30},
		"skewed.tif":    {OriginX: 400000, OriginY: 5000000, ScaleX: 30, ScaleY: -28, SkewX: 9, SkewY: 7},
		"turned.tif":    {OriginX: 400000, OriginY: 5000000, SkewX: 30, SkewY: 30},
		"mirrored.tif":  {OriginX: 400000, OriginY: 5000000, ScaleX: -30, ScaleY: -30},
		"uneven-px.tif": {OriginX: 400000.125, OriginY: 5000000.5, ScaleX: 31.25, ScaleY: -17.5},
	}
	var all []*exported
	for name, g := range grids {
		g.Width, g.Height = 540, 230
		opener.Sources[name] = rastertest.Source{
			Grid: g, SRID: 32633, Bands: []ingest.BandInfo{{PixelType: rasterbase.Int16, Description: "height", Unit: "m", Scale: 0.1, Offset: -5}},
			Value: func(_, x, y int) float64 { return math.Floor(1000*math.Sin(float64(x)/50) + float64(y)) },
			Mask:  func(_, x, y int) bool { return (x-300)*(x-300)+(y-100)*(y-100) > 2500 },
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := ingest.Import(ctx, st, opener, ingest.Request{Source: path, Settings: rasterbase.Settings{Datatype: rasterbase.Continuous}})
		if err != nil {
			t.Fatal(err)
		}
		cov, err := coverage.OpenLayer(ctx, st, l.ID)
		if err != nil {
			t.Fatal(err)
		}
		at := func(x, y float64) orb.Point { x, y = g.World(x, y); return orb.Point{x, y} }
		polygon := orb.Polygon{{at(20.3, 30.1), at(510.7, 90.83), at(300.2, 220.4)}}
		all = append(all,
			&exported{name: name, cov: cov, r: export.Request{Format: export.COG, Compression: "DEFLATE"}},
			&exported{name: name + " polygon", cov: cov, r: export.Request{Compression: "LZW", Area: polygon, AreaCRS: rasterbase.CRS{SRID: 32633}}},
		)
	}
	for i, g := range check(t, all) {
		if b := g.Bands[0]; g.Code != "32633" || b.Description != "height" || b.Unit != "m" || b.Scale == nil || *b.Scale != 0.1 || *b.Offset != -5 {
			t.Errorf("%s: EPSG:%s, %q in %q, %v", all[i].name, g.Code, b.Description, b.Unit, b.Scale)
		}
		if n := len(g.Bands[0].Overviews); n != map[export.Format]int{export.COG: 1}[all[i].r.Format] {
			t.Errorf("%s: %d overviews", all[i].name, n)
		}
		if g.Bands[0].Flags != 2 { // a mask of all bands
			t.Errorf("%s: the flags of the mask are %d", all[i].name, g.Bands[0].Flags)
		}
	}
}

// Formulas are exported like layers.
func TestFormulas(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	spec := checkers("one", 700, 300)
	spec.Value = func(_, x, y int) (float64, bool) { return float64((x + y) % 9), x%50 > 7 }
	cov := addLayer(t, st, spec)
	var all []*exported
	for _, text := range []string{"a / (a + 1)", "a > 4"} {
		all = append(all,
			&exported{name: text, cov: formula(t, cov, text), r: export.Request{Format: export.COG, Compression: "ZSTD"}},
			&exported{name: text + " at a zoom", cov: formula(t, cov, text), r: export.Request{Zoom: new(3)}},
		)
	}
	check(t, all)
}

// Tiles without valid pixels take no room, and GDAL reads them as what they are.
func TestEmptyTilesAreLeftOut(t *testing.T) {
	t.Parallel()
	st := openStore(t)
	var all []*exported
	for _, pt := range []rasterbase.PixelType{rasterbase.Bit1, rasterbase.Float32} {
		for _, nodata := range []*rasterbase.Float{nil, new(rasterbase.Float(1))} {
			s := checkers(fmt.Sprint(pt, nodata != nil), 1100, 600)
			s.NoPyramid = true
			s.Bands = []rasterbase.Band{{PixelType: pt, Nodata: nodata}}
			s.Value = func(_, x, y int) (float64, bool) { return 0, x > 1050 && y > 550 }
			cov := addLayer(t, st, s)
			for _, f := range []export.Format{export.COG, export.GeoTIFF} {
				all = append(all, &exported{name: s.Layer.Name + string(f), cov: cov, r: export.Request{Format: f}})
			}
		}
	}
	check(t, all)
	for _, e := range all {
		if info, err := os.Stat(e.path); err != nil || info.Size() > 4<<20 {
			t.Errorf("%s: %d bytes, %v", e.name, info.Size(), err)
		}
	}
}

func TestColours(t *testing.T) {
	t.Parallel()
	cov := addLayer(t, openStore(t), checkers("one", 40, 40))
	red := color.NRGBA{R: 200, G: 10, B: 20, A: 255}
	e := &exported{name: "colours", cov: cov, r: export.Request{Compression: "LZW", Colors: &rasterbase.Colormap{First: 3, Table: []color.NRGBA{red}}}}
	b := check(t, []*exported{e})[0].Bands[0]
	if len(b.Colors) != 256 || !slices.Equal(b.Colors[3], []int{200, 10, 20, 255}) {
		t.Errorf("the colour table is %v", b.Colors)
	}
}

func TestJPEG(t *testing.T) {
	t.Parallel()
	s := checkers("picture", 600, 300)
	s.Datatype = rasterbase.Continuous
	s.Bands = slices.Repeat([]rasterbase.Band{{PixelType: rasterbase.Uint8}}, 3)
	s.Value = func(b, x, y int) (float64, bool) {
		return math.Floor(120 + 60*math.Sin(float64(x)/90+float64(b)) + 40*math.Cos(float64(y)/70)), x > 50
	}
	e := &exported{name: "jpeg", cov: addLayer(t, openStore(t), s), r: export.Request{Format: export.COG, Compression: "JPEG", Quality: 95}}
	g := check(t, []*exported{e})[0]
	for b, want := range e.want(t) {
		for i, v := range want.values {
			if ok := g.Bands[b].Mask[i] != 0; ok != want.valid[i] {
				t.Fatalf("pixel %d is valid: %v", i, ok)
			}
			if d := math.Abs(g.Bands[b].at(i) - v); want.valid[i] && i%600 > 70 && d > 8 {
				t.Fatalf("pixel %d of band %d is %v, was %v", i, b+1, g.Bands[b].at(i), v)
			}
		}
	}
}

func TestCancelledExportsLeaveNothing(t *testing.T) {
	t.Parallel()
	s := checkers("large", 2000, 2000)
	s.X, s.Y, s.NoPyramid = 0, 0, true
	s.Bands = slices.Repeat([]rasterbase.Band{{PixelType: rasterbase.Float64}}, 2) // several blocks
	cov := addLayer(t, openStore(t), s)
	p, err := export.NewPlan(t.Context(), cov, export.Request{Format: export.COG, Compression: "LZW"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	temp := t.TempDir()
	var w bytes.Buffer
	err = export.Write(ctx, &w, p, export.Options{TempDir: temp, Workers: 1, Progress: func(int64) { cancel() }})
	if !errors.Is(err, context.Canceled) || w.Len() > 0 || len(entries(t, temp)) > 0 {
		t.Errorf("%v, %d bytes, %v are left", err, w.Len(), entries(t, temp))
	}
	_, err = p.Make(t.Context(), export.Options{TempDir: filepath.Join(temp, "nowhere")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a folder: %v", err)
	}
}

func TestZip(t *testing.T) {
	t.Parallel()
	cov := addLayer(t, openStore(t), checkers("one", 300, 200))
	p, err := export.NewPlan(t.Context(), cov, export.Request{Format: export.COG, Zoom: new(3), Compression: "LZW"})
	if err != nil {
		t.Fatal(err)
	}
	date := time.Date(2026, 5, 4, 3, 2, 0, 0, time.UTC)
	c := export.Contents{
		Name: "../bad name\x00/Störm: map.TIF", Description: "of\nseveral lines", Formula: "a + b", Area: "1,2,3,4", Date: date, URL: "https://example.org/export?x=1",
		Inputs: []export.Input{{Variable: "a", Layer: 7, Name: "Land cover", Band: 2, License: "CC0"}, {Layer: 8, Name: "DEM", Band: -1}},
		Legend: export.Legend{Lines: []export.LegendLine{{"4", color.NRGBA{1, 2, 3, 255}, "Deep water"}, {"(0 < x) & (x <= 3)", color.NRGBA{4, 5, 6, 128}, "Shallow"}, {"-1.5", color.NRGBA{A: 255}, ""}}},
	}
	f, err := export.Zip(t.Context(), p, c, export.Options{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := zip.NewReader(f, f.Size())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, one := range z.File {
		r, err := one.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r) // which checks the sum
		if err != nil {
			t.Fatal(err)
		}
		got[one.Name] = string(b)
	}
	var bare bytes.Buffer
	if err := export.Write(t.Context(), &bare, p, export.Options{TempDir: t.TempDir(), Workers: 1}); err != nil {
		t.Fatal(err)
	}
	if got["Strm_map.tif"] != bare.String() {
		t.Errorf("the files are %d bytes, want Strm_map.tif of %d", len(got["Strm_map.tif"]), bare.Len())
	}
	for _, want := range []string{
		"Description: of several lines\n", "Date: 2026-05-04T03:02:00Z\n", "URL: https://example.org/export?x=1\n", "Formula: a + b\n",
		"a = Land cover (id 7), band 3\n    Licence: CC0\n", "\nDEM (id 8)\n", "Zoom level: 3\n", "Size: 150 x 100 pixels\n",
		"Indexed bounds: columns 1000 to 1149, rows 1000 to 1099 of the level\n", "EPSG:3857", "Area asked for: 1,2,3,4\n",
	} {
		if !strings.Contains(got["README.txt"], want) {
			t.Errorf("README.txt lacks %q:\n%s", want, got["README.txt"])
		}
	}
	want := "# Raster Algebra Colormap\nINTERPOLATION: DISCRETE\n4,1,2,3,255,Deep water\n(0 < x) & (x <= 3),4,5,6,128,Shallow\n-1.5,0,0,0,255,-1.5\n"
	if got["COLORMAP.txt"] != want {
		t.Errorf("COLORMAP.txt is\n%s", got["COLORMAP.txt"])
	}
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"dem": "dem.tif", "dem.TIF": "dem.tif", "a/b\\c d": "c_d.tif", "": "export.tif", "..": "export.tif", "Höhe (m)": "Hhe_m.tif",
		"CON": "export_CON.tif", "com1.x": "export_com1.x.tif", ".hidden": "hidden.tif", strings.Repeat("x", 300): strings.Repeat("x", 100) + ".tif",
	} {
		if got := export.FileName(name, ".tif"); got != want {
			t.Errorf("%q becomes %q, want %q", name, got, want)
		}
	}
}

// A compression that only GDAL has is made by whoever has GDAL.
func TestRecompress(t *testing.T) {
	t.Parallel()
	s := checkers("bits", 100, 80)
	s.Bands[0].PixelType = rasterbase.Bit1
	s.Value = func(_, x, y int) (float64, bool) { return float64(x / 9 % 2), true }
	p, err := export.NewPlan(t.Context(), addLayer(t, openStore(t), s), export.Request{Compression: "ccittfax4"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Make(t.Context(), export.Options{}); rasterbase.CodeOf(err) != rasterbase.Unsupported {
		t.Errorf("without GDAL: %v", err)
	}
	temp := t.TempDir()
	f, err := p.Make(t.Context(), export.Options{TempDir: temp, Recompress: func(_ context.Context, from, to, method string) error {
		b, err := os.ReadFile(from)
		if err != nil || len(b) == 0 {
			t.Errorf("%d bytes to recompress, %v", len(b), err)
		}
		return os.WriteFile(to, []byte(method), 0o600)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f.Reader()); string(b) != "CCITTFAX4" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if left := entries(t, temp); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}
