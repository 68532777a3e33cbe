package store_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func drawPage(t *rapid.T) store.SummaryPage {
	p := store.SummaryPage{X: rapid.IntRange(0, 1<<20).Draw(t, "x"), Y: rapid.IntRange(0, 1<<20).Draw(t, "y")}
	bands := rapid.IntRange(0, 4).Draw(t, "bands")
	value := rapid.OneOf(rapid.Float64(), rapid.Map(rapid.Int64Range(-1<<53, 1<<53), func(v int64) float64 { return float64(v) }))
	p.Cells = []store.SummaryCell{}
	for at := rapid.IntRange(0, 300).Draw(t, "first"); at < 256; at += rapid.IntRange(1, 200).Draw(t, "gap") {
		c := store.SummaryCell{X: p.X*16 + at%16, Y: p.Y*16 + at/16}
		c.Bands = make([]rasterbase.BandSummary, bands)
		for i := range c.Bands {
			if rapid.Bool().Draw(t, "empty") {
				continue
			}
			c.Bands[i] = rasterbase.BandSummary{Valid: rapid.Int64Range(1, math.MaxInt64).Draw(t, "valid"),
				Mean: value.Draw(t, "mean"), M2: value.Draw(t, "m2"), Min: value.Draw(t, "min"), Max: value.Draw(t, "max")}
			if rapid.Bool().Draw(t, "counts") {
				c.Bands[i].Counts = []rasterbase.ValueCount{}
				for range rapid.IntRange(0, 5).Draw(t, "n") {
					c.Bands[i].Counts = append(c.Bands[i].Counts, rasterbase.ValueCount{Value: value.Draw(t, "value"), Count: rapid.Int64Range(0, math.MaxInt64).Draw(t, "count")})
				}
			}
		}
		p.Cells = append(p.Cells, c)
	}
	return p
}

func TestPageRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPage(t)
		b, err := p.AppendCells([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		got := store.SummaryPage{X: p.X, Y: p.Y}
		if err := got.ReadCells(b[len("before"):]); err != nil {
			t.Fatal(err)
		}
		if g, w := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", p); g != w {
			t.Fatalf("got\n%s\nwant\n%s", g, w)
		}
		if err := got.ReadCells(b[len("before") : len(b)-1]); err == nil && len(p.Cells) > 0 {
			t.Fatal("a page that is cut off was read")
		}
	})
}

func TestPageRefuses(t *testing.T) {
	cell := func(x, y, bands int) store.SummaryCell {
		return store.SummaryCell{X: x, Y: y, Summary: rasterbase.Summary{Bands: make([]rasterbase.BandSummary, bands)}}
	}
	many := cell(16, 16, 1)
	many.Bands[0] = rasterbase.BandSummary{Valid: 1, Counts: make([]rasterbase.ValueCount, rasterbase.MaxDistinct+1)}
	for name, cells := range map[string][]store.SummaryCell{
		"left of the page":  {cell(15, 16, 1)},
		"below the page":    {cell(16, 32, 1)},
		"not in order":      {cell(17, 16, 1), cell(16, 16, 1)},
		"twice":             {cell(16, 16, 1), cell(16, 16, 1)},
		"numbers of bands":  {cell(16, 16, 1), cell(17, 16, 2)},
		"too many counts":   {many},
		"too many elements": make([]store.SummaryCell, 257),
	} {
		p := store.SummaryPage{X: 1, Y: 1, Cells: cells}
		if _, err := p.AppendCells(nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzReadCells(f *testing.F) {
	for seed := range 5 {
		p := rapid.Custom(drawPage).Example(seed)
		b, err := p.AppendCells(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := store.SummaryPage{X: 3, Y: 4}
		if p.ReadCells(b) != nil {
			return
		}
		again, err := p.AppendCells(nil)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		q := store.SummaryPage{X: 3, Y: 4}
		if err := q.ReadCells(again); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%#v", p) != fmt.Sprintf("%#v", q) {
			t.Fatal("writing changed the page")
		}
	})
}

func ExampleSlug() {
	for _, name := range []string{"Land Cover 2018", "Größe (m²)", "土地被覆", "2018"} {
		fmt.Println(store.Slug(name))
	}
	// Output:
	// land-cover-2018
	// größe-m
	// 土地被覆
	// layer-2018
}

func TestSlugIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := store.Slug(rapid.String().Draw(t, "name"))
		if s == "" || store.Slug(s) != s {
			t.Fatalf("the slug of %q is %q", s, store.Slug(s))
		}
	})
}

// BenchmarkPage measures a full page of a land cover of ten classes.
func BenchmarkPage(b *testing.B) {
	p := store.SummaryPage{}
	for i := range 256 {
		s := rasterbase.BandSummary{Valid: 65536, Mean: 5.5, M2: 1e6, Min: 1, Max: 10}
		for v := range 10 {
			s.Counts = append(s.Counts, rasterbase.ValueCount{Value: float64(v + 1), Count: int64(6000 + i*v)})
		}
		p.Cells = append(p.Cells, store.SummaryCell{X: i % 16, Y: i / 16, Summary: rasterbase.Summary{Bands: []rasterbase.BandSummary{s}}})
	}
	buf, err := p.AppendCells(nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			if buf, err = p.AppendCells(buf[:0]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(buf)), "B/page")
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if err := p.ReadCells(buf); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// The number that makes a long slug unique is kept.
func TestSlugKeepsItsNumber(t *testing.T) {
	long := store.Slug(strings.Repeat("a", 200))
	if s := long + "-2"; len(long) != 80 || store.Slug(s) != s {
		t.Fatalf("%q becomes %q", s, store.Slug(s))
	}
}
