package crs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/crs"
)

func epsg(code int) rasterbase.CRS { return rasterbase.CRS{SRID: code} }

func between(t testing.TB, from, to int) crs.Transform {
	t.Helper()
	tr, err := crs.Closed{}.Between(epsg(from), epsg(to))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// proj is testdata/proj.json, which testdata/record.py makes with PROJ: rows of
// x, y and the transformed x, y, null where PROJ cannot.
type proj struct {
	Cases []struct {
		From, To int
		Points   [][4]*float64
	}
}

// What PROJ says, within a tenth of a micrometre, in the zones of UTM and far
// outside them.
func TestAgreesWithPROJ(t *testing.T) {
	b, err := os.ReadFile("testdata/proj.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded proj
	if err := json.Unmarshal(b, &recorded); err != nil {
		t.Fatal(err)
	}
	if len(recorded.Cases) == 0 {
		t.Fatal("nothing is recorded")
	}
	for _, c := range recorded.Cases {
		t.Run(fmt.Sprintf("%d to %d", c.From, c.To), func(t *testing.T) {
			points := make([]crs.Point, len(c.Points))
			for i, p := range c.Points {
				points[i] = crs.Point{X: *p[0], Y: *p[1]}
			}
			if err := between(t, c.From, c.To).Apply(context.Background(), points); err != nil {
				t.Fatal(err)
			}
			var worst float64
			for i, p := range c.Points {
				got := points[i]
				if p[2] == nil {
					if !math.IsNaN(got.X) || !math.IsNaN(got.Y) {
						t.Errorf("%v, %v is %v, PROJ cannot transform it", *p[0], *p[1], got)
					}
					continue
				}
				d := distance(c.To, got, crs.Point{X: *p[2], Y: *p[3]})
				worst = max(worst, d)
				if !(d < 1e-7) {
					t.Errorf("%v, %v is %.10f, %.10f, PROJ says %.10f, %.10f: %g m", *p[0], *p[1], got.X, got.Y, *p[2], *p[3], d)
				}
			}
			t.Logf("largest difference %g m", worst)
		})
	}
}

// distance is how far apart two points of a CRS are, in metres.
func distance(srid int, a, b crs.Point) float64 {
	dx, dy := a.X-b.X, a.Y-b.Y
	if srid == 4326 || srid == 4258 {
		const metres = 111320 // a degree of latitude
		dx, dy = dx*metres*math.Cos(b.Y*math.Pi/180), dy*metres
	}
	return math.Hypot(dx, dy)
}

// Points in and around a zone come back to the same place.
func TestRoundTrip(t *testing.T) {
	codes := []int{4326, 4258, 3857, 900913, 32601, 32631, 32660, 32701, 32733, 32760, 25828, 25832, 25838}
	rapid.Check(t, func(t *rapid.T) {
		from, to := rapid.SampledFrom(codes).Draw(t, "from"), rapid.SampledFrom(codes).Draw(t, "to")
		there, err := crs.Closed{}.Between(epsg(from), epsg(to))
		if err != nil {
			t.Fatal(err)
		}
		back, err := crs.Closed{}.Between(epsg(to), epsg(from))
		if err != nil {
			t.Fatal(err)
		}
		start, err := crs.Closed{}.Between(epsg(4326), epsg(from))
		if err != nil {
			t.Fatal(err)
		}
		// Near the zone of whichever is a zone of UTM.
		middle := 0.0
		for _, c := range []int{from, to} {
			if zone := c % 100; c > 25000 && c < 40000 {
				middle = float64(6*zone - 183)
			}
		}
		lon := middle + rapid.Float64Range(-30, 30).Draw(t, "lon")
		lat := rapid.Float64Range(-84, 84).Draw(t, "lat")
		p := []crs.Point{{X: math.Remainder(lon, 360), Y: lat}}
		if err := start.Apply(context.Background(), p); err != nil {
			t.Fatal(err)
		}
		if math.IsNaN(p[0].X) {
			t.Skip("too far from the zone")
		}
		begin := p[0]
		if err := there.Apply(context.Background(), p); err != nil {
			t.Fatal(err)
		}
		if math.IsNaN(p[0].X) || far(from, begin) || far(to, p[0]) {
			t.Skip("too far from the zone")
		}
		if err := back.Apply(context.Background(), p); err != nil {
			t.Fatal(err)
		}
		if d := distance(from, p[0], begin); !(d < 1e-6) {
			t.Fatalf("%v came back as %v: %v m", begin, p[0], d)
		}
	})
}

// far tells whether a point of a zone of UTM is so far from its meridian that
// the series no longer is its own inverse, or beyond a pole.
func far(srid int, p crs.Point) bool {
	if srid < 25000 || srid > 40000 {
		return false
	}
	if srid > 32700 {
		p.Y -= 10_000_000
	}
	return math.Abs(p.X-500_000) > 4_000_000 || math.Abs(p.Y) > 9_990_000
}

func TestPoles(t *testing.T) {
	p := []crs.Point{{X: 10, Y: 90}, {X: 10, Y: -90}, {X: 10, Y: 90 + 1e-12}}
	if err := between(t, 4326, 3857).Apply(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	for i, sign := range []float64{1, -1, 1} {
		if y := p[i].Y * sign; !(y > 2e8 && y < 3e8) {
			t.Errorf("pole %d is at %v", i, p[i])
		}
	}
	if err := between(t, 3857, 4326).Apply(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	if p[0] != (crs.Point{X: 10, Y: 90}) || p[1] != (crs.Point{X: 10, Y: -90}) {
		t.Errorf("they come back as %v", p)
	}
}

func TestCannotBeTransformed(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	everywhere := []crs.Point{{X: nan, Y: 0}, {X: 0, Y: nan}, {X: inf, Y: 0}, {X: 0, Y: -inf}, {X: inf, Y: inf}}
	tests := []struct {
		from, to int
		points   []crs.Point
	}{
		{4326, 3857, []crs.Point{{X: 0, Y: 90.1}, {X: 0, Y: -91}}},
		{3857, 4326, nil},
		{4326, 4326, nil},
		{4326, 4258, nil},
		{4326, 32633, []crs.Point{{X: 105, Y: 0}, {X: -75, Y: 0}, {X: 100, Y: 1}}},
		{32633, 4326, []crs.Point{{X: 2e7, Y: 0}, {X: -1e300, Y: 0}}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%d to %d", tt.from, tt.to), func(t *testing.T) {
			p := append(append([]crs.Point{}, everywhere...), tt.points...)
			if err := between(t, tt.from, tt.to).Apply(context.Background(), p); err != nil {
				t.Fatal(err)
			}
			for i, v := range p {
				if !math.IsNaN(v.X) || !math.IsNaN(v.Y) {
					t.Errorf("point %d became %v", i, v)
				}
			}
		})
	}
}

func TestSameCRSKeepsPoints(t *testing.T) {
	for _, to := range []int{4326, 4258} {
		p := []crs.Point{{X: 200.1, Y: 95.3}}
		if err := between(t, 4326, to).Apply(context.Background(), p); err != nil || p[0] != (crs.Point{X: 200.1, Y: 95.3}) {
			t.Errorf("it became %v, %v", p[0], err)
		}
	}
	custom := rasterbase.CRS{SRID: 910003, Name: "site grid"}
	if _, err := (crs.Closed{}).Between(custom, custom); err != nil {
		t.Error(err)
	}
}

func TestUnknownCRSIsNamed(t *testing.T) {
	tests := []struct {
		name     string
		from, to rasterbase.CRS
		says     string
	}{
		{"code", epsg(31467), epsg(4326), "srid 31467"},
		{"code and name", epsg(4326), rasterbase.CRS{SRID: 2056, Name: "CH1903+ / LV95"}, "CH1903+ / LV95 (srid 2056)"},
		{"name only", rasterbase.CRS{Name: "site grid", WKT: "LOCAL_CS"}, epsg(3857), "site grid"},
		{"nothing", rasterbase.CRS{}, rasterbase.CRS{}, "without a name"},
		{"NAD83 is not the same everywhere", epsg(4269), epsg(4326), "srid 4269"},
		{"no zone 0", epsg(32600), epsg(4326), "srid 32600"},
		{"polar stereographic", epsg(32661), epsg(4326), "srid 32661"},
		{"polar stereographic south", epsg(32761), epsg(4326), "srid 32761"},
		{"no such zone of ETRS89", epsg(25827), epsg(4326), "srid 25827"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := crs.Closed{}.Between(tt.from, tt.to)
			if rasterbase.CodeOf(err) != rasterbase.Unsupported || !strings.Contains(fmt.Sprint(err), tt.says) || !strings.Contains(fmt.Sprint(err), "a build with GDAL") {
				t.Errorf("the error is %v (%v)", err, rasterbase.CodeOf(err))
			}
		})
	}
}

func TestSameCRS(t *testing.T) {
	wkt := func(srid int, s string) rasterbase.CRS { return rasterbase.CRS{SRID: srid, WKT: s} }
	tests := []struct {
		name string
		a, b rasterbase.CRS
		want bool
	}{
		{"codes", epsg(4326), epsg(4326), true},
		{"names differ", rasterbase.CRS{SRID: 4326, Name: "WGS 84"}, epsg(4326), true},
		{"other codes", epsg(4326), epsg(4258), false},
		{"web mercator", epsg(900913), epsg(102100), true},
		{"web mercator of a sphere", epsg(3857), epsg(102113), false},
		{"one without a code", wkt(0, "A"), wkt(910001, "A"), true},
		{"WKT differs", wkt(0, "A"), wkt(0, "B"), false},
		{"nothing known", rasterbase.CRS{}, rasterbase.CRS{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if crs.SameCRS(tt.a, tt.b) != tt.want || crs.SameCRS(tt.b, tt.a) != tt.want {
				t.Errorf("not %v", tt.want)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, to := range []int{4258, 3857} {
		if err := between(t, 4326, to).Apply(ctx, make([]crs.Point, 3)); !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestSeveralGoroutines(t *testing.T) {
	tr := between(t, 4326, 32633)
	one := []crs.Point{{X: 14.2, Y: 50.1}}
	if err := tr.Apply(context.Background(), one); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p := make([]crs.Point, 1000)
			for i := range p {
				p[i] = crs.Point{X: 14.2, Y: 50.1}
			}
			if err := tr.Apply(context.Background(), p); err != nil || p[0] != one[0] || p[999] != one[0] {
				t.Errorf("got %v, %v", p[0], err)
			}
		})
	}
	wg.Wait()
}

// fixed is a transformer that gives one answer.
type fixed struct {
	transform crs.Transform
	err       error
}

func (f fixed) Between(rasterbase.CRS, rasterbase.CRS) (crs.Transform, error) {
	return f.transform, f.err
}

func TestChain(t *testing.T) {
	a, b := between(t, 4326, 3857), between(t, 4326, 32633)
	first := rasterbase.Errorf(rasterbase.Unsupported, "first")
	second := rasterbase.Errorf(rasterbase.Unsupported, "second")
	telling := rasterbase.Errorf(rasterbase.Invalid, "the WKT is faulty")
	tests := []struct {
		name  string
		chain []crs.Transformer
		want  crs.Transform
		err   string
	}{
		{"the first that can", []crs.Transformer{fixed{nil, first}, fixed{a, nil}, fixed{b, nil}}, a, ""},
		{"can after a fault", []crs.Transformer{fixed{nil, telling}, fixed{b, nil}}, b, ""},
		{"none can", []crs.Transformer{fixed{nil, first}, fixed{nil, second}}, nil, "first"},
		{"one tells why", []crs.Transformer{fixed{nil, first}, fixed{nil, telling}}, nil, "the WKT is faulty"},
		{"empty", nil, nil, "srid 4326"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := crs.Chain(tt.chain...).Between(epsg(4326), epsg(31467))
			if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func Example() {
	toUTM, err := crs.Closed{}.Between(rasterbase.CRS{SRID: 4326}, rasterbase.CRS{SRID: 32633})
	if err != nil {
		fmt.Println(err)
		return
	}
	p := []crs.Point{{X: 14.42, Y: 50.09}}
	if err := toUTM.Apply(context.Background(), p); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f %.3f\n", p[0].X, p[0].Y)

	_, err = crs.Closed{}.Between(rasterbase.CRS{SRID: 5514, Name: "S-JTSK / Krovak East North"}, rasterbase.CRS{SRID: 4326})
	fmt.Println(rasterbase.CodeOf(err))
	// Output:
	// 458510.870 5548798.473
	// unsupported
}

func BenchmarkApply(b *testing.B) {
	for _, c := range []struct {
		from, to int
		p        crs.Point
	}{
		{4326, 3857, crs.Point{X: 14, Y: 50}},
		{3857, 4326, crs.Point{X: 1.5e6, Y: 6e6}},
		{4326, 32633, crs.Point{X: 14, Y: 50}},
		{32633, 4326, crs.Point{X: 4.5e5, Y: 5.5e6}},
		{32633, 3857, crs.Point{X: 4.5e5, Y: 5.5e6}},
	} {
		b.Run(fmt.Sprintf("%d to %d", c.from, c.to), func(b *testing.B) {
			tr := between(b, c.from, c.to)
			p := make([]crs.Point, 1000)
			for b.Loop() {
				for i := range p {
					p[i] = c.p
				}
				if err := tr.Apply(context.Background(), p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(p)), "ns/point")
		})
	}
}
