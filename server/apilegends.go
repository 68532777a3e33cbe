package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/store"
)

// legendInput names a legend.
type legendInput struct {
	Legend string `path:"legend" doc:"Id or title of a legend, in any case"`
}

var (
	legendAnswer  = response{text: "The legend as it is now", kind: legendDocumentJSON{}, tagged: true}
	createdLegend = response{text: "The legend is there", kind: legendDocumentJSON{}, tagged: true, located: true}
)

// text gives the address of a text.
func text[T ~string](s T) *T { return &s }

// exampleEntries are those of the document.
func exampleEntries() []entryBody {
	return []entryBody{
		{Name: text("Water"), Expression: text[textOrNumber]("1"), Color: text("#2166AC"), Code: text[textOrNumber]("1")},
		{Name: text("Lowland"), Expression: text[textOrNumber]("(1 < x) & (x <= 200)"), Color: text("forestgreen"), Code: text[textOrNumber]("2")},
	}
}

func (s *Server) legendOperations(a *api) {
	const inAll = " An entry with the id of one that is there is shared: what is changed of it shows in each legend that it stands in. So does what is changed of a semantics."
	const forWhom = "A legend that layers use, none of which the sender may read, exists for those alone who may edit."
	register(a, operation{
		id: "list-legends", method: http.MethodGet, path: "/legends", tag: tagLegends, summary: "List legends",
		detail:  "Ordered by title. " + forWhom,
		answers: map[int]response{200: {text: "A page of the list", kind: legendListJSON{}}}, errors: []int{400},
	}, s.apiListLegends)
	register(a, operation{
		id: "get-legend", method: http.MethodGet, path: "/legends/{legend}", tag: tagLegends, summary: "Show a legend", detail: forWhom,
		answers: map[int]response{200: legendAnswer},
	}, s.apiShowLegend)
	register(a, operation{
		id: "create-legend", method: http.MethodPost, path: "/legends", tag: tagLegends, summary: "Make a legend",
		detail: "Of entries, or of a gradient." + inAll, access: editor, most: legend.MaxBytes,
		answers: map[int]response{201: createdLegend}, errors: []int{409},
		example: legendBody{Title: "Relief", Entries: exampleEntries()},
	}, s.apiCreateLegend)
	register(a, operation{
		id: "replace-legend", method: http.MethodPut, path: "/legends/{legend}", tag: tagLegends, summary: "Replace a legend",
		detail: "All of it but its id. The next tile of each layer that uses it has the new colours." + inAll, access: editor, most: legend.MaxBytes,
		answers: map[int]response{200: legendAnswer}, errors: []int{409, 412},
		example: legendBody{Title: "WorldCover", Entries: exampleEntries()},
	}, s.apiReplaceLegend)
	register(a, operation{
		id: "change-legend", method: http.MethodPatch, path: "/legends/{legend}", tag: tagLegends, summary: "Change a legend",
		detail: "A JSON merge patch (RFC 7396): entries are all of them, and those that are not named are taken out." + inAll, access: editor, most: legend.MaxBytes,
		answers: map[int]response{200: legendAnswer}, errors: []int{409, 412},
		example: legendPatchBody{Entries: given(exampleEntries())},
	}, s.apiChangeLegend)
	register(a, operation{
		id: "delete-legend", method: http.MethodDelete, path: "/legends/{legend}", tag: tagLegends, summary: "Delete a legend",
		detail: "Layers that used it have none then, and the answer names them. Entries that stand in other legends stay there.", access: editor,
		answers: map[int]response{200: {text: "It is gone", kind: deletedLegendJSON{}}}, errors: []int{412},
	}, s.apiDeleteLegend)
	s.legendToolOperations(a)
}

