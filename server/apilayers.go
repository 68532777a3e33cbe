package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// apiRoutes adds the routes of the API and of the document that describes it.
func (s *Server) apiRoutes(handle func(pattern string, h handler)) {
	a := newAPI(s, handle)
	s.layerOperations(a)
	s.levelOperations(a)
	s.parseOperations(a)
	s.jobOperations(a)
	s.statusOperations(a)
	s.userOperations(a)
	s.legendOperations(a)
	s.semanticsOperations(a)
	s.colormapOperations(a)
	s.exportOperations(a)
	asJSON, asYAML, err := a.openAPI()
	if err != nil { // the same for every server
		panic(err)
	}
	docs := newDocs(a.huma.OpenAPI())
	handle("GET /docs", func(w http.ResponseWriter, r *http.Request) error { return s.docsPage(w, r, *docs) })
	handle("GET /openapi.json", func(w http.ResponseWriter, r *http.Request) error {
		return answer{contentType: "application/json", body: asJSON}.write(w, r)
	})
	handle("GET /openapi.yaml", func(w http.ResponseWriter, r *http.Request) error {
		return answer{contentType: "application/yaml", body: asYAML}.write(w, r)
	})
}

// layerInput names a layer.
type layerInput struct {
	Layer string `path:"layer" doc:"Id, slug, or source file name of a layer"`
}

var (
	parsedAnswer  = response{text: "Done; the answer waited for the parse, which may have failed", kind: metadataJSON{}, tagged: true}
	queuedAnswer  = response{text: "A parse is queued", kind: metadataJSON{}, located: true, tagged: true}
	createdAnswer = response{text: "The layer is there; the answer waited for its parse, which may have failed", kind: metadataJSON{}, located: true, tagged: true}
)

func (s *Server) layerOperations(a *api) {
	register(a, operation{
		id: "list-layers", method: http.MethodGet, path: "/layers", tag: tagLayers, summary: "List layers",
		detail:  "Those that the sender may read.",
		answers: map[int]response{200: {text: "A page of the list", kind: listJSON{}}}, errors: []int{400},
	}, s.apiListLayers)
	register(a, operation{
		id: "get-layer", method: http.MethodGet, path: "/layers/{layer}", tag: tagLayers, summary: "Show a layer",
		detail:  "Where its source came from, and why a parse failed, is told to those who may change it.",
		answers: map[int]response{200: {text: "All that is known of it", kind: metadataJSON{}, tagged: true}}, errors: []int{409},
	}, s.apiShowLayer)
	register(a, operation{
		id: "create-layer", method: http.MethodPost, path: "/layers", tag: tagLayers, summary: "Make a layer",
		detail: "Its source is an upload that is complete, an address, or a path on the server. It is parsed in the background, or, on servers without workers, before the answer. A layer that is made of a formula over other layers, which the sender must be able to read, is there at once: 201, without a parse.",
		access: editor, parses: true, works: true, answers: map[int]response{202: queuedAnswer, 201: createdAnswer}, errors: []int{409},
		example: newLayerBody{
			Name: given("Land cover 2021"), Attribution: given("© ESA WorldCover"), Legend: given[legendReference]("WorldCover"),
			Settings: given(settingsBody{Datatype: given("categorical")}),
			Source:   given(sourceBody{Address: "https://example.org/landcover.tif"}),
		},
	}, s.apiCreateLayer)
	register(a, operation{
		id: "change-layer", method: http.MethodPatch, path: "/layers/{layer}", tag: tagLayers, summary: "Change a layer",
		detail: "A JSON merge patch (RFC 7396): members that are null take a value back. Other settings, or another source, make the layer be parsed anew; it is served as it was until that has finished.",
		access: member, parses: true, works: true, answers: map[int]response{200: parsedAnswer, 202: queuedAnswer}, errors: []int{409, 412},
		example: layerPatchBody{Name: given("Land cover"), Settings: given(settingsBody{MaxZoom: opt[int]{given: true, null: true}})},
	}, s.apiChangeLayer)
	register(a, operation{
		id: "delete-layer", method: http.MethodDelete, path: "/layers/{layer}", tag: tagLayers, summary: "Delete a layer",
		detail: "With its tiles and its source; a parse under way is cancelled.",
		access: member, parses: true, answers: map[int]response{204: {text: "It is gone"}}, errors: []int{409},
	}, s.apiDeleteLayer)
	register(a, operation{
		id: "preview", method: http.MethodPost, path: "/preview", tag: tagLayers, summary: "Say what a parse would make",
		detail: fmt.Sprintf("Nothing is kept. What an address names is downloaded for it. At most %d previews are made at a time; others are answered 429.", maxPreviews), access: editor, parses: true,
		answers: map[int]response{200: {text: "What would be made", kind: planJSON{}}}, errors: []int{409},
		example: previewBody{Source: sourceBody{Path: "/data/dem.tif"}, Settings: &settingsBody{SRID: given(32632)}},
	}, s.apiPreview)
}

