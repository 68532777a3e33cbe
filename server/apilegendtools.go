package server

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

const (
	// maxMistakes is how many mistakes of a legend are told at once.
	maxMistakes = 100
	// maxLooked is how many values a check tells the colours of.
	maxLooked = 1024
)

// legendToolOperations are what helps to make legends.
func (s *Server) legendToolOperations(a *api) {
	register(a, operation{
		id: "check-legend-body", method: http.MethodPost, path: "/legends/check", tag: tagLegends, summary: "Check a legend that is being written",
		detail: fmt.Sprintf("Nothing is stored. What is wrong with it, up to %d mistakes, is no error of the request. With a layer the answer also tells which of its pixels match no entry or several, and the colours of its values.", maxMistakes),
		access: editor, most: legend.MaxBytes,
		answers: map[int]response{200: {text: "What was found", kind: checkedJSON{}}}, errors: []int{404},
		example: checkLegendBody{Entries: exampleEntries(), Layer: "land-cover"},
	}, s.apiCheckLegendBody)
	register(a, operation{
		id: "check-legend", method: http.MethodGet, path: "/legends/{legend}/check", tag: tagLegends, summary: "Look at a layer by a legend",
		detail:  "Which valid pixels match no entry, and are transparent, or several, of which the last one colours them; and the colours of the layer's values.",
		answers: map[int]response{200: {text: "What was found", kind: checkedJSON{}}}, errors: []int{400},
	}, s.apiCheckLegend)
	register(a, operation{
		id: "make-legend-from-layer", method: http.MethodPost, path: "/legends/from-layer", tag: tagLegends, summary: "Make a legend from a layer's values",
		detail: "Classes of the stored histogram. Without save it is a proposal, which is not stored.", access: editor,
		answers: map[int]response{200: {text: "A proposal, without ids", kind: legendDocumentJSON{}}, 201: createdLegend}, errors: []int{404, 409},
		example: fromLayerBody{Layer: "land-cover", Method: "distinct"},
	}, s.apiLegendFromLayer)
	register(a, operation{
		id: "import-legend", method: http.MethodPost, path: "/legends/import", tag: tagLegends, summary: "Make a legend of a file",
		detail: "The body is the file, and the extension of the name tells its form: .json, .csv, .clr, .txt (colour tables of GDAL, ESRI and QGIS) or .qml (styles of QGIS).",
		access: editor, most: legend.MaxBytes, file: true,
		answers: map[int]response{201: createdLegend}, errors: []int{409},
		example: "1 33 102 172 255 Water\n2 27 120 55 255 Forest\n",
	}, s.apiImportLegend)
}

// checkLegendBody is a legend to be looked at.
type checkLegendBody struct {
	Title    string        `json:"title,omitempty"`
	Entries  []entryBody   `json:"entries,omitempty"`
	Gradient *gradientBody `json:"gradient,omitempty"`
	Layer    string        `json:"layer,omitempty" doc:"Id, slug, or source file name of a layer to look at"`
	Band     int           `json:"band,omitempty" minimum:"1" maximum:"65535" default:"1"`
}

// checkedJSON is what was found out about a legend.
type checkedJSON struct {
	Valid    bool           `json:"valid"`
	Mistakes []mistakeJSON  `json:"mistakes"`
	Report   *reportJSON    `json:"report,omitempty"`
	Colors   []colorAtJSON  `json:"colors,omitempty" doc:"Of the layer's values, or of the middle of each bin of its histogram; at most 1024"`
	Layer    *layerMeasures `json:"layer,omitempty"`
}

// mistakeJSON is something wrong, as problem documents tell it.
type mistakeJSON struct {
	Detail    string `json:"detail"`
	Parameter string `json:"parameter,omitempty"`
	Hint      string `json:"hint,omitempty"`
	Column    int    `json:"column,omitempty" doc:"Of the mistake in an expression, in characters from 1"`
}

type reportJSON struct {
	Pixels  int64      `json:"pixels" doc:"Valid ones that were looked at"`
	Exact   bool       `json:"exact" doc:"false: told from the bins of a histogram, or of a formula from an overview, and a matter of bounds"`
	None    misfitJSON `json:"none" doc:"Those that match no entry"`
	Several misfitJSON `json:"several" doc:"Those that match more than one"`
}

type misfitJSON struct {
	AtLeast int64            `json:"at_least"`
	AtMost  int64            `json:"at_most"`
	Ranges  []valueRangeJSON `json:"ranges"`
	More    int              `json:"more,omitempty" doc:"Ranges that were left out"`
}

