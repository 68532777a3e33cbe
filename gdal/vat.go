//go:build cgo && !nogdal

package gdal

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"github.com/rasterbase/rasterbase"
)

// Limits of a value attribute table, which is read row by row.
const (
	maxTableBytes   = 64 << 20
	maxTableColumns = 1000
)

// valueTable joins what the value attribute table beside a raster says, ArcGIS's
// NAME.tif.vat.dbf or NAME.vat.dbf, where nothing was said of a value before. It
// is found when it names or colours any value. What is wrong with it is a
// warning: the raster can be read without.
func valueTable(path string, t classTable) (found bool, warnings []string) {
	file := valueTableFile(path)
	if file == "" {
		return false, nil
	}
	warn := func(format string, args ...any) {
		warnings = append(warnings, filepath.Base(file)+": "+fmt.Sprintf(format, args...))
	}
	info, err := os.Stat(file)
	if err != nil {
		warn("it is not read, because it cannot be looked at")
		return false, warnings
	}
	if info.Size() > maxTableBytes {
		warn("it is not read, because it has more than the %d bytes allowed", maxTableBytes)
		return false, warnings
	}
	name := C.CString(file)
	defer C.free(unsafe.Pointer(name))
	d := C.rb_dbf_open(name)
	if d == nil {
		warn("there is too little memory to read it")
		return false, warnings
	}
	defer C.rb_dbf_close(d)
	if C.rb_dbf_is_open(d) == 0 {
		warn("it is not read, because it is no dBase table, or a part of one")
		return false, warnings
	}
	c := newValueColumns(d)
	if c.value < 0 {
		warn("it is not read, because it has no column Value")
		return false, warnings
	}
	rows, more := c.read(d)
	if more {
		warn("only its first %d rows are read", maxClasses)
	}
	if s := shorten(clean(C.rb_dbf_error(d)), file); s != "" {
		warn("it is damaged: %s", s)
	}
	return c.join(rows, t), warnings
}

// valueTableFile is the path of the table beside a raster; empty: there is none.
func valueTableFile(path string) string {
	if path == "" {
		return "" // a raster in memory
	}
	for _, stem := range []string{path, strings.TrimSuffix(path, filepath.Ext(path))} {
		for _, suffix := range []string{".vat.dbf", ".VAT.DBF"} {
			if info, err := os.Stat(stem + suffix); err == nil && info.Mode().IsRegular() {
				return stem + suffix
			}
		}
	}
	return ""
}

// valueNames are how the column with the names of classes is called, the best
// first. Without one of these the first column of text counts.
var valueNames = []string{"class_name", "classname", "class_names", "class", "label", "name"}

// valueColumns are where a value attribute table has what; -1: nowhere.
type valueColumns struct {
	value, name int
	parts       [4]int // red, green, blue, alpha
	whole       bool   // the parts are whole numbers
}

func newValueColumns(d *C.rb_dbf) valueColumns {
	c := valueColumns{value: -1, name: -1, parts: [4]int{-1, -1, -1, -1}}
	best := len(valueNames) + 1
	for i := range min(int(C.rb_dbf_columns(d)), maxTableColumns) {
		var kind C.int
		var buf [64]C.char
		C.rb_dbf_column(d, C.int(i), &kind, &buf[0], C.size_t(len(buf)))
		name := strings.ToLower(clean(&buf[0]))
		if kind == C.RB_COLUMN_TEXT {
			rank := slices.Index(valueNames, name)
			if rank < 0 {
				rank = len(valueNames)
			}
			if rank < best {
				best, c.name = rank, i
			}
		}
		if kind != C.RB_COLUMN_INTEGER && kind != C.RB_COLUMN_REAL {
			continue
		}
		if name == "value" && c.value < 0 {
			c.value = i
		}
		if p := slices.Index([]string{"red", "green", "blue", "alpha"}, name); p >= 0 && c.parts[p] < 0 {
			c.parts[p] = i
			c.whole = c.whole || kind == C.RB_COLUMN_INTEGER
		}
	}
	return c
}

// colored reports whether the table has colours.
func (c valueColumns) colored() bool { return c.parts[0] >= 0 && c.parts[1] >= 0 && c.parts[2] >= 0 }

// valueRow is what a row says.
type valueRow struct {
	value float64
	name  string
	parts [4]float64 // NaN: none
}

// read takes the rows that have a value. There can be more.
func (c valueColumns) read(d *C.rb_dbf) (rows []valueRow, more bool) {
	number := func(col int) float64 {
		v := C.double(math.NaN())
		if col >= 0 && C.rb_dbf_number(d, C.int(col), &v) == 0 {
			return math.NaN()
		}
		return float64(v)
	}
	for n := 0; C.rb_dbf_next(d) != 0; n++ {
		if n == maxClasses {
			return rows, true
		}
		r := valueRow{value: number(c.value)}
		if r.value-r.value != 0 {
			continue
		}
		if c.name >= 0 {
			r.name = clean(C.rb_dbf_text(d, C.int(c.name)))
		}
		for p, col := range c.parts {
			r.parts[p] = number(col)
		}
		rows = append(rows, r)
	}
	return rows, false
}

// join adds what the rows say. Colours are of 0 to 1 where no column of them has
// whole numbers and no number is above 1; else of 0 to 255.
func (c valueColumns) join(rows []valueRow, t classTable) (found bool) {
	most := 0.
	for _, r := range rows {
		for _, v := range r.parts {
			if v > most {
				most = v
			}
		}
	}
	scale := 1.
	if !c.whole && most <= 1 {
		scale = 255
	}
	for _, r := range rows {
		t.name(r.value, r.name)
		if color, ok := r.color(scale); ok && c.colored() && t[r.value].Color == nil {
			t.color(r.value, color)
		}
		said := t[r.value]
		found = found || said.Name != "" || said.Color != nil
	}
	return found
}

// color is false when one of red, green and blue is missing.
func (r valueRow) color(scale float64) (rasterbase.Color, bool) {
	var b [4]uint8
	for p, v := range r.parts {
		if math.IsNaN(v) {
			if p < 3 {
				return rasterbase.Color{}, false
			}
			v = 255 / scale
		}
		b[p] = uint8(max(0, min(255, math.Round(v*scale))))
	}
	return rasterbase.Color{R: b[0], G: b[1], B: b[2], A: b[3]}, true
}