type listInput struct {
	Search   string `query:"search" doc:"Part of the name or of the source file's name, in any case"`
	Datatype string `query:"datatype" doc:"continuous, categorical, mask or rank ordered"`
	Status   string `query:"status" doc:"Of the newest parse: unparsed, queued, downloading, inspecting, creating tiles, building pyramid, publishing, finished, failed or cancelled"`
	Outdated bool   `query:"outdated" doc:"Only those whose tiles were made with other settings, or from another file, than are in force now"`
	Sort     string `query:"sort" doc:"id, name, status, size, created, updated or parsed, with a minus before it for the other direction. Without it by id"`
	Limit    int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Offset   int    `query:"offset" minimum:"0" maximum:"2147483647" default:"0"`
}

func (s *Server) apiListLayers(w http.ResponseWriter, r *http.Request, in *listInput) (err error) {
	c := choice{filter: store.LayerFilter{Search: in.Search}, outdated: in.Outdated, limit: in.Limit, offset: in.Offset}
	if c.order, err = parseOrder(in.Sort); err != nil {
		return err
	}
	if in.Datatype != "" {
		if c.filter.Datatype, err = rasterbase.ParseDatatype(in.Datatype); err != nil {
			return blame(err, "datatype")
		}
	}
	if c.status, err = parseStatus(in.Status); err != nil {
		return err
	}
	found, err := s.readable(r, c)
	if err != nil {
		return err
	}
	out := listJSON{Items: []layerJSON{}, Total: found.total, Limit: in.Limit, Offset: in.Offset}
	root := s.root(r)
	for _, k := range found.layers {
		out.Items = append(out.Items, k.item(root))
	}
	return writeJSON(w, r, out, found.private)
}

// parseStatus reads the name of a status; empty: any.
func parseStatus(text string) (rasterbase.Status, error) {
	switch s := rasterbase.Status(text); s {
	case "", rasterbase.Unparsed, rasterbase.Queued, rasterbase.Downloading, rasterbase.Inspecting, rasterbase.Tiling,
		rasterbase.Pyramiding, rasterbase.Publishing, rasterbase.Finished, rasterbase.Failed, rasterbase.Cancelled:
		return s, nil
	}
	return "", rasterbase.Errorf(rasterbase.Invalid, "there is no status %.40q", text).
		WithHint("one of unparsed, queued, downloading, inspecting, creating tiles, building pyramid, publishing, finished, failed, cancelled").WithField("status")
}

func (s *Server) apiShowLayer(w http.ResponseWriter, r *http.Request, in *layerInput) error {
	k, err := s.readLayer(r, in.Layer)
	if err != nil {
		return err
	}
	return s.writeLayer(w, r, k, http.StatusOK)
}

// writeLayer answers all that the sender may know of a layer.
func (s *Server) writeLayer(w http.ResponseWriter, r *http.Request, k known, status int) error {
	who, err := s.principal(r)
	if err != nil {
		return err
	}
	if k.edits, err = s.mayEdit(r.Context(), who, k.layer); err != nil {
		return err
	}
	out, err := k.metadata(s.root(r))
	if err != nil {
		return err
	}
	if k.edits {
		out.Source.Origin = k.layer.Source.Origin
	}
	body, err := marshal(out)
	if err != nil {
		return fmt.Errorf("write layer %d as JSON: %w", k.layer.ID, err)
	}
	if status == http.StatusAccepted || status == http.StatusCreated {
		w.Header().Set("Location", fmt.Sprintf("%s%s/layers/%d", s.root(r), apiPath, k.layer.ID))
	}
	return answer{
		contentType: "application/json", body: append(body, '\n'), status: status, version: editTag(k.layer),
		private: who.Name != "" || k.private,
	}.write(w, r)
}