// legendSummaryJSON is a legend in a list.
type legendSummaryJSON struct {
	ID      rasterbase.LegendID `json:"id"`
	Title   string              `json:"title"`
	Kind    string              `json:"kind" enum:"entries,gradient"`
	Count   int                 `json:"count" doc:"How many entries it has"`
	Updated time.Time           `json:"updated"`
	Layers  []layerReference    `json:"layers" doc:"Those that use it and that the sender may read"`
	URLs    map[string]string   `json:"urls"`
}

type legendListJSON struct {
	Items  []legendSummaryJSON `json:"items"`
	Total  int                 `json:"total"`
	Limit  int                 `json:"limit"`
	Offset int                 `json:"offset"`
}

// legendDocumentJSON is all of a legend.
type legendDocumentJSON struct {
	ID       rasterbase.LegendID `json:"id,omitempty" doc:"Absent in what is not stored"`
	Title    string              `json:"title"`
	Kind     string              `json:"kind" enum:"entries,gradient"`
	Updated  *time.Time          `json:"updated,omitempty"`
	Entries  []entryJSON         `json:"entries,omitzero" doc:"In the order in which they are painted"`
	Gradient json.RawMessage     `json:"gradient,omitempty" doc:"In the form of a body"`
	Layers   []layerReference    `json:"layers,omitempty" doc:"Those that use it and that the sender may read"`
	URLs     map[string]string   `json:"urls,omitempty"`
}

type entryJSON struct {
	ID          rasterbase.EntryID     `json:"id,omitempty"`
	Name        string                 `json:"name"`
	Description string                 `json:"description"`
	Keyword     string                 `json:"keyword"`
	SemanticsID rasterbase.SemanticsID `json:"semantics_id,omitempty"`
	Expression  string                 `json:"expression"`
	Color       string                 `json:"color"`
	Code        string                 `json:"code"`
}

func kindOf(l *rasterbase.Legend) string {
	if l.Gradient != nil {
		return "gradient"
	}
	return "entries"
}

// legendURLs are the addresses of what a legend is told as.
func legendURLs(root string, id rasterbase.LegendID) map[string]string {
	out := map[string]string{}
	for form := range legendForms {
		out[form[1:]] = root + "/" + legendPath(id) + form
	}
	return out
}

// legendDocument is a legend without its layers.
func legendDocument(l *rasterbase.Legend) (legendDocumentJSON, error) {
	out := legendDocumentJSON{ID: l.ID, Title: l.Title, Kind: kindOf(l)}
	if !l.Updated.IsZero() {
		out.Updated = &l.Updated
	}
	if l.Gradient != nil {
		var err error
		out.Gradient, err = legend.MarshalColormap(l)
		return out, err
	}
	out.Entries = []entryJSON{}
	for _, e := range legend.Order(l).Entries {
		out.Entries = append(out.Entries, entryJSON{
			ID: e.ID, Name: e.Semantics.Name, Description: e.Semantics.Description, Keyword: e.Semantics.Keyword,
			SemanticsID: e.Semantics.ID, Expression: e.Expression, Color: e.Color.String(), Code: e.Code,
		})
	}
	return out, nil
}

// legendTag names the state of all of a legend that is told of it.
func legendTag(l *rasterbase.Legend) (string, error) {
	h := fnv.New64a()
	doc, err := legendDocument(l)
	if err == nil {
		err = json.NewEncoder(h).Encode(doc)
	}
	if err != nil {
		return "", fmt.Errorf("name the state of legend %d: %w", l.ID, err)
	}
	return fmt.Sprintf("%016x", h.Sum64()), nil
}

// unmatched refuses a change that was made to another state than there is. Header
// is If-Match; only the part of an ETag before the dot counts.
func unmatched(header, tag, what string) error {
	if header == "" {
		return nil
	}
	for one := range strings.SplitSeq(header, ",") {
		given, _, _ := strings.Cut(strings.Trim(strings.TrimPrefix(strings.TrimSpace(one), "W/"), `"`), ".")
		if given == "*" || given == tag {
			return nil
		}
	}
	return &statusError{http.StatusPreconditionFailed, rasterbase.Errorf(rasterbase.Conflict, "%s is not what If-Match says: somebody has changed it", what).
		WithHint("read it again, and make the change to what it is now").WithField("If-Match")}
}

