package server

import (
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/algebra"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/sqlite"
)

// What a formula may cost is bounded by the pixels of a tile.
func TestLongFormulasDrawSmallTilesOnly(t *testing.T) {
	for _, c := range []struct {
		formula string
		size    int
		fits    bool
	}{
		{"(a-b)/(a+b)", 1024, true},
		{"sin(a)" + strings.Repeat("+sin(a)", 300), 512, true},
		{"sin(a)" + strings.Repeat("+sin(a)", 600), 512, false},
		{"sin(a)" + strings.Repeat("+sin(a)", 600), 256, true},
	} {
		f, err := algebra.Parse(c.formula, algebra.Options{MaxNodes: 5000})
		if err != nil {
			t.Fatal(err)
		}
		if err := affordable("it", f.Cost(), c.size); (err == nil) != c.fits || err != nil && rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%.20s at %d pixels: %v", c.formula, c.size, err)
		}
	}
}

// What is remembered of formulas stays within its bound, however long they are.
func TestRememberedFormulasAreWeighed(t *testing.T) {
	st, err := sqlite.Open(t.Context(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	l, err := testlayer.Add(t.Context(), st, testlayer.Spec{
		Layer: rasterbase.Layer{Name: "Ones", Visibility: rasterbase.Public}, Datatype: rasterbase.Categorical,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}, MaxZoom: 1, Width: 64, Height: 64, Value: testlayer.Constant(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Store: st, Auth: rasterbase.ReadPublic{}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sub, err := s.open(t.Context(), l, false)
	if err != nil {
		t.Fatal(err)
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	for i := range 1500 {
		text := "x" + strings.Repeat("+x", 400) + "+" + strconv.Itoa(i)
		if _, err := s.overBands(t.Context(), sub, text, false); err != nil {
			t.Fatal(err)
		}
	}
	if took := heap() - before; took > 2*subjectMemory {
		t.Errorf("%d MiB are kept of formulas, and %d MiB were meant to be", took>>20, subjectMemory>>20)
	}
	runtime.KeepAlive(s)
}
