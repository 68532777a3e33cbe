package legend_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

// formulas is a legend of n entries that calculate with x.
func formulas(n int, form string) *rasterbase.Legend {
	l := &rasterbase.Legend{}
	for i := range n {
		l.Entries = append(l.Entries, rasterbase.Entry{Expression: fmt.Sprintf(form, i), Color: rasterbase.Color{R: 1, A: 255}})
	}
	return l
}

// What is evaluated for each pixel is bounded, whatever the legend.
func TestWorkForEachPixelIsBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		legend  *rasterbase.Legend
		tooMuch []rasterbase.PixelType
	}{
		"some":  {formulas(50, "x * x < %d"), nil},
		"many":  {formulas(100, "x * x < %d"), []rasterbase.PixelType{rasterbase.Int32, rasterbase.Uint32, rasterbase.Float32, rasterbase.Float64}},
		"most":  {formulas(4643, "x * x < %d"), []rasterbase.PixelType{rasterbase.Uint16, rasterbase.Int16, rasterbase.Int32, rasterbase.Uint32, rasterbase.Float32, rasterbase.Float64}},
		"long":  {formulas(1, strings.Repeat("sin(", 60)+"x + %d"+strings.Repeat(")", 60)), []rasterbase.PixelType{rasterbase.Int32, rasterbase.Uint32, rasterbase.Float32, rasterbase.Float64}},
		"pairs": {formulas(5000, "(%d.5 < x) & (x <= 7000)"), nil},
	} {
		for _, pt := range []rasterbase.PixelType{
			rasterbase.Uint8, rasterbase.Int8, rasterbase.Uint16, rasterbase.Int16, rasterbase.Int32, rasterbase.Uint32, rasterbase.Float32, rasterbase.Float64,
		} {
			refused := false
			for _, tooMuch := range c.tooMuch {
				refused = refused || tooMuch == pt
			}
			_, err := legend.Compile(c.legend, pt)
			_, err2 := legend.Classify(c.legend, pt)
			for i, err := range []error{err, err2} {
				counted := i == 1 && pt.Size() == 2 && c.tooMuch != nil // no table to count by
				if (err != nil) != (refused || counted) || err != nil && rasterbase.CodeOf(err) != rasterbase.Invalid {
					t.Errorf("%s on %v: %v", name, pt, err)
				}
			}
		}
	}
}

// Counting by a table finds the entries that colour.
func TestClassifyByTable(t *testing.T) {
	t.Parallel()
	l := formulas(300, "x * x == %d")
	c, err := legend.Classify(l, rasterbase.Int8)
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[float64]int{0: 0, 1: 1, -1: 1, 16: 256, -17: 289, 2: 4, 3: 9, 18: -1, -128: -1, 127: -1, 1e9: -1} {
		if got := c.Entry(v); got != want {
			t.Errorf("%v: entry %d, want %d", v, got, want)
		}
	}
}

// Formulas over the values of a histogram are bounded: entries that were not tried
// are kept, and a check says so.
func TestWorkForHistogramsIsBounded(t *testing.T) {
	t.Parallel()
	l := formulas(5000, "x * x < -1 - %d")
	var values []rasterbase.ValueCount
	for i := range 20000 {
		values = append(values, rasterbase.ValueCount{Value: float64(i), Count: 1})
	}
	if got := legend.Present(l, values[:100]); len(got.Entries) != 0 {
		t.Errorf("%d entries match", len(got.Entries))
	}
	if got := legend.Present(l, values); len(got.Entries) < 3000 || len(got.Entries) >= 5000 {
		t.Errorf("%d entries are kept", len(got.Entries))
	}
	band := rasterbase.Band{PixelType: rasterbase.Float64, Max: 20000, Histogram: rasterbase.Histogram{Values: values}}
	if _, err := legend.Check(l, band); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("checked: %v", err)
	}
	band.Histogram.Values = values[:100]
	if _, err := legend.Check(l, band); err != nil {
		t.Error(err)
	}
}

// Texts of files are refused as those of requests are.
func TestReadFileChecksTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 3<<20)
	style := `<rasterrenderer type="paletted"><paletteEntry value="1" color="#ff0000" label="fine"/><paletteEntry value="2" color="#ff0000" label="%s"/></rasterrenderer>`
	for name, c := range map[string]struct{ content, names string }{
		"a.qml":  {fmt.Sprintf(style, long), "entry 2: the name"},
		"b.qml":  {fmt.Sprintf(style, "ab\u202ecd"), "entry 2: the name"},
		"c.csv":  {"value,color,keyword\n1,red,a\u202eb\n", "entry 1: the keyword"},
		"d.csv":  {"value,color,code\n1,red,a\u202eb\n", "entry 1: the code"},
		"e.csv":  {"value,color,description\n1,red,a\u202eb\n", "entry 1: the description"},
		"f.json": {`{"stops":[[1,"red"],[2,"blue","a\u202eb"]]}`, "stop 2: the name"},
	} {
		_, err := legend.ReadFile(name, []byte(c.content))
		if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(fmt.Sprint(err), c.names) || len(fmt.Sprint(err)) > 400 {
			t.Errorf("%s: %.300v", name, err)
		}
	}
}

// Text that comes in many pieces is neither kept nor copied: what is allocated
// grows as the file does.
func TestStylesInManyPieces(t *testing.T) {
	for _, element := range []string{"a", "minValue"} {
		measure := func(pieces int) uint64 {
			b := []byte("<" + element + ">" + strings.Repeat("a<!---->", pieces) + "</" + element + ">")
			return allocated(func() {
				if _, err := legend.ReadFile("a.qml", b); rasterbase.CodeOf(err) != rasterbase.Invalid {
					t.Errorf("%d bytes are read: %.200v", len(b), err)
				}
			})
		}
		few, many := measure(1<<13), measure(1<<19-8) // nearly as much as a file may have
		if many > 2*64*few {
			t.Errorf("%s: %d bytes are allocated for 4 MiB, %d for 64 KiB", element, many, few)
		}
	}
}
