package legend

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
)

// writeQML writes a style of QGIS: paletted for whole numbers, pseudocolor for
// all else.
func writeQML(l *rasterbase.Legend) ([]byte, error) {
	items, mode, err := itemsOf(l, ".qml")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" +
		"<qgis version=\"3.22.0\" styleCategories=\"Symbology\">\n <pipe>\n")
	if mode == rasterbase.Exact && wholeNumbers(items) {
		writePalette(&b, items)
	} else {
		writeRamp(&b, items, mode)
	}
	b.WriteString(" </pipe>\n</qgis>\n")
	return b.Bytes(), nil
}

// wholeNumbers reports whether all values are whole and of 32 bits.
func wholeNumbers(items []colorItem) bool {
	for _, i := range items {
		if v := i.value; v != math.Trunc(v) || v < math.MinInt32 || v > math.MaxInt32 {
			return false
		}
	}
	return true
}

func writePalette(b *bytes.Buffer, items []colorItem) {
	b.WriteString("  <rasterrenderer type=\"paletted\" band=\"1\" opacity=\"1\" alphaBand=\"-1\" nodataColor=\"\">\n" +
		"   <rasterTransparency/>\n   <colorPalette>\n")
	for _, i := range items {
		writeQMLItem(b, "paletteEntry", i.value, i)
	}
	b.WriteString("   </colorPalette>\n  </rasterrenderer>\n")
}

func writeRamp(b *bytes.Buffer, items []colorItem, mode rasterbase.Interpolation) {
	name := ""
	for _, m := range textModes {
		if m.mode == mode {
			name = m.name
		}
	}
	slices.SortStableFunc(items, byValue) // as QGIS looks them up
	upper := ends(items)
	low, high := span(upper)
	fmt.Fprintf(b, "  <rasterrenderer type=\"singlebandpseudocolor\" band=\"1\" opacity=\"1\" alphaBand=\"-1\" nodataColor=\"\" classificationMin=%q classificationMax=%q>\n"+
		"   <rasterTransparency/>\n   <rastershader>\n"+
		"    <colorrampshader colorRampType=%q classificationMode=\"1\" clip=\"0\" minimumValue=%q maximumValue=%q labelPrecision=\"6\">\n",
		formatNumber(low), formatNumber(high), name, formatNumber(low), formatNumber(high))
	for k, i := range items {
		if mode != rasterbase.Discrete {
			i.below = false
		}
		writeQMLItem(b, "item", upper[k], i)
	}
	b.WriteString("    </colorrampshader>\n   </rastershader>\n  </rasterrenderer>\n")
}

// span is the smallest and the largest of the values that are finite.
func span(values []float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v-v == 0 {
			low, high = min(low, v), max(high, v)
		}
	}
	if low > high {
		return 0, 0
	}
	return low, high
}

// writeQMLItem writes an item. QGIS knows only ranges to which their upper end
// belongs; below keeps, for who reads the file again, the end that does not.
func writeQMLItem(b *bytes.Buffer, element string, value float64, i colorItem) {
	i.percent = false
	at := colorItem{value: value}.valueText()
	fmt.Fprintf(b, "     <%s value=%q color=\"#%02x%02x%02x\" alpha=\"%d\" label=\"", element, at, i.color.R, i.color.G, i.color.B, i.color.A)
	name := i.name
	if name == "" && !i.nothing() {
		name = at
	}
	// What a buffer takes is never an error.
	_ = xml.EscapeText(b, []byte(name))
	b.WriteByte('"')
	if i.below {
		fmt.Fprintf(b, " below=%q", formatNumber(i.value))
	}
	b.WriteString("/>\n")
}
