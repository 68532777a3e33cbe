package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// maxAggregation is the longest header of counts, in bytes: proxies take about 4
// or 8 KiB of headers together.
const maxAggregation = 3000

// aggregate counts the valid pixels of a tile by the entry that colours them, as
// JSON: {"4": 1200, "x > 5": 0}. Keys are the entries' expressions in their order;
// entries that have the same one share it. Where that is too long, entries
// without pixels are left out. Gradients and grey have no entries: {}.
func (st *style) aggregate(r *raster.Raster) (string, error) {
	if st.counts == nil {
		return "{}", nil
	}
	counts := st.count(r)
	header, err := countsJSON(st.legend.Entries, counts, true)
	if err == nil && len(header) > maxAggregation {
		header, err = countsJSON(st.legend.Entries, counts, false)
	}
	if err == nil && len(header) > maxAggregation {
		return "", rasterbase.Errorf(rasterbase.Invalid, "the counts of this tile's entries are %d bytes, too long for a header", len(header)).
			WithHint("entries= chooses some").WithField("aggregation")
	}
	return header, err
}

// count is the number of pixels of each entry.
func (st *style) count(r *raster.Raster) []int64 {
	counts := make([]int64, len(st.legend.Entries))
	band := st.drawn[0]
	px := r.Bands[band].Pixels
	value, entry := 0.0, -2 // of the pixel before: neighbours are often the same
	for i := range px.Len() {
		if !r.Valid(band, i) {
			continue
		}
		if v := px.At(i); v != value || entry == -2 {
			value, entry = v, st.counts.Entry(v)
		}
		if entry >= 0 {
			counts[entry]++
		}
	}
	return counts
}

func countsJSON(entries []rasterbase.Entry, counts []int64, zeros bool) (string, error) {
	byExpression := make(map[string]int64, len(entries))
	for i := range entries {
		byExpression[entries[i].Expression] += counts[i]
	}
	var b strings.Builder
	b.WriteByte('{')
	for i := range entries {
		text := entries[i].Expression
		n, first := byExpression[text]
		delete(byExpression, text)
		if !first || n == 0 && !zeros {
			continue
		}
		if b.Len() > 1 {
			b.WriteString(", ")
		}
		var key bytes.Buffer
		enc := json.NewEncoder(&key)
		enc.SetEscapeHTML(false) // < and > are common in expressions
		if err := enc.Encode(text); err != nil {
			return "", fmt.Errorf("write the counts of entries: %w", err)
		}
		writeASCII(&b, strings.TrimSpace(key.String()))
		b.WriteString(": ")
		b.WriteString(strconv.FormatInt(n, 10))
	}
	b.WriteByte('}')
	return b.String(), nil
}

// writeASCII writes JSON with other characters than a header's escaped.
func writeASCII(b *strings.Builder, s string) {
	for _, c := range s {
		switch {
		case c < 0x7f:
			b.WriteRune(c)
		case c > 0xffff:
			c -= 0x10000
			fmt.Fprintf(b, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			fmt.Fprintf(b, `\u%04x`, c)
		}
	}
}