// editTag names the state of all of a layer that can be changed. A parse leaves
// it alone, so that a change can say what it is made to, unless it fetches the
// file: that is another source then.
func editTag(l *rasterbase.Layer) string {
	h := fnv.New64a()
	state, err := json.Marshal(struct {
		L        *rasterbase.Layer
		Settings settingsJSON
	}{&rasterbase.Layer{
		ID: l.ID, Slug: l.Slug, Name: l.Name, Description: l.Description, Attribution: l.Attribution, License: l.License,
		Legend: l.Legend, Visibility: l.Visibility, Formula: l.Formula, Source: rasterbase.Source{ID: l.Source.ID, Origin: l.Source.Origin},
	}, settingsDocument(l.Settings)})
	if err != nil { // texts and numbers always marshal
		panic(err)
	}
	h.Write(state)
	return fmt.Sprintf("%016x", h.Sum64())
}

// unchanged refuses a change that was made to another state of the layer than
// it has. Header is If-Match; only the part of an ETag before the dot counts.
//
// The tag of the layer without a kept file counts too: it is that of a new layer
// while its first file is fetched, which nobody has changed when the file comes.
func unchanged(header string, l *rasterbase.Layer) error {
	if header == "" {
		return nil
	}
	bare := *l
	bare.Source.ID = ""
	for one := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(strings.Trim(strings.TrimPrefix(strings.TrimSpace(one), "W/"), `"`), ".")
		if tag == "*" || tag == editTag(l) || tag == editTag(&bare) {
			return nil
		}
	}
	return &statusError{http.StatusPreconditionFailed, rasterbase.Errorf(rasterbase.Conflict, "layer %d is not what If-Match says: somebody has changed it", l.ID).
		WithHint("read it again, and make the change to what it is now").WithField("If-Match")}
}

type createInput struct {
	Body newLayerBody
}

// mayParse tells whether the layer is one that is parsed.
func (in *createInput) mayParse() bool { return !in.Body.Formula.given }

func (s *Server) apiCreateLayer(w http.ResponseWriter, r *http.Request, in *createInput) error {
	body := layerPatchBody(in.Body)
	if !body.Formula.given && (!body.Source.given || body.Source.null) {
		return rasterbase.Errorf(rasterbase.Invalid, "a layer needs a source, or a formula").WithHint("name an upload, an address or a path").WithField("source")
	}
	l := &rasterbase.Layer{}
	if err := body.apply(l); err != nil {
		return err
	}
	l.Visibility = cmp.Or(l.Visibility, s.c.DefaultVisibility)
	var err error
	if l.Legend, err = s.legendOf(r.Context(), body.Legend); err != nil {
		return err
	}
	if body.Formula.given {
		return s.createFormula(w, r, l, body)
	}
	t, err := s.c.Parser.Create(r.Context(), l, body.Source.value.from())
	if err != nil {
		return inBody(err)
	}
	return s.answerParsed(w, r, t, http.StatusCreated)
}

// legendOf finds the legend that a member of a body names; 0: none.
func (s *Server) legendOf(ctx context.Context, ref opt[legendReference]) (id rasterbase.LegendID, err error) {
	if ref.value == "" {
		return 0, nil
	}
	err = s.view(ctx, func(tx store.Tx) error {
		lg, err := store.FindLegend(ctx, tx, string(ref.value))
		if errors.Is(err, store.ErrNotExist) { // the address is right, the body is not
			return rasterbase.Errorf(rasterbase.Invalid, "there is no legend %.200q", string(ref.value)).WithHint("name one by its id or its title").WithField("legend")
		}
		if err != nil {
			return err
		}
		id = lg.ID
		return nil
	})
	return id, err
}

// inBody makes an error of the parser's one about the body that it was asked
// with: what a body names and is not there is a wrong body, and not a wrong
// address.
func inBody(err error) error {
	err = inSettings(err)
	if e, ok := asError(err); ok && e.Code == rasterbase.NotFound && e.Field == "source" || errors.Is(err, store.ErrNotExist) && (!ok || e.Field == "") {
		text := "the source is not there"
		if ok && e.Message != "" {
			text = e.Message
		}
		return &rasterbase.Error{Code: rasterbase.Invalid, Message: text, Field: "source", Err: err}
	}
	return err
}

type changeInput struct {
	Layer   string `path:"layer" doc:"Id, slug, or source file name of a layer"`
	IfMatch string `header:"If-Match" doc:"The ETag of the layer that the change is made to; the answer is 412 when it was changed since"`
	Body    layerPatchBody
}

