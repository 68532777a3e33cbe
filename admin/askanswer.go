package admin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// askAnswer is what was counted, as the page shows it.
type askAnswer struct {
	Zones  []*zoneAnswer
	Matrix *matrix // of several zones
	More   int     // zones that are not shown one by one
	How    []fact
	Unit   string
	Path   string     // of the API, for a file
	Params url.Values // of it
}

// zoneAnswer is what a polygon holds; of all of a layer it has no name.
type zoneAnswer struct {
	Index              int
	Name               string
	Rows               []countRow
	Strip              []stripPart // the rows' shares in their colours; empty: they have none
	Bars               []bar       // of a histogram
	Statistics         []fact
	Valid, Nodata      float64
	Outside, Unclassed *float64
	Area               *float64
	Named              bool // rows have names, and are no bins
	Change             *change
	UnclassedShare     float64
}

// InNone tells whether pixels are in no class.
func (z *zoneAnswer) InNone() bool { return z.Unclassed != nil && *z.Unclassed > 0 }

// zoneView is a zone with the unit of its areas.
type zoneView struct {
	Zone *zoneAnswer
	Unit string
}

func zoneIn(z *zoneAnswer, unit string) zoneView { return zoneView{z, unit} }

// countRow is a row of counts.
type countRow struct {
	Name, Color  string
	Value        string // of a class that a legend names
	Count, Share float64
	Area         *float64
}

// Width is that of the row's bar, in percent.
func (r countRow) Width() float64 { return 100 * r.Share }

// stripPart is a part of a strip that is 100 wide.
type stripPart struct {
	X, Width     float64
	Color, Label string
}

// fact is something that is told with its name.
type fact struct{ Name, Text string }

// matrix is a table of zones by classes or statistics.
type matrix struct {
	Caption string
	Columns []label
	Rows    []matrixRow
}

// matrixRow is a zone; the cells of what it has not are empty.
type matrixRow struct {
	Index int
	Name  string
	Cells []string
}

// mostZones are shown one by one; a file has all.
const mostZones = 25

// The documents of the API.
type (
	countDocument struct {
		pairsDocument
		Band       int                        `json:"band"`
		Datatype   string                     `json:"datatype"`
		Group      string                     `json:"group"`
		Formula    string                     `json:"formula"`
		Counts     json.RawMessage            `json:"counts"`
		Total      struct{ Area *float64 }    `json:"total"`
		Unclassed  *float64                   `json:"unclassed"`
		Statistics map[string]json.RawMessage `json:"statistics"`
	}
	countedRow struct {
		Value *float64 `json:"value"`
		Name  *string  `json:"name"`
		Color string   `json:"color"`
		Min   *float64 `json:"min"`
		Max   *float64 `json:"max"`
		Count float64  `json:"count"`
		Share float64  `json:"share"`
		Area  *float64 `json:"area"`
	}
	// pairsDocument has what counts and pairs have in common, and the values of pairs.
	pairsDocument struct {
		Layers []struct {
			Name     string `json:"name"`
			Revision int64  `json:"revision"`
		} `json:"layers"`
		Coverage string      `json:"coverage"`
		Level    string      `json:"level"`
		Rows     []float64   `json:"rows"`
		Columns  []float64   `json:"columns"`
		Areas    [][]float64 `json:"areas"`
		Pixels   struct {
			Valid   float64  `json:"valid"`
			Nodata  float64  `json:"nodata"`
			Outside *float64 `json:"outside"`
		} `json:"pixels"`
		Made struct {
			Exact              bool  `json:"exact"`
			TilesFromSummaries int64 `json:"tiles_from_summaries"`
			TilesRead          int64 `json:"tiles_read"`
			PixelsRead         int64 `json:"pixels_read"`
		} `json:"made"`
	}
)

// answerOf reads what the API answers.
func answerOf(q *question, body []byte, by askLabels) (*askAnswer, error) {
	out := &askAnswer{Unit: q.unit, Path: q.path, Params: url.Values{"f": {"csv"}}}
	for name, values := range q.params {
		out.Params[name] = values
	}
	names, documents, err := zonesOf(q, body)
	if err != nil {
		return nil, fmt.Errorf("admin: the counts: %w", err)
	}
	for i, raw := range documents {
		var d countDocument
		if err := json.Unmarshal(raw, &d); err != nil {
			return nil, fmt.Errorf("admin: the counts: %w", err)
		}
		if i == 0 {
			out.How = howOf(q, &d)
		}
		z, err := zoneOf(q, &d, by)
		if err != nil {
			return nil, fmt.Errorf("admin: the counts: %w", err)
		}
		z.Index, z.Name = i, names[i]
		out.Zones = append(out.Zones, z)
	}
	if len(out.Zones) > 1 {
		out.Matrix = matrixOf(out)
	}
	if out.More = len(out.Zones) - mostZones; out.More > 0 {
		out.Zones = out.Zones[:mostZones]
	}
	return out, nil
}

