//go:build cgo && !nogdal

package gdal_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// TestToMercator compares with what gdaltransform 3.6.2 says of the same files.
func TestToMercator(t *testing.T) {
	dir, nan := testData(t), math.NaN()
	at := []ingest.Place{{X: 0, Y: 0}, {X: 7.5, Y: 3.25}, {X: 30, Y: 12}}
	for file, want := range map[string][]ingest.Place{
		"odd/utmsmall.tif":                 {{X: -13095852.2996359, Y: 4015700.00528197}, {X: -13095309.0477495, Y: 4015467.52881918}, {X: -13093679.8599861, Y: 4014842.53945519}},
		"odd/geomatrix.tif":                {{X: -11671460.4124145, Y: 1132505.67764867}, {X: -11671466.9714243, Y: 1132463.5056748}, {X: -11671481.6257193, Y: 1132338.30027017}},
		"formats/grib/gfs_10p0.grib2":      {{X: nan, Y: nan}, {X: -11702461.4696429, Y: 7888950.88614565}, {X: 13344423.9588437, Y: -3487492.35702246}},
		"odd/seaice_polar_stereo_3031.tif": {{X: -4702234.62609588, Y: -4773853.50044169}, {X: -4679205.17939221, Y: -4824745.49287276}, {X: -4603233.89420592, Y: -4974076.22930052}},
		"odd/south_up.tif":                 {{X: -13308244.7787348, Y: 4376566.83469346}, {X: -13299895.817641, Y: 4381071.3482127}, {X: -13274848.9343597, Y: 4393208.32092888}},
		"odd/byte_point.tif":               {{X: -13095791.4756651, Y: 4015499.13751986}, {X: -13095248.2363448, Y: 4015266.66281678}, {X: -13093619.0858623, Y: 4014641.67725156}},
		"odd/dateline_utm60.tif":           {{X: 19820026.6678664, Y: 6941255.669302}, {X: 19821256.3406869, Y: 6940699.9559672}, {X: 19824946.8299409, Y: 6939197.28750059}},
		"odd/geostationary_disc.tif":       {{X: nan, Y: nan}, {X: nan, Y: nan}, {X: nan, Y: nan}},
	} {
		d := open(t, filepath.Join(dir, file), ingest.OpenOptions{})
		places := append([]ingest.Place(nil), at...)
		if err := d.ToMercator(context.Background(), places); err != nil {
			t.Fatal(err)
		}
		for i, p := range places {
			if !near(p, want[i], 1e-6) {
				t.Errorf("%s: %v is at %v, want %v", file, at[i], p, want[i])
			}
		}
		if err := d.FromMercator(context.Background(), places); err != nil {
			t.Fatal(err)
		}
		for i, p := range places {
			if math.IsNaN(want[i].X) {
				if !math.IsNaN(p.X) || !math.IsNaN(p.Y) {
					t.Errorf("%s: NaN came back as %v", file, p)
				}
			} else if !near(p, at[i], 1e-4) {
				t.Errorf("%s: %v came back as %v", file, at[i], p)
			}
		}
	}
}

func near(a, b ingest.Place, by float64) bool {
	if math.IsNaN(b.X) {
		return math.IsNaN(a.X) && math.IsNaN(a.Y)
	}
	return math.Abs(a.X-b.X) <= by && math.Abs(a.Y-b.Y) <= by
}

// TestLongitudes reads a raster from 0 to 360 degrees: what lies beyond 180 is
// on the western half of the map.
func TestLongitudes(t *testing.T) {
	g := rasterbase.Grid{Width: 36, Height: 12, OriginX: 0, OriginY: 60, ScaleX: 10, ScaleY: -10}
	d := open(t, write(t, raster.New(g, 4326, rasterbase.Uint8), gdal.WriteOptions{}), ingest.OpenOptions{})
	const degree = math.Pi * 6378137 / 180
	places := []ingest.Place{{X: 1, Y: 6}, {X: 27, Y: 6}}
	if err := d.ToMercator(context.Background(), places); err != nil {
		t.Fatal(err)
	}
	if !near(places[0], ingest.Place{X: 10 * degree}, 1e-3) || !near(places[1], ingest.Place{X: -90 * degree}, 1e-3) {
		t.Errorf("columns 1 and 27 are at %v", places)
	}
	places = []ingest.Place{{X: 100 * degree}, {X: -100 * degree}, {X: -10 * degree}}
	if err := d.FromMercator(context.Background(), places); err != nil {
		t.Fatal(err)
	}
	for i, column := range []float64{10, 26, 35} {
		if !near(places[i], ingest.Place{X: column, Y: 6}, 1e-6) {
			t.Errorf("place %d is in column %v, want %v", i, places[i].X, column)
		}
	}
}

