package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	pictures "github.com/rasterbase/rasterbase/legend/picture"
	"github.com/rasterbase/rasterbase/store"
)

const (
	// maxColormaps is how many colormaps somebody may keep.
	maxColormaps = 200
	// maxColormap is the longest of them, in bytes.
	maxColormap = 64 << 10
	// maxColormapName is the longest of their names, in characters.
	maxColormapName = 100
)

// colormapInput names a colormap of the sender.
type colormapInput struct {
	Name string `path:"name" doc:"Name of a colormap of the sender's, in any case"`
}

func (s *Server) colormapOperations(a *api) {
	told := response{text: "The colormap as it is now", kind: ownColormapJSON{}, tagged: true}
	register(a, operation{
		id: "list-own-colormaps", method: http.MethodGet, path: "/me/colormaps", tag: tagLegends, summary: "List one's own colormaps",
		detail: "Tiles are drawn by them with store=session&legend={name}.", access: member,
		answers: map[int]response{200: {text: "All of them, ordered by name", kind: ownColormapsJSON{}}},
	}, s.apiListOwnColormaps)
	register(a, operation{
		id: "get-own-colormap", method: http.MethodGet, path: "/me/colormaps/{name}", tag: tagLegends, summary: "Show one's own colormap", access: member,
		answers: map[int]response{200: told},
	}, s.apiShowOwnColormap)
	register(a, operation{
		id: "put-own-colormap", method: http.MethodPut, path: "/me/colormaps/{name}", tag: tagLegends, summary: "Keep a colormap for oneself",
		detail: fmt.Sprintf("In the form of the parameter colormap of tiles. Nobody else sees it. At most %d of %d KiB are kept for each user.", maxColormaps, maxColormap>>10),
		access: member, most: maxColormap,
		answers: map[int]response{200: told, 201: {text: "It is kept", kind: ownColormapJSON{}, tagged: true, located: true}}, errors: []int{409},
		example: colormapBody(`{"1": "#2166AC", "x > 5": [27, 120, 55, 255]}`),
	}, s.apiPutOwnColormap)
	register(a, operation{
		id: "delete-own-colormap", method: http.MethodDelete, path: "/me/colormaps/{name}", tag: tagLegends, summary: "Delete one's own colormap", access: member,
		answers: map[int]response{204: {text: "It is gone"}},
	}, s.apiDeleteOwnColormap)
}

// colormapBody is a colormap in the forms that the parameter colormap takes.
type colormapBody json.RawMessage

// Schema implements huma.SchemaProvider.
func (colormapBody) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: `Colours by expression, as {"1": "#2166AC", "x > 5": [27, 120, 55, 255]}; intervals; or a gradient`,
		AnyOf:       []*huma.Schema{{Type: huma.TypeObject}, {Type: huma.TypeArray, Items: &huma.Schema{}}},
	}
}

// UnmarshalJSON keeps the text.
func (c *colormapBody) UnmarshalJSON(b []byte) error {
	*c = bytes.Clone(b)
	return nil
}

// MarshalJSON writes the text.
func (c colormapBody) MarshalJSON() ([]byte, error) { return json.RawMessage(c).MarshalJSON() }

type ownColormapJSON struct {
	Name     string          `json:"name"`
	Updated  time.Time       `json:"updated"`
	Colormap json.RawMessage `json:"colormap" doc:"As it was given"`
}

type ownColormapsJSON struct {
	Items []ownColormapJSON `json:"items"`
	Most  int               `json:"most" doc:"How many may be kept"`
}

func (s *Server) apiListOwnColormaps(w http.ResponseWriter, r *http.Request, _ *struct{}) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	var all []*rasterbase.UserColormap
	err = s.view(r.Context(), func(tx store.Tx) (err error) {
		all, err = tx.Colormaps().List(r.Context(), who.Name)
		return err
	})
	if err != nil {
		return err
	}
	out := ownColormapsJSON{Items: []ownColormapJSON{}, Most: maxColormaps}
	for _, m := range all {
		out.Items = append(out.Items, ownColormapJSON{m.Name, m.Updated, m.JSON})
	}
	return writeJSON(w, r, out, true)
}

func (s *Server) apiShowOwnColormap(w http.ResponseWriter, r *http.Request, in *colormapInput) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	var m *rasterbase.UserColormap
	err = s.view(r.Context(), func(tx store.Tx) (err error) {
		m, err = tx.Colormaps().Get(r.Context(), who.Name, in.Name)
		return err
	})
	if err != nil {
		return noColormap(err, in.Name)
	}
	return s.answerColormap(w, r, m, http.StatusOK)
}

func noColormap(err error, name string) error {
	if !errors.Is(err, store.ErrNotExist) {
		return err
	}
	return rasterbase.Errorf(rasterbase.NotFound, "you keep no colormap %.80q", name).
		WithHint("%s/me/colormaps lists those that you keep", apiPath).WithField("name")
}