type valueRangeJSON struct {
	From   rasterbase.Float `json:"from"`
	To     rasterbase.Float `json:"to"`
	Pixels int64            `json:"pixels"`
}

// colorAtJSON is the colour of a value.
type colorAtJSON struct {
	Value rasterbase.Float `json:"value"`
	Count int64            `json:"count"`
	Color string           `json:"color,omitempty" doc:"Absent: transparent"`
	Entry *int             `json:"entry,omitempty" doc:"The place among the entries given, from 0, of the one that colours it"`
}

// layerMeasures is what a layer has.
type layerMeasures struct {
	ID   rasterbase.LayerID `json:"id"`
	Band int                `json:"band"`
	Min  rasterbase.Float   `json:"min"`
	Max  rasterbase.Float   `json:"max"`
	Unit string             `json:"unit,omitempty"`
}

type checkLegendBodyInput struct {
	Body checkLegendBody
}

func (s *Server) apiCheckLegendBody(w http.ResponseWriter, r *http.Request, in *checkLegendBodyInput) error {
	ctx := r.Context()
	var l *rasterbase.Legend
	var wrong []error
	err := s.view(ctx, func(tx store.Tx) (err error) {
		body := legendBody{Title: in.Body.Title, Entries: in.Body.Entries, Gradient: in.Body.Gradient}
		l, wrong, err = body.check(&stored{ctx: ctx, tx: tx}, maxMistakes)
		return err
	})
	if err != nil {
		return err
	}
	out := checkedJSON{Valid: len(wrong) == 0, Mistakes: []mistakeJSON{}}
	for _, err := range wrong {
		p := problemOf(err)
		out.Mistakes = append(out.Mistakes, mistakeJSON{p.Detail, p.Parameter, p.Hint, p.Column})
	}
	if in.Body.Layer == "" {
		return writeJSON(w, r, out, true)
	}
	k, band, err := s.bandOf(r, in.Body.Layer, max(1, in.Body.Band))
	if err != nil {
		return err
	}
	if out.Valid {
		if err := out.look(l, band); err != nil {
			return err
		}
	}
	out.measure(k, band, max(1, in.Body.Band))
	return writeJSON(w, r, out, true)
}

func (out *checkedJSON) measure(k known, band rasterbase.Band, number int) {
	out.Layer = &layerMeasures{k.layer.ID, number, rasterbase.Float(band.Min), rasterbase.Float(band.Max), band.Unit}
}

// look adds what a legend makes of a band.
func (out *checkedJSON) look(l *rasterbase.Legend, band rasterbase.Band) error {
	report, err := legend.Check(l, band)
	if err != nil {
		return fmt.Errorf("check a legend: %w", err)
	}
	out.Report = &reportJSON{report.Pixels, report.Exact, misfit(report.None), misfit(report.Several)}
	fitted := legend.Fit(l, band.Min, band.Max)
	colors, err := legend.Compile(fitted, band.PixelType)
	if err != nil {
		return fmt.Errorf("compile a legend: %w", err)
	}
	entries, err := legend.Classify(fitted, band.PixelType)
	if err != nil {
		return fmt.Errorf("classify by a legend: %w", err)
	}
	for _, b := range binsOf(band.Histogram) {
		if len(out.Colors) == maxLooked {
			break
		}
		if b.count == 0 {
			continue
		}
		v := b.from + (b.to-b.from)/2
		at := colorAtJSON{Value: rasterbase.Float(v), Count: int64(b.count)}
		if c := rasterbase.Color(colors.At(v)); c.A > 0 {
			at.Color = c.String()
		}
		if i := entries.Entry(v); i >= 0 {
			at.Entry = &i
		}
		out.Colors = append(out.Colors, at)
	}
	return nil
}

func misfit(m legend.Misfit) misfitJSON {
	out := misfitJSON{AtLeast: m.AtLeast, AtMost: m.AtMost, More: m.More, Ranges: []valueRangeJSON{}}
	for _, r := range m.Ranges {
		out.Ranges = append(out.Ranges, valueRangeJSON{rasterbase.Float(r.From), rasterbase.Float(r.To), r.Pixels})
	}
	return out
}

type checkLegendInput struct {
	Legend string `path:"legend" doc:"Id or title of a legend, in any case"`
	Layer  string `query:"layer" required:"true" doc:"Id, slug, or source file name of a layer"`
	Band   int    `query:"band" minimum:"1" maximum:"65535" default:"1"`
}