// mayParse tells whether the change may make the layer be parsed anew.
func (in *changeInput) mayParse() bool { return in.Body.Source.given || in.Body.Settings.given }

func (s *Server) apiChangeLayer(w http.ResponseWriter, r *http.Request, in *changeInput) error {
	ctx := r.Context()
	l, err := s.editable(r, in.Layer)
	if err != nil {
		return err
	}
	p := in.Body
	var from *rasterbase.SourceFrom
	if p.Source.null {
		return rasterbase.Errorf(rasterbase.Invalid, "the source of a layer cannot be taken away").WithHint("delete the layer").WithField("source")
	}
	if p.Source.given {
		f := p.Source.value.from()
		from = &f
	}
	legend, err := s.legendOf(ctx, p.Legend)
	if err != nil {
		return err
	}
	who, err := s.principal(r)
	if err != nil {
		return err
	}
	formula, err := s.changeFormula(ctx, who, l, p)
	if err != nil {
		return err
	}
	_, t, err := s.c.Parser.Change(ctx, l.ID, from, func(l *rasterbase.Layer) error {
		if err := unchanged(in.IfMatch, l); err != nil {
			return err
		}
		if p.Legend.given {
			l.Legend = legend
		}
		if err := p.apply(l); err != nil {
			return err
		}
		l.Visibility = cmp.Or(l.Visibility, s.c.DefaultVisibility, rasterbase.Public)
		return formula.apply(l)
	})
	if err != nil {
		if from != nil {
			err = inBody(err)
		}
		return inSettings(err)
	}
	t.Layer = l.ID
	return s.answerParsed(w, r, t, http.StatusOK)
}

func (s *Server) apiDeleteLayer(w http.ResponseWriter, r *http.Request, in *layerInput) error {
	l, err := s.editable(r, in.Layer)
	if err != nil {
		return err
	}
	if err := s.checkUnread(r, l); err != nil {
		return err
	}
	if err := s.c.Parser.Delete(r.Context(), l.ID); err != nil && !errors.Is(err, store.ErrNotExist) {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// checkUnread fails for a layer that formulas of others read, as deleting it would. It names those that the
// sender may read, and tells of the others that they are there.
func (s *Server) checkUnread(r *http.Request, l *rasterbase.Layer) error {
	var readers []*rasterbase.Layer
	err := s.view(r.Context(), func(tx store.Tx) (err error) {
		readers, err = tx.Layers().ReadBy(r.Context(), l.ID)
		return err
	})
	if err != nil || len(readers) == 0 {
		return err
	}
	who, err := s.principal(r)
	if err != nil {
		return err
	}
	seen, err := s.visible(r.Context(), who, readers)
	if err != nil {
		return err
	}
	const most = 10
	var names []string
	for _, one := range seen[:min(len(seen), most)] {
		names = append(names, fmt.Sprintf("%d (%s)", one.ID, one.Name))
	}
	if more := len(readers) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return store.StillRead(l.ID, strings.Join(names, ", "))
}

type previewInput struct {
	Body previewBody
}

// previewBody is a source and the settings that it may be parsed with.
type previewBody struct {
	Source   sourceBody    `json:"source"`
	Settings *settingsBody `json:"settings,omitempty"`
}

// planJSON is a plan.
type planJSON struct {
	rasterbase.Plan
	Bounds  [4]float64 `json:"bounds"`             // west, south, east, north
	MaxZoom *int       `json:"max_zoom,omitempty"` // absent: no pyramid
}

func (s *Server) apiPreview(w http.ResponseWriter, r *http.Request, in *previewInput) error {
	var settings rasterbase.Settings
	if in.Body.Settings != nil {
		if err := in.Body.Settings.apply(&settings); err != nil {
			return err
		}
	}
	end, err := s.previews.begin("previews")
	if err != nil {
		return err
	}
	defer end()
	patient(w)
	plan, err := s.c.Parser.Preview(r.Context(), in.Body.Source.from(), settings)
	if err != nil {
		return inBody(err)
	}
	b := plan.Bounds
	out := planJSON{Plan: *plan, Bounds: [4]float64{b.West, b.South, b.East, b.North}}
	if plan.HasPyramid {
		out.MaxZoom = &plan.MaxZoom
	}
	return writeJSON(w, r, out, true)
}