func (s *Server) answerColormap(w http.ResponseWriter, r *http.Request, m *rasterbase.UserColormap, status int) error {
	body, err := marshal(ownColormapJSON{m.Name, m.Updated, m.JSON})
	if err != nil {
		return fmt.Errorf("write colormap %q as JSON: %w", m.Name, err)
	}
	if status == http.StatusCreated {
		w.Header().Set("Location", fmt.Sprintf("%s%s/me/colormaps/%s", s.root(r), apiPath, pathOf(m.Name)))
	}
	return answer{contentType: "application/json", body: append(body, '\n'), status: status, private: true}.write(w, r)
}

// checkColormapName refuses a name that cannot be asked for.
func checkColormapName(name string) error {
	switch {
	case strings.TrimSpace(name) != name || name == "":
		return rasterbase.Errorf(rasterbase.Invalid, "the name %.80q begins or ends with a space, or is empty", name).WithField("name")
	case utf8.RuneCountInString(name) > maxColormapName:
		return rasterbase.Errorf(rasterbase.Invalid, "the name has %d characters", utf8.RuneCountInString(name)).
			WithHint("at most %d are allowed", maxColormapName).WithField("name")
	case strings.Contains(name, "/"):
		return rasterbase.Errorf(rasterbase.Invalid, "the name %.80q has a slash", name).WithField("name")
	}
	return blame(rasterbase.CheckLine("the name", name), "name")
}

type putColormapInput struct {
	Name string `path:"name" doc:"Name of the colormap, unique among the sender's in any case; at most 100 characters"`
	Body colormapBody
}

func (s *Server) apiPutOwnColormap(w http.ResponseWriter, r *http.Request, in *putColormapInput) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	if err := checkColormapName(in.Name); err != nil {
		return err
	}
	if _, err := legend.ParseColormap(in.Body); err != nil {
		return err
	}
	ctx := r.Context()
	m := &rasterbase.UserColormap{}
	status := http.StatusOK
	err = s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		*m, status = rasterbase.UserColormap{Owner: who.Name, Name: in.Name, JSON: in.Body}, http.StatusOK
		_, err := tx.Colormaps().Get(ctx, who.Name, in.Name) // the catalog knows which names are the same
		if errors.Is(err, store.ErrNotExist) {
			status = http.StatusCreated
			err = roomForColormap(ctx, tx, who.Name)
		}
		if err != nil {
			return err
		}
		return tx.Colormaps().Put(ctx, m)
	})
	if err != nil {
		return err
	}
	return s.answerColormap(w, r, m, status)
}

// roomForColormap refuses more colormaps of an owner than there may be.
func roomForColormap(ctx context.Context, tx store.Tx, owner string) error {
	all, err := tx.Colormaps().List(ctx, owner)
	if err == nil && len(all) >= maxColormaps {
		err = rasterbase.Errorf(rasterbase.Conflict, "you keep %d colormaps, as many as there may be", len(all)).
			WithHint("delete one, or replace one").WithField("name")
	}
	return err
}

func (s *Server) apiDeleteOwnColormap(w http.ResponseWriter, r *http.Request, in *colormapInput) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	err = s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		return tx.Colormaps().Delete(ctx, who.Name, in.Name)
	})
	if err != nil {
		return noColormap(err, in.Name)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// namedColormapJSON is a named colormap in the list.
type namedColormapJSON struct {
	Name     string `json:"name"`
	Group    string `json:"group"`
	Count    int    `json:"count"`    // of its colours
	Reversed string `json:"reversed"` // the name for the reverse
	URL      string `json:"url"`
	Picture  string `json:"picture"`
}

// listColormaps answers the named colormaps.
func (s *Server) listColormaps(w http.ResponseWriter, r *http.Request) error {
	out := struct {
		Items []namedColormapJSON `json:"items"`
	}{}
	root := s.root(r)
	for _, c := range legend.Names() {
		url := root + "/colormaps/" + c.Name
		out.Items = append(out.Items, namedColormapJSON{c.Name, c.Group, c.Colors, c.Name + "_r", url, url + ".svg"})
	}
	return writeJSON(w, r, out, false)
}

// showColormap answers the colours of a named colormap, or its picture.
func (s *Server) showColormap(w http.ResponseWriter, r *http.Request) error {
	name := strings.ToLower(r.PathValue("name"))
	form := path.Ext(name)
	if form != ".png" && form != ".svg" && form != ".json" {
		form = ""
	}
	name = strings.TrimSuffix(name, form)
	colors, err := legend.Colors(name)
	if err != nil {
		if e, ok := asError(err); ok && e.Code == rasterbase.Invalid {
			return rasterbase.Errorf(rasterbase.NotFound, "%s", e.Message).WithHint("%s", e.Hint).WithField("name")
		}
		return err
	}
	if form == ".png" || form == ".svg" {
		o, err := pictureOptions(r.URL.Query())
		if err != nil {
			return err
		}
		shown := pictures.Colors(colors)
		shown.Title = name
		return s.writePicture(w, r, shown, o, form, false)
	}
	return writeJSON(w, r, struct {
		Name   string             `json:"name"`
		Colors []rasterbase.Color `json:"colors"`
	}{name, colors}, false)
}