func (s *Server) apiCheckLegend(w http.ResponseWriter, r *http.Request, in *checkLegendInput) error {
	r, who, err := s.identified(r)
	if err != nil {
		return err
	}
	if err := s.c.Auth.May(r.Context(), who, rasterbase.Read, nil); err != nil {
		return err
	}
	meant, sight, err := s.seenLegend(r.Context(), who, in.Legend, false)
	if err != nil {
		return err
	}
	l := meant.legend
	k, band, err := s.bandOf(r, in.Layer, in.Band)
	if err != nil {
		return err
	}
	out := checkedJSON{Valid: true, Mistakes: []mistakeJSON{}}
	if err := out.look(legend.Order(l), band); err != nil { // as the API tells the entries
		return err
	}
	if out.Report != nil && k.formula != nil {
		out.Report.Exact = false // its values are those of an overview
	}
	out.measure(k, band, in.Band)
	return writeJSON(w, r, out, sight.hidden(l.ID) || k.private)
}

// fromLayerBody says how a legend is made from data.
type fromLayerBody struct {
	Layer    string `json:"layer" doc:"Id, slug, or source file name of a layer"`
	Band     int    `json:"band,omitempty" minimum:"1" maximum:"65535" default:"1"`
	Method   string `json:"method" doc:"equal-interval, quantile, natural-breaks, standard-deviation or distinct" enum:"equal-interval,quantile,natural-breaks,standard-deviation,distinct"`
	Classes  int    `json:"classes,omitempty" minimum:"1" maximum:"256" default:"5" doc:"How many; of no account for distinct"`
	Colormap string `json:"colormap_name,omitempty" doc:"Where the colours are from; without it viridis, and for distinct values colours that are easy to tell apart"`
	Title    string `json:"title,omitempty" doc:"Without it the layer's name"`
	Save     bool   `json:"save,omitempty" doc:"Store it"`
}

type fromLayerInput struct {
	Body fromLayerBody
}

func (s *Server) apiLegendFromLayer(w http.ResponseWriter, r *http.Request, in *fromLayerInput) error {
	b := in.Body
	k, band, err := s.bandOf(r, b.Layer, max(1, b.Band))
	if err != nil {
		return err
	}
	classes := b.Classes
	if classes == 0 {
		classes = 5
	}
	l, err := legend.Classes(band.Histogram, legend.Method(b.Method), classes, b.Colormap)
	if err != nil {
		return err
	}
	if l.Title = b.Title; l.Title == "" {
		l.Title = k.layer.Name
	}
	if l.Title, err = checkTitle(l.Title); err != nil {
		return err
	}
	if b.Save {
		return s.newLegend(w, r, func(*stored) (*rasterbase.Legend, error) { return l, nil })
	}
	out, err := legendDocument(l)
	if err != nil {
		return err
	}
	return writeJSON(w, r, out, true)
}

type importLegendInput struct {
	Name    string `query:"name" required:"true" doc:"The file's name, such as land.qml"`
	Title   string `query:"title" doc:"Without it the one in the file, or its name without the extension"`
	RawBody []byte `contentType:"application/octet-stream"`
}

func (s *Server) apiImportLegend(w http.ResponseWriter, r *http.Request, in *importLegendInput) error {
	if in.Name == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "the file has no name").WithHint("import?name=land.qml").WithField("name")
	}
	l, err := legend.ReadFile(in.Name, in.RawBody)
	if err != nil {
		return fileError(err)
	}
	if in.Title != "" {
		l.Title = in.Title
	}
	if l.Title, err = checkTitle(l.Title); err != nil {
		return err
	}
	for i, e := range l.Entries {
		if err := (entryBody{
			Name: &e.Semantics.Name, Description: &e.Semantics.Description, Keyword: &e.Semantics.Keyword, Code: text(textOrNumber(e.Code)),
		}).checkTexts(); err != nil {
			return inEntry(i, err)
		}
	}
	return s.newLegend(w, r, func(*stored) (*rasterbase.Legend, error) {
		copied := *l // a transaction can be run again
		copied.Entries = slices.Clone(l.Entries)
		return &copied, nil
	})
}

// fileError is an error about the file that a body is.
func fileError(err error) error {
	e, ok := asError(err)
	if !ok {
		return &rasterbase.Error{Code: rasterbase.Invalid, Message: err.Error(), Field: "body", Err: err}
	}
	named := *e
	if named.Field = "body"; named.Code == rasterbase.Unsupported {
		named.Code = rasterbase.Invalid // of the file, and not of this server
	}
	if inner, ok := errors.AsType[*rasterbase.Error](e.Err); ok && named.Hint == "" {
		named.Hint = inner.Hint
	}
	return &named
}
