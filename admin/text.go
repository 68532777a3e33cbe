package admin

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
)

// functions are those of the templates.
var functions = template.FuncMap{
	"bytes": humanBytes, "count": count, "number": number, "date": date, "day": day, "bars": bars, "duration": duration,
	"float":      float,
	"bandNumber": func(i int) int { return i + 1 },
	"list":       func(all ...string) []string { return all },
	"row":        rowOfTemplate,
	"emptyRow":   func() *legendFormRow { return &legendFormRow{} },
	"share":      func(i, n int) string { return number(float64(i) / float64(max(1, n-1))) },
	"amount":     amount, "percent": percent, "unit": unitName, "zone": zoneIn,
}

// number is the shortest text of a number that people read.
func number(v float64) string { return strconv.FormatFloat(v, 'g', 7, 64) }

// float is a number that may be none.
func float(v rasterbase.Float) string {
	if v != v {
		return "nan"
	}
	return number(float64(v))
}

// count is a whole number with its thousands apart.
func count(n any) string {
	text := ""
	switch n := n.(type) {
	case int:
		text = strconv.Itoa(n)
	case int64:
		text = strconv.FormatInt(n, 10)
	case float64:
		text = strconv.FormatFloat(n, 'f', 0, 64)
	}
	var b strings.Builder
	for i, c := range text {
		if i > 0 && (len(text)-i)%3 == 0 && text[i-1] != '-' {
			b.WriteRune('\u202f')
		}
		b.WriteRune(c)
	}
	return b.String()
}

func humanBytes(n int64) string {
	v, unit := float64(n), 0
	for v >= 1024 && unit < 4 {
		v, unit = v/1024, unit+1
	}
	if unit == 0 {
		return count(n) + " bytes"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + " " + []string{"", "KiB", "MiB", "GiB", "TiB"}[unit]
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func duration(seconds int) string {
	d := time.Duration(seconds) * time.Second
	if d < time.Minute {
		return fmt.Sprintf("%d s", seconds)
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

// bar is a bar of a histogram, in the units of its picture.
type bar struct {
	X, Width, Y, Height float64
	Label               string
}

// The size of the picture of a histogram.
const (
	histogramWidth, histogramHeight = 480.0, 96.0
	mostBars                        = 240
)

// bars are those of a band's histogram: of values where there are few, else of bins.
func bars(b bandOfPage) []bar {
	if b.Histogram == nil {
		return nil
	}
	var heights []float64
	var labels []string
	for _, v := range b.Histogram.Values {
		heights, labels = append(heights, v.Count), append(labels, number(v.Value)+": "+count(v.Count))
	}
	if len(heights) == 0 {
		step := (b.Histogram.Max - b.Histogram.Min) / float64(max(1, len(b.Histogram.Bins)))
		for i, n := range b.Histogram.Bins {
			from := b.Histogram.Min + float64(i)*step
			heights, labels = append(heights, n), append(labels, number(from)+" to "+number(from+step)+": "+count(n))
		}
	}
	return barsOfHeights(heights, labels)
}

// barsOfHeights are bars beside each other; none where there is nothing to see.
func barsOfHeights(heights []float64, labels []string) []bar {
	if len(heights) == 0 || len(heights) > 4*mostBars {
		return nil
	}
	most := 0.0
	for _, h := range heights {
		most = max(most, h)
	}
	if most == 0 {
		return nil
	}
	wide := histogramWidth / float64(len(heights))
	out := make([]bar, len(heights))
	for i, h := range heights {
		high := math.Max(histogramHeight*h/most, 0)
		if h > 0 {
			high = math.Max(high, 1)
		}
		out[i] = bar{X: float64(i) * wide, Width: math.Max(wide-0.5, wide*0.8), Y: histogramHeight - high, Height: high, Label: labels[i]}
	}
	return out
}