// TestTransformer compares with what gdaltransform 3.6.2 says.
func TestTransformer(t *testing.T) {
	epsg := func(code int) rasterbase.CRS { return rasterbase.CRS{SRID: code} }
	for _, c := range []struct {
		from, to int
		p, want  crs.Point
	}{
		{4326, 26910, crs.Point{X: -122.5, Y: 37.75}, crs.Point{X: 544047.412641053, Y: 4178195.25662091}},
		{4326, 2193, crs.Point{X: 170, Y: -45}, crs.Point{X: 1363553.97389685, Y: 5012670.49542075}},
		{21781, 4326, crs.Point{X: 600000, Y: 200000}, crs.Point{X: 7.43863242087181, Y: 46.9510827718711}},
		{26711, 3857, crs.Point{X: 500000, Y: 4649776}, crs.Point{X: -13024486.9916676, Y: 5161248.22337698}},
		{4326, 3857, crs.Point{X: 0, Y: 91}, crs.Point{X: math.NaN(), Y: math.NaN()}},
	} {
		f, err := gdal.Transformer{}.Between(epsg(c.from), epsg(c.to))
		if err != nil {
			t.Fatal(err)
		}
		points := []crs.Point{c.p, c.p}
		if err := f.Apply(context.Background(), points); err != nil {
			t.Fatal(err)
		}
		for _, p := range points {
			if !near(ingest.Place(p), ingest.Place(c.want), 1e-6) {
				t.Errorf("%d to %d: %v becomes %v, want %v", c.from, c.to, c.p, p, c.want)
			}
		}
	}
	if _, err := (gdal.Transformer{}).Between(epsg(4326), rasterbase.CRS{SRID: rasterbase.FirstCustomSRID, Name: "mine"}); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("a CRS without code and WKT: %v", err)
	}
	wkt := open(t, write(t, raster.New(utm, 26711, rasterbase.Uint8), gdal.WriteOptions{}), ingest.OpenOptions{}).Info().CRS.WKT
	f, err := gdal.Transformer{}.Between(rasterbase.CRS{SRID: rasterbase.FirstCustomSRID, WKT: wkt}, epsg(3857))
	if err != nil {
		t.Fatal(err)
	}
	p := []crs.Point{{X: 500000, Y: 4649776}}
	if err := f.Apply(context.Background(), p); err != nil || !near(ingest.Place(p[0]), ingest.Place{X: -13024486.9916676, Y: 5161248.22337698}, 1e-6) {
		t.Errorf("by WKT: %v, %v", p, err)
	}
}

// TestGroundControl reads a file that has ground control points only. The
// points stand in a side-car.
func TestGroundControl(t *testing.T) {
	r := raster.New(rasterbase.Grid{Width: 20, Height: 20, ScaleX: 1, ScaleY: 1}, 0, rasterbase.Uint8)
	for i := range 400 {
		r.Bands[0].Pixels.Set(i, float64(i%251+1))
	}
	points := func(skew string) string {
		return `<PAMDataset><GCPList Projection="EPSG:26711">` +
			`<GCP Id="1" Pixel="0" Line="0" X="440720" Y="3751320"/><GCP Id="2" Pixel="20" Line="0" X="441920" Y="` + skew + `"/>` +
			`<GCP Id="3" Pixel="20" Line="20" X="441920" Y="3750120"/><GCP Id="4" Pixel="0" Line="20" X="440720" Y="3750120"/>` +
			`</GCPList></PAMDataset>`
	}
	for _, c := range []struct {
		name, y string
		nodata  bool
		masked  bool
	}{
		{"aligned", "3751320", false, false},
		{"leaning", "3751920", false, true},
		{"leaning with nodata", "3751920", true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.Bands[0].HasNodata, r.Bands[0].Nodata = c.nodata, 255
			path := write(t, r, gdal.WriteOptions{Options: []string{"PROFILE=BASELINE"}})
			if err := os.WriteFile(path+".aux.xml", []byte(pam(points(c.y), c.nodata)), 0o600); err != nil {
				t.Fatal(err)
			}
			d := open(t, path, ingest.OpenOptions{Parallel: 2})
			i := d.Info()
			if !i.GroundControl || i.CRS.SRID != 26711 {
				t.Fatalf("%+v", i)
			}
			b, err := d.Read(context.Background(), ingest.Window{Width: i.Grid.Width, Height: i.Grid.Height}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if (b.Masks != nil) != c.masked {
				t.Errorf("masks %v, want %v", b.Masks != nil, c.masked)
			}
			empty := 0
			for k := range b.Bands[0].Len() {
				v := b.Bands[0].At(k)
				out := b.Masks != nil && b.Masks[0][k] == 0 || c.nodata && v == 255
				if out {
					empty++
				} else if v == 0 {
					t.Fatalf("pixel %d is valid and was never written", k)
				}
			}
			if leans := c.name != "aligned"; leans != (empty > 0) {
				t.Errorf("%d pixels of %+v are not covered", empty, i.Grid)
			}
			if !leanIsExact(t, d) {
				t.Error("the upper left corner is in another place than the first point")
			}
		})
	}
}

func pam(s string, nodata bool) string {
	if nodata {
		s = strings.Replace(s, "</PAMDataset>", `<PAMRasterBand band="1"><NoDataValue>255</NoDataValue></PAMRasterBand></PAMDataset>`, 1)
	}
	return s
}

// leanIsExact checks that the place of the lower left point in the warp is at
// the same place on the map as in the file's CRS.
func leanIsExact(t *testing.T, d ingest.Dataset) bool {
	col, row := d.Info().Grid.Pixel(440720, 3750120)
	p := []ingest.Place{{X: col, Y: row}}
	if err := d.ToMercator(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	f, err := gdal.Transformer{}.Between(rasterbase.CRS{SRID: 26711}, rasterbase.CRS{SRID: 3857})
	if err != nil {
		t.Fatal(err)
	}
	want := []crs.Point{{X: 440720, Y: 3750120}}
	if err := f.Apply(context.Background(), want); err != nil {
		t.Fatal(err)
	}
	return near(p[0], ingest.Place(want[0]), 1e-6)
}
