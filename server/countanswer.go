package server

import (
	"fmt"
	"io"
	"slices"

	"github.com/rasterbase/rasterbase/zonal"
	"github.com/rasterbase/rasterbase/zonal/report"
)

// bandsJSON are the counts of several bands of a layer.
type bandsJSON struct {
	Bands []*report.Document `json:"bands"`
}

// layersJSON are the answers of several layers that are counted each by itself.
type layersJSON struct {
	Layers    map[string]any `json:"layers"` // by the names that layers= gives them
	Semantics []comparedJSON `json:"semantics,omitempty"`
}

// comparedJSON compares a semantics in several layers: what is 0 in one may have no
// entry in its legend.
type comparedJSON struct {
	Name    string             `json:"name"`
	Keyword string             `json:"keyword,omitempty"`
	Counts  map[string]float64 `json:"counts"` // by the layers' names
	Areas   map[string]float64 `json:"areas,omitempty"`
}

// document is what is told of a zone.
func (p *countPlan) document(a *zoneAnswer) any {
	if p.kind == crossTabs {
		return report.NewTable(&p.targets[0].subject, a.tables[0])
	}
	if !p.separate() {
		return p.targetDocument(0, a.results[0])
	}
	out := layersJSON{Layers: map[string]any{}}
	for k := range p.targets {
		out.Layers[p.targets[k].name] = p.targetDocument(k, a.results[k])
	}
	if p.grouping == "semantics" {
		out.Semantics = p.compare(a)
	}
	return out
}

// targetDocument is what is told of a target.
func (p *countPlan) targetDocument(k int, r *zonal.Result) any {
	t := &p.targets[k]
	all := make([]*report.Document, len(r.Bands))
	for i := range r.Bands {
		all[i] = report.New(&t.subject, r, i)
	}
	switch {
	case p.kind == statistics:
		return statisticsOf(all)
	case len(all) == 1:
		return all[0]
	}
	return bandsJSON{all}
}

// compare puts the counts of each semantics in all layers side by side.
func (p *countPlan) compare(a *zoneAnswer) []comparedJSON {
	out := []comparedJSON{}
	for k := range p.targets {
		t, places := &p.targets[k], map[int]int{}
		for i, c := range t.subject.Classes {
			at := slices.IndexFunc(out, func(s comparedJSON) bool { return s.Name == c.Name })
			if at < 0 {
				at = len(out)
				out = append(out, comparedJSON{Name: c.Name, Keyword: c.Keyword, Counts: map[string]float64{}})
				for j := range p.targets {
					out[at].Counts[p.targets[j].name] = 0
				}
				if p.query.Area != "" {
					out[at].Areas = map[string]float64{}
					for j := range p.targets {
						out[at].Areas[p.targets[j].name] = 0
					}
				}
			}
			places[i] = at
		}
		for _, row := range a.results[k].Bands[0].Counts {
			s := &out[places[row.Class]]
			s.Counts[t.name] += row.Count
			if s.Areas != nil {
				s.Areas[t.name] += row.Area
			}
		}
	}
	return out
}

// media is the type of the answer.
func (p *countPlan) media() string {
	switch {
	case p.form == csvForm:
		return csvMedia
	case p.form == "ndjson":
		return "application/x-ndjson"
	case p.zones != nil && p.zones.features != nil:
		return "application/geo+json"
	}
	return "application/json"
}

// countWriter writes the answers of zones one after the other.
type countWriter interface {
	write(zone int, a *zoneAnswer) error
	// end writes what stands at the end.
	end() error
}

// newCountWriter begins an answer in the form that is asked for.
func (p *countPlan) newCountWriter(to io.Writer) (countWriter, error) {
	switch {
	case p.form == csvForm && p.kind == crossTabs:
		inputs := p.expression.inputs
		table, err := report.NewPairsCSV(to, inputs[0].name, inputs[1].name)
		return &pairsCSV{p, table}, err
	case p.form == csvForm:
		counts := p.query.Group != zonal.NoGroup && p.kind != statistics
		names := slices.Clone(p.only)
		for _, v := range p.query.Percentiles {
			names = append(names, report.PercentileName(v))
		}
		table, err := report.NewCSV(to, counts, names)
		return &countCSV{p, table}, err
	}
	w := &countJSON{plan: p, to: to, name: string(p.kind)}
	return w, w.begin()
}

// countJSON writes documents: one alone, a line for each, a list of zones, or the
// features that came.
type countJSON struct {
	plan    *countPlan
	to      io.Writer
	name    string // of the member that holds what was counted
	written int
}

func (w *countJSON) begin() error {
	z := w.plan.zones
	text := ""
	switch {
	case w.plan.form == "ndjson" || z == nil || z.features != nil && !z.collection:
	case z.features != nil:
		text = `{"type":"FeatureCollection",` + w.plan.namedCRS() + `"features":[`
	default:
		text = `{"zones":[`
	}
	_, err := io.WriteString(w.to, text)
	return err
}

// namedCRS says of features which CRS they are in, where it is not that of GeoJSON.
func (p *countPlan) namedCRS() string {
	if srid := p.placement.CRS.SRID; srid != 4326 {
		return fmt.Sprintf(`"crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::%d"}},`, srid)
	}
	return ""
}

func (w *countJSON) write(zone int, a *zoneAnswer) error {
	body, err := marshal(w.plan.document(a))
	if err != nil {
		return fmt.Errorf("write counts as JSON: %w", err)
	}
	z := w.plan.zones
	switch {
	case z == nil:
	case z.features != nil:
		body, err = marshal(z.features[zone].with(w.name, body))
	default:
		body = fmt.Appendf(nil, `{"zone":%s,%q:%s}`, z.all[zone].id, w.name, body)
	}
	if err != nil {
		return fmt.Errorf("write counts as JSON: %w", err)
	}
	before, after := "\n", ""
	switch {
	case w.plan.form == "ndjson" || z == nil || z.features != nil && !z.collection:
		before, after = "", "\n"
	case w.written > 0:
		before = ",\n"
	}
	w.written++
	_, err = io.WriteString(w.to, before+string(body)+after)
	return err
}

func (w *countJSON) end() error {
	z := w.plan.zones
	if w.plan.form == "ndjson" || z == nil || z.features != nil && !z.collection {
		return nil
	}
	_, err := io.WriteString(w.to, "\n]}\n")
	return err
}

// countCSV writes a row for each count, or for each band of statistics.
type countCSV struct {
	plan *countPlan
	to   *report.CSV
}

func (w *countCSV) write(zone int, a *zoneAnswer) error {
	for k, r := range a.results {
		for i := range r.Bands {
			if err := w.to.Write(w.plan.nameOf(zone), report.New(&w.plan.targets[k].subject, r, i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *countCSV) end() error { return w.to.Flush() }

// nameOf is the name of a zone; of everything, or the one geometry, it is empty.
func (p *countPlan) nameOf(zone int) string {
	if p.zones == nil {
		return ""
	}
	return p.zones.all[zone].text()
}

// pairsCSV writes a row for each pair of values that there is.
type pairsCSV struct {
	plan *countPlan
	to   *report.PairsCSV
}

func (w *pairsCSV) write(zone int, a *zoneAnswer) error {
	return w.to.Write(w.plan.nameOf(zone), report.NewTable(&w.plan.targets[0].subject, a.tables[0]))
}

func (w *pairsCSV) end() error { return w.to.Flush() }