// zonesOf are the documents of the zones with their names, or the only one.
func zonesOf(q *question, body []byte) (names []string, documents []json.RawMessage, err error) {
	if !q.params.Has("zones") {
		return []string{""}, []json.RawMessage{body}, nil
	}
	var all struct {
		Zones []map[string]json.RawMessage `json:"zones"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return nil, nil, err
	}
	member := "valuecount"
	if q.kind == askChange {
		member = "crosstab"
	}
	for _, z := range all.Zones {
		name := string(z["zone"])
		var text string
		if json.Unmarshal(z["zone"], &text) == nil {
			name = text
		}
		names, documents = append(names, name), append(documents, z[member])
	}
	return names, documents, nil
}

// zoneOf makes what is shown of a zone.
func zoneOf(q *question, d *countDocument, by askLabels) (*zoneAnswer, error) {
	z := &zoneAnswer{
		Valid: d.Pixels.Valid, Nodata: d.Pixels.Nodata, Outside: d.Pixels.Outside,
		Area: d.Total.Area, Unclassed: d.Unclassed,
	}
	if q.kind == askChange {
		var err error
		z.Change, err = changeOf(d, by)
		return z, err
	}
	var rows []countedRow
	if len(d.Counts) > 0 {
		if err := json.Unmarshal(d.Counts, &rows); err != nil {
			return nil, err
		}
	}
	z.Named = d.Group != "histogram"
	if z.Unclassed != nil && z.Valid > 0 {
		z.UnclassedShare = *z.Unclassed / z.Valid
	}
	for _, row := range rows {
		if z.Named && row.Count == 0 { // an entry of the legend that is not here
			continue
		}
		z.Rows = append(z.Rows, row.shown(by[0]))
	}
	if !z.Named {
		z.Bars = barsOf(z.Rows)
	} else {
		if d.Datatype != string(rasterbase.RankOrdered) {
			slices.SortStableFunc(z.Rows, func(a, b countRow) int { return cmp.Compare(b.Count, a.Count) })
		}
		z.Strip = stripOf(z.Rows)
	}
	var err error
	z.Statistics, err = statisticsOf(d.Statistics)
	return z, err
}

// shown is a row with what its value is called.
func (r countedRow) shown(by labels) countRow {
	out := countRow{Color: r.Color, Count: r.Count, Share: r.Share, Area: r.Area}
	switch {
	case r.Name != nil:
		if out.Name = *r.Name; out.Name == "" {
			out.Name = "no name"
		}
	case r.Value != nil:
		l := by.call(*r.Value)
		out.Name, out.Color = l.Name, l.Color
		if l.Color != "" {
			out.Value = number(*r.Value)
		}
	case r.Min != nil && r.Max != nil:
		out.Name = number(*r.Min) + " to " + number(*r.Max)
	}
	return out
}

// barsOf are the bars of a histogram.
func barsOf(rows []countRow) []bar {
	heights, texts := make([]float64, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		heights[i], texts[i] = r.Count, r.Name+": "+amount(r.Count)
	}
	return barsOfHeights(heights, texts)
}

// stripOf puts coloured rows beside each other.
func stripOf(rows []countRow) (out []stripPart) {
	x := 0.0
	for _, r := range rows {
		if r.Color == "" {
			return nil
		}
		out = append(out, stripPart{x, r.Width(), r.Color, r.Name + ": " + percent(r.Share)})
		x += r.Width()
	}
	return out
}

// statisticsOf are the statistics in the order in which they are told. What is no number
// is not known.
func statisticsOf(all map[string]json.RawMessage) (out []fact, err error) {
	for _, name := range []string{"min", "max", "mean", "median", "std"} {
		raw, ok := all[name]
		if !ok {
			continue
		}
		var v *rasterbase.Float
		if err := json.Unmarshal(raw, &v); err != nil {
			return nil, err
		}
		text := "–"
		if v != nil {
			text = number(float64(*v))
		}
		out = append(out, fact{name, text})
	}
	return out, nil
}

// statisticNames are the words for statistics.
var statisticNames = map[string]string{"min": "Least", "max": "Greatest", "mean": "Mean", "median": "Median", "std": "Standard deviation"}

// Label is what the fact is called on the page.
func (f fact) Label() string { return cmp.Or(statisticNames[f.Name], f.Name) }

// howOf says how an answer was made.
func howOf(q *question, d *countDocument) []fact {
	var layers []string
	for _, l := range d.Layers {
		text := l.Name
		if l.Revision > 0 {
			text += " (revision " + strconv.FormatInt(l.Revision, 10) + ")"
		}
		layers = append(layers, text)
	}
	out := []fact{{"Layer", strings.Join(layers, ", ")}}
	if d.Formula != "" {
		out = append(out, fact{"Formula", d.Formula})
	}
	if q.kind == askCount {
		out = append(out, fact{"Band", strconv.Itoa(d.Band)}, fact{"Counted by", countedBy[d.Group]})
	}
	pixels := "the source's own, which are exact"
	if zoom, ok := strings.CutPrefix(d.Level, "zoom "); ok {
		pixels = "the map's of zoom " + zoom
	}
	rule := map[string]string{
		"center": "those whose centre is inside", "touched": "all that a polygon touches", "fraction": "each by the part of it that is inside",
	}[d.Coverage]
	read := fmt.Sprintf("%s pixels of %s tiles read, %s tiles known from their summaries",
		count(d.Made.PixelsRead), count(d.Made.TilesRead), count(d.Made.TilesFromSummaries))
	return append(out, fact{"Pixels", pixels}, fact{"Which of them", rule}, fact{"Work", read})
}

var countedBy = map[string]string{
	"value": "value", "legend": "entry of the legend", "semantics": "meaning", "histogram": "range of values", "none": "nothing: statistics alone",
}
