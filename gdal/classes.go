//go:build cgo && !nogdal

package gdal

// #include "shim.h"
import "C"

import (
	"math"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
)

// maxClasses bounds what is read of colour and attribute tables.
const maxClasses = 1 << 16

// classTable joins what a band's tables say of a value.
type classTable map[float64]rasterbase.Class

func (t classTable) name(v float64, name string) {
	name = strings.TrimSpace(name)
	if name == "" || math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	c := t[v]
	if c.Name == "" {
		c.Name = name
	}
	c.Value = v
	t[v] = c
}

func (t classTable) color(v float64, color rasterbase.Color) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	c := t[v]
	c.Value, c.Color = v, &color
	t[v] = c
}

// classes joins the colour table, the attribute table and the class names.
// Colours of the colour table win over those of the attribute table, names of
// the attribute table over the list of names. What a .vat.dbf says of the first
// band stands where GDAL's own attribute table says nothing. The warnings are
// about that file.
func (h handle) classes(number int, info *ingest.BandInfo) (warnings []string) {
	t := classTable{}
	info.HasAttributeTable = h.attributeTable(number, t)
	if number == 1 {
		var found bool
		found, warnings = valueTable(h.path, t)
		info.HasAttributeTable = info.HasAttributeTable || found
	}
	n := min(int(C.rb_categories(h.c, C.int(number))), maxClasses)
	for i := range n {
		name := clean(C.rb_category(h.c, C.int(number), C.int(i)))
		info.HasClassNames = info.HasClassNames || strings.TrimSpace(name) != ""
		t.name(float64(i), name)
	}
	info.HasColorTable = h.colorTable(number, t)
	for _, c := range t {
		info.Classes = append(info.Classes, c)
	}
	slices.SortFunc(info.Classes, func(a, b rasterbase.Class) int {
		switch {
		case a.Value < b.Value:
			return -1
		case a.Value > b.Value:
			return 1
		}
		return 0
	})
	return warnings
}

// colorTable adds the colours. Formats with tables of fixed size fill them up
// with black: where there are several unnamed black entries, they are no
// classes.
func (h handle) colorTable(number int, t classTable) bool {
	rgba := make([]C.uchar, 4*maxClasses)
	n := int(C.rb_colors(h.c, C.int(number), &rgba[0], maxClasses))
	blank := func(i int) bool {
		return rgba[4*i] == 0 && rgba[4*i+1] == 0 && rgba[4*i+2] == 0 && t[float64(i)].Name == ""
	}
	blanks := 0
	for i := range n {
		if blank(i) {
			blanks++
		}
	}
	for i := range n {
		if blanks > 1 && blank(i) {
			continue
		}
		t.color(float64(i), rasterbase.Color{R: uint8(rgba[4*i]), G: uint8(rgba[4*i+1]), B: uint8(rgba[4*i+2]), A: uint8(rgba[4*i+3])})
	}
	return n > 0
}

// GDAL's usages and types of columns of an attribute table.
const (
	usageName, usageMin, usageMax, usageMinMax  = 2, 3, 4, 5
	usageRed, usageGreen, usageBlue, usageAlpha = 6, 7, 8, 9
	columnInteger, columnReal, columnText       = 0, 1, 2
)

// columns are where an attribute table has what; -1: nowhere.
type columns struct {
	value, name, red, green, blue, alpha int
	fractions                            bool // colours are 0 to 1
}

func (h handle) attributeTable(number int, t classTable) bool {
	var rows, cols, binned C.int
	var row0, step C.double
	C.rb_rat_size(h.c, C.int(number), &rows, &cols, &binned, &row0, &step)
	if rows <= 0 || cols <= 0 {
		return false
	}
	c := h.columns(number, min(int(cols), 1000))
	n, b := min(int(rows), maxClasses), C.int(number)
	at := func(row, col int) float64 { return float64(C.rb_rat_number(h.c, b, C.int(row), C.int(col))) }
	if c.name < 0 && c.red < 0 {
		return false
	}
	for i := range n {
		v := float64(i)
		switch {
		case c.value >= 0:
			v = at(i, c.value)
		case binned != 0:
			v = float64(row0) + float64(i)*float64(step)
		}
		if c.name >= 0 {
			t.name(v, clean(C.rb_rat_string(h.c, b, C.int(i), C.int(c.name))))
		}
		if c.red >= 0 && c.green >= 0 && c.blue >= 0 && (c.name < 0 || t[v].Name != "") {
			t.color(v, c.color(i, at))
		}
	}
	return len(t) > 0
}

func (c columns) color(row int, at func(row, col int) float64) rasterbase.Color {
	part := func(col int, absent uint8) uint8 {
		if col < 0 {
			return absent
		}
		v := at(row, col)
		if c.fractions {
			v = math.Round(v * 255)
		}
		if !(v >= 0) {
			return 0
		}
		return uint8(min(v, 255))
	}
	return rasterbase.Color{R: part(c.red, 0), G: part(c.green, 0), B: part(c.blue, 0), A: part(c.alpha, 255)}
}

// columns finds the columns by their usage and, where none is said, by their
// names; columns that count pixels are not looked at.
func (h handle) columns(number, cols int) columns {
	c := columns{-1, -1, -1, -1, -1, -1, false}
	set := func(at *int, i int) {
		if *at < 0 {
			*at = i
		}
	}
	valueByName, text := -1, -1
	for i := range cols {
		var usage, kind C.int
		var buf [256]C.char
		C.rb_rat_column(h.c, C.int(number), C.int(i), &usage, &kind, &buf[0], C.size_t(len(buf)))
		switch usage {
		case usageMinMax, usageMin:
			set(&c.value, i)
		case usageName:
			set(&c.name, i)
		case usageRed:
			set(&c.red, i)
			c.fractions = kind == columnReal
		case usageGreen:
			set(&c.green, i)
		case usageBlue:
			set(&c.blue, i)
		case usageAlpha:
			set(&c.alpha, i)
		}
		switch name := strings.ToLower(clean(&buf[0])); {
		case name == "value" && kind != columnText:
			set(&valueByName, i)
		case kind == columnText && text < 0:
			text = i
		}
	}
	if c.value < 0 {
		c.value = valueByName
	}
	if c.name < 0 {
		c.name = text
	}
	return c
}