type legendListInput struct {
	Search string `query:"search" doc:"Part of the title, in any case"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Offset int    `query:"offset" minimum:"0" maximum:"2147483647" default:"0"`
}

func (s *Server) apiListLegends(w http.ResponseWriter, r *http.Request, in *legendListInput) error {
	who, err := s.mayRead(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	var all []*rasterbase.Legend
	var layers []*rasterbase.Layer
	err = s.view(ctx, func(tx store.Tx) (err error) {
		if all, err = tx.Legends().List(ctx); err == nil {
			layers, _, err = tx.Layers().Find(ctx, store.LayerFilter{})
		}
		return err
	})
	if err != nil {
		return err
	}
	sight, err := s.sightOf(ctx, who, layers)
	if err != nil {
		return err
	}
	out := legendListJSON{Items: []legendSummaryJSON{}, Limit: in.Limit, Offset: in.Offset}
	root, wanted := s.root(r), strings.ToLower(in.Search)
	for _, l := range all {
		if !sight.sees(l.ID) || !strings.Contains(strings.ToLower(l.Title), wanted) {
			continue
		}
		if out.Total++; out.Total <= in.Offset || len(out.Items) == in.Limit {
			continue
		}
		out.Items = append(out.Items, legendSummaryJSON{
			ID: l.ID, Title: l.Title, Kind: kindOf(l), Count: len(l.Entries), Updated: l.Updated,
			Layers: append([]layerReference{}, sight.users[l.ID]...), URLs: legendURLs(root, l.ID),
		})
	}
	return writeJSON(w, r, out, sight.private)
}

func (s *Server) apiShowLegend(w http.ResponseWriter, r *http.Request, in *legendInput) error {
	who, err := s.mayRead(r)
	if err != nil {
		return err
	}
	meant, sight, err := s.seenLegend(r.Context(), who, in.Legend, false)
	if err != nil {
		return err
	}
	return s.writeLegendDocument(w, r, meant.legend, sight, http.StatusOK)
}

// answerLegend answers all of a legend that the sender has changed.
func (s *Server) answerLegend(w http.ResponseWriter, r *http.Request, l *rasterbase.Legend, status int) error {
	sight, err := s.senderSight(r)
	if err != nil {
		return err
	}
	return s.writeLegendDocument(w, r, l, sight, status)
}

func (s *Server) writeLegendDocument(w http.ResponseWriter, r *http.Request, l *rasterbase.Legend, sight legendSight, status int) error {
	out, err := legendDocument(l)
	if err != nil {
		return err
	}
	tag, err := legendTag(l)
	if err != nil {
		return err
	}
	out.Layers, out.URLs = sight.users[l.ID], legendURLs(s.root(r), l.ID)
	body, err := marshal(out)
	if err != nil {
		return fmt.Errorf("write legend %d as JSON: %w", l.ID, err)
	}
	if status == http.StatusCreated {
		w.Header().Set("Location", fmt.Sprintf("%s%s/legends/%d", s.root(r), apiPath, l.ID))
	}
	return answer{contentType: "application/json", body: append(body, '\n'), status: status, version: tag, private: sight.private}.write(w, r)
}

// read gives the legend that a body describes. Of what is wrong the error tells the
// first.
func (b legendBody) read(s *stored) (*rasterbase.Legend, error) {
	title, err := checkTitle(b.Title)
	if err != nil {
		return nil, err
	}
	l, wrong, err := b.check(s, 1)
	switch {
	case err != nil:
		return nil, err
	case len(wrong) > 0:
		return nil, wrong[0]
	}
	l.Title = title
	return l, nil
}

// check gives the legend that a body describes, whatever its title, and what is
// wrong with it.
func (b legendBody) check(s *stored, enough int) (l *rasterbase.Legend, wrong []error, err error) {
	l = &rasterbase.Legend{Title: b.Title}
	given, err := b.gradient()
	if e, ok := asError(err); ok {
		return nil, []error{e}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if given != nil {
		if len(b.Entries) > 0 {
			return nil, []error{rasterbase.Errorf(rasterbase.Invalid, "the legend has both entries and a gradient").WithHint("give one of the two").WithField("gradient")}, nil
		}
		var mistake error
		if l.Gradient, mistake = given.gradient(); mistake != nil {
			wrong = []error{mistake}
		}
		return l, wrong, nil
	}
	if b.Entries == nil {
		return nil, []error{rasterbase.Errorf(rasterbase.Invalid, "the legend has neither entries nor a gradient").WithHint("give one of the two").WithField("entries")}, nil
	}
	if l.Entries, wrong, err = readEntries(s, b.Entries, enough); err != nil || len(wrong) > 0 {
		return nil, wrong, err
	}
	return l, nil, legend.Validate(l)
}

// titleFree refuses a title that another legend has.
func titleFree(ctx context.Context, tx store.Tx, l *rasterbase.Legend) error {
	other, err := tx.Legends().FindTitle(ctx, l.Title)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return nil
	case err != nil:
		return err
	case other.ID != l.ID:
		return rasterbase.Errorf(rasterbase.Conflict, "legend %d has the title %.100q already", other.ID, other.Title).
			WithHint("choose another title, or change that legend").WithField("title")
	}
	return nil
}

// keepLegend stores a new legend, or one in place of another, and gives it as it
// is stored.
func keepLegend(ctx context.Context, tx store.Tx, l *rasterbase.Legend) (*rasterbase.Legend, error) {
	if err := titleFree(ctx, tx, l); err != nil {
		return nil, err
	}
	keep := tx.Legends().Create
	if l.ID != 0 {
		keep = tx.Legends().Update
	}
	if err := keep(ctx, l); err != nil {
		if e, ok := asError(err); ok && e.Code == rasterbase.Conflict && e.Field == "name" {
			return nil, blame(err, "entries")
		}
		return nil, err
	}
	return tx.Legends().Get(ctx, l.ID)
}

type createLegendInput struct {
	Body legendBody
}

func (s *Server) apiCreateLegend(w http.ResponseWriter, r *http.Request, in *createLegendInput) error {
	return s.newLegend(w, r, func(st *stored) (*rasterbase.Legend, error) { return in.Body.read(st) })
}

// newLegend stores what make gives, and answers it.
func (s *Server) newLegend(w http.ResponseWriter, r *http.Request, make func(*stored) (*rasterbase.Legend, error)) error {
	ctx := r.Context()
	var out *rasterbase.Legend
	err := s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		l, err := make(&stored{ctx: ctx, tx: tx})
		if err == nil {
			out, err = keepLegend(ctx, tx, l)
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.answerLegend(w, r, out, http.StatusCreated)
}

// changeLegend stores a legend as change makes it of the one that is there.
func (s *Server) changeLegend(w http.ResponseWriter, r *http.Request, ref, ifMatch string, change func(*stored, *rasterbase.Legend) (*rasterbase.Legend, error)) error {
	ctx := r.Context()
	var out *rasterbase.Legend
	err := s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		before, err := findTagged(ctx, tx, ref, ifMatch)
		if err != nil {
			return err
		}
		l, err := change(&stored{ctx: ctx, tx: tx}, before)
		if err != nil {
			return err
		}
		l.ID = before.ID
		out, err = keepLegend(ctx, tx, l)
		return err
	})
	if err != nil {
		return err
	}
	return s.answerLegend(w, r, out, http.StatusOK)
}

// findTagged finds a legend that is in the state that If-Match names.
func findTagged(ctx context.Context, tx store.Tx, ref, ifMatch string) (*rasterbase.Legend, error) {
	l, err := store.FindLegend(ctx, tx, ref)
	if err != nil {
		return nil, blame(err, "legend")
	}
	tag, err := legendTag(l)
	if err != nil {
		return nil, err
	}
	return l, unmatched(ifMatch, tag, fmt.Sprintf("legend %d", l.ID))
}

type replaceLegendInput struct {
	Legend  string `path:"legend" doc:"Id or title of a legend, in any case"`
	IfMatch string `header:"If-Match" doc:"The ETag of the legend that the change is made to; the answer is 412 when it was changed since"`
	Body    legendBody
}

func (s *Server) apiReplaceLegend(w http.ResponseWriter, r *http.Request, in *replaceLegendInput) error {
	return s.changeLegend(w, r, in.Legend, in.IfMatch, func(st *stored, _ *rasterbase.Legend) (*rasterbase.Legend, error) {
		return in.Body.read(st)
	})
}

type changeLegendInput struct {
	Legend  string `path:"legend" doc:"Id or title of a legend, in any case"`
	IfMatch string `header:"If-Match" doc:"The ETag of the legend that the change is made to; the answer is 412 when it was changed since"`
	Body    legendPatchBody
}

func (s *Server) apiChangeLegend(w http.ResponseWriter, r *http.Request, in *changeLegendInput) error {
	p := in.Body
	body := p.body()
	gradient := body.Gradient != nil || len(body.inline()) > 0
	switch {
	case p.Title.null:
		return rasterbase.Errorf(rasterbase.Invalid, "a legend needs a title").WithField("title")
	case p.Entries.null && !gradient:
		return rasterbase.Errorf(rasterbase.Invalid, "a legend has entries or a gradient").WithHint("an empty array takes all entries out").WithField("entries")
	case p.Gradient.null && !p.Entries.given && !gradient:
		return rasterbase.Errorf(rasterbase.Invalid, "a legend has entries or a gradient").WithHint("give entries in its place").WithField("gradient")
	}
	return s.changeLegend(w, r, in.Legend, in.IfMatch, func(st *stored, before *rasterbase.Legend) (*rasterbase.Legend, error) {
		title := before.Title
		p.Title.to(&title)
		if !p.Entries.given && !gradient {
			l := *before
			var err error
			l.Title, err = checkTitle(title)
			return &l, err
		}
		body := body
		if body.Title = title; body.Entries == nil {
			body.Entries = []entryBody{}
		}
		return body.read(st)
	})
}

// deletedLegendJSON tells what was deleted.
type deletedLegendJSON struct {
	ID     rasterbase.LegendID `json:"id"`
	Title  string              `json:"title"`
	Layers []layerReference    `json:"layers" doc:"Those that used it and that the sender may read"`
}

type deleteLegendInput struct {
	Legend  string `path:"legend" doc:"Id or title of a legend, in any case"`
	IfMatch string `header:"If-Match" doc:"The ETag of the legend that is meant; the answer is 412 when it was changed since"`
}

func (s *Server) apiDeleteLegend(w http.ResponseWriter, r *http.Request, in *deleteLegendInput) error {
	sight, err := s.senderSight(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	var l *rasterbase.Legend
	err = s.c.Store.Catalog().Update(ctx, func(tx store.Tx) (err error) {
		if l, err = findTagged(ctx, tx, in.Legend, in.IfMatch); err != nil {
			return err
		}
		return tx.Legends().Delete(ctx, l.ID)
	})
	if err != nil {
		return err
	}
	return writeJSON(w, r, deletedLegendJSON{l.ID, l.Title, append([]layerReference{}, sight.users[l.ID]...)}, true)
}

// pathOf escapes a name for an address.
func pathOf(name string) string { return url.PathEscape(name) }
