package server

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func (s *Server) exportOperations(a *api) {
	told := response{text: "The export as it is now", kind: exportJSON{}}
	made := told
	made.located = true
	register(a, operation{
		id: "list-exports", method: http.MethodGet, path: "/exports", tag: tagExports, summary: "List one's exports",
		detail: "The newest first. Those who may manage the server can see everybody's.", access: member,
		answers: map[int]response{200: {text: "Exports", kind: exportsJSON{}}}, errors: []int{400},
	}, s.apiListExports)
	register(a, operation{
		id: "create-export", method: http.MethodPost, path: "/exports", tag: tagExports, summary: "Make an export in the background",
		detail: "The parameters are those of /export, and with format csv, ndjson or json those of /valuecount, /statistics and /crosstab. " +
			"The layers are named by their ids from then on. " +
			"The right to read each of them is needed now, and when the file is fetched.",
		access: member, most: maxExportBody, answers: map[int]response{202: made}, errors: []int{404, 507},
		example: exportBody{Layers: "a=land-cover", Format: "cog", BBox: textOrList(`[-180, -80, 180, 80]`)},
	}, s.apiCreateExport)
	register(a, operation{
		id: "get-export", method: http.MethodGet, path: "/exports/{id}", tag: tagExports, summary: "Show an export", access: member,
		answers: map[int]response{200: told}, errors: []int{400},
	}, s.apiShowExport)
	register(a, operation{
		id: "get-export-file", method: http.MethodGet, path: "/exports/{id}/file", tag: tagExports, summary: "Fetch the file of an export",
		detail: "Parts of it too, with Range. It needs the right to read each layer that the file is made of, as they are now.",
		access: member, answers: map[int]response{200: {text: "The file", media: fileType}, 206: {text: "A part of it", media: fileType}},
		errors: []int{400, 409, 410, 416},
	}, s.apiExportFile)
	register(a, operation{
		id: "delete-export", method: http.MethodDelete, path: "/exports/{id}", tag: tagExports, summary: "Delete an export",
		detail: "One that is being made is stopped.", access: member,
		answers: map[int]response{204: {text: "It is gone"}}, errors: []int{400},
	}, s.apiDeleteExport)
}

// textOrList is a member that can be a text, a number, a list of them, or JSON.
type textOrList json.RawMessage

// Schema implements huma.SchemaProvider.
func (textOrList) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{
		{Type: huma.TypeString}, {Type: huma.TypeNumber}, {Type: huma.TypeArray, Items: &huma.Schema{}}, {Type: huma.TypeObject},
	}}
}

// UnmarshalJSON keeps the text.
func (t *textOrList) UnmarshalJSON(b []byte) error {
	*t = append(textOrList(nil), b...)
	return nil
}

// MarshalJSON writes the text.
func (t textOrList) MarshalJSON() ([]byte, error) { return json.RawMessage(t).MarshalJSON() }

// exportBody is what is asked for. Its members are the parameters of /export, and of
// counts.
type exportBody struct {
	Layers      string     `json:"layers" doc:"a=1, or names of several layers and bands: a=1,b:2=4, where bands count from 0"`
	Formula     string     `json:"formula,omitempty" doc:"In these names"`
	Grid        string     `json:"grid,omitempty" doc:"The name whose own pixels are exported where no zoom is given"`
	Format      string     `json:"format,omitempty" enum:"zip,tif,cog,mbtiles,pmtiles,csv,ndjson,json" doc:"zip where it is not given; csv, ndjson and json hold counts"`
	BBox        textOrList `json:"bbox,omitempty" doc:"west,south,east,north in degrees"`
	Geom        textOrList `json:"geom,omitempty" doc:"A polygon as GeoJSON, WKT or EWKT"`
	SRID        int        `json:"srid,omitempty" minimum:"1" doc:"CRS of geom; 4326 where it does not say"`
	Zoom        *int       `json:"zoom,omitempty" minimum:"0" doc:"Of values; without it, the source's own pixels"`
	MinZoom     *int       `json:"minzoom,omitempty" minimum:"0" doc:"Of tiles"`
	MaxZoom     *int       `json:"maxzoom,omitempty" minimum:"0" doc:"Of tiles"`
	Compress    string     `json:"compress,omitempty" doc:"Of values, such as DEFLATE or ZSTD"`
	TileFormat  string     `json:"tile_format,omitempty" enum:"png,jpg,webp"`
	FileName    string     `json:"filename,omitempty"`
	Description string     `json:"description,omitempty" doc:"For README.txt, and of a tile set"`

	Count       string     `json:"count,omitempty" enum:"valuecount,statistics,crosstab" doc:"Of csv, ndjson and json: what is counted; valuecount where it is not given"`
	Zones       textOrList `json:"zones,omitempty" doc:"GeoJSON with many features, each of which is counted by itself"`
	ID          string     `json:"id,omitempty" doc:"The property that names zones"`
	Coverage    string     `json:"coverage,omitempty" enum:"center,touched,fraction" doc:"Which pixels are counted"`
	AllTouched  bool       `json:"all_touched,omitempty"`
	Densify     *bool      `json:"densify,omitempty" doc:"false: edges are straight in the layer's CRS"`
	Group       string     `json:"group,omitempty" enum:"auto,value,legend,semantics,histogram,none"`
	Bins        int        `json:"bins,omitempty" minimum:"1"`
	Range       textOrList `json:"range,omitempty" doc:"min,max of bins"`
	Area        string     `json:"area,omitempty" enum:"m2,ha,km2,acres"`
	Stats       textOrList `json:"stats,omitempty" doc:"Statistics, or all"`
	Percentiles textOrList `json:"percentiles,omitempty" doc:"From 0 to 100"`

	Legend            textOrList `json:"legend,omitempty" doc:"Id or title"`
	Store             string     `json:"store,omitempty" enum:"session,database"`
	Colormap          textOrList `json:"colormap,omitempty"`
	ColormapName      string     `json:"colormap_name,omitempty"`
	Entries           textOrList `json:"entries,omitempty"`
	Rescale           textOrList `json:"rescale,omitempty" doc:"min,max"`
	Scale             textOrList `json:"scale,omitempty" doc:"Of three layers r, g and b"`
	Alpha             bool       `json:"alpha,omitempty"`
	BIdx              textOrList `json:"bidx,omitempty" doc:"Bands of one layer, counted from 1"`
	TileSize          int        `json:"tilesize,omitempty" minimum:"1"`
	Resampling        string     `json:"resampling,omitempty"`
	Unscale           bool       `json:"unscale,omitempty"`
	Algorithm         string     `json:"algorithm,omitempty"`
	AlgorithmParams   textOrList `json:"algorithm_params,omitempty"`
	Background        string     `json:"background,omitempty"`
	EnhanceColor      *float64   `json:"enhance_color,omitempty"`
	EnhanceContrast   *float64   `json:"enhance_contrast,omitempty"`
	EnhanceBrightness *float64   `json:"enhance_brightness,omitempty"`
	EnhanceSharpness  *float64   `json:"enhance_sharpness,omitempty"`
}

// parameters are the members as parameters of an address.
func (b exportBody) parameters() (url.Values, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("write the parameters of an export: %w", err)
	}
	return valuesOfJSON(text)
}

// exportJSON is an export as it is told.
type exportJSON struct {
	ID          rasterbase.ExportID  `json:"id"`
	Owner       string               `json:"owner"`
	Status      rasterbase.Status    `json:"status"`
	Percent     float64              `json:"percent"`
	SecondsLeft *float64             `json:"seconds_left,omitempty" doc:"About"`
	Error       string               `json:"error,omitempty"`
	FileName    string               `json:"file_name,omitempty"`
	Size        int64                `json:"size,omitempty" doc:"In bytes"`
	Layers      []rasterbase.LayerID `json:"layers" doc:"That are read, those that formulas read included"`
	Parameters  url.Values           `json:"parameters" doc:"That were asked for"`
	Created     time.Time            `json:"created"`
	Started     *time.Time           `json:"started,omitempty"`
	Ended       *time.Time           `json:"ended,omitempty"`
	Expires     *time.Time           `json:"expires,omitempty" doc:"When it is deleted, with its file"`
	URLs        exportURLs           `json:"urls"`
}

type exportURLs struct {
	Self string `json:"self"`
	File string `json:"file,omitempty" doc:"Once it is finished"`
}

type exportsJSON struct {
	Items []exportJSON `json:"items"`
	Total int          `json:"total"`
}

func (s *Server) exportDocument(r *http.Request, e *rasterbase.Export) (exportJSON, error) {
	self := s.root(r) + exportPath(e.ID)
	out := exportJSON{
		ID: e.ID, Owner: e.Owner, Status: e.Status, Error: e.Error, FileName: e.FileName, Size: e.Size, Layers: e.Layers,
		Created: e.Created, Started: stamp(e.Started), Ended: stamp(e.Ended), Expires: stamp(e.Expires), URLs: exportURLs{Self: self},
	}
	if out.Layers == nil {
		out.Layers = []rasterbase.LayerID{}
	}
	if err := json.Unmarshal(e.Request, &out.Parameters); err != nil {
		return out, fmt.Errorf("read the request of export %d: %w", e.ID, err)
	}
	switch {
	case e.Status == rasterbase.Finished:
		out.Percent, out.URLs.File = 100, self+"/file"
	case e.Planned > 0:
		share := min(1, float64(e.Done)/float64(e.Planned))
		out.Percent = 100 * share
		if e.Status == rasterbase.Running && share > 0 && !e.Started.IsZero() {
			left := max(0, time.Since(e.Started).Seconds()*(1-share)/share)
			out.SecondsLeft = &left
		}
	}
	return out, nil
}

func exportPath(id rasterbase.ExportID) string { return fmt.Sprintf("%s/exports/%d", apiPath, id) }

// maxListedText is how much the list tells of a parameter, in bytes: a polygon can be
// long. An export by itself has it whole.
const maxListedText = 1000

type exportsInput struct {
	All   bool `query:"all" doc:"Everybody's, for those who may manage the server"`
	Limit int  `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

func (s *Server) apiListExports(w http.ResponseWriter, r *http.Request, in *exportsInput) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	owner := who.Name
	if in.All {
		if err := s.c.Auth.May(r.Context(), who, rasterbase.Manage, nil); err != nil {
			return err
		}
		owner = ""
	}
	all, err := s.exportsOf(r.Context(), owner)
	if err != nil {
		return err
	}
	out := exportsJSON{Items: []exportJSON{}, Total: len(all)}
	for _, e := range all[:min(in.Limit, len(all))] {
		one, err := s.exportDocument(r, e)
		if err != nil {
			return err
		}
		for _, values := range one.Parameters {
			for i, v := range values {
				values[i] = cut(v, maxListedText)
			}
		}
		out.Items = append(out.Items, one)
	}
	return writeJSON(w, r, out, true)
}

type createExportInput struct {
	Body exportBody
}

func (s *Server) apiCreateExport(w http.ResponseWriter, r *http.Request, in *createExportInput) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	params, err := in.Body.parameters()
	if err != nil {
		return err
	}
	o, err := s.orderOf(r, who, params)
	if err != nil {
		return err
	}
	x, err := s.exports()
	if err != nil {
		return err
	}
	p, err := x.planNow(r.Context(), o)
	if err != nil {
		return err
	}
	return s.exportLater(w, r, p, http.StatusAccepted)
}

// exportLater notes an export to be made, and tells where it is.
func (s *Server) exportLater(w http.ResponseWriter, r *http.Request, p *exportPlan, status int) error {
	if err := s.room(p.bytes); err != nil {
		return err
	}
	e, err := s.queueExport(r.Context(), p)
	if err != nil {
		return err
	}
	out, err := s.exportDocument(r, e)
	if err != nil {
		return err
	}
	body, err := marshal(out)
	if err != nil {
		return fmt.Errorf("write an export as JSON: %w", err)
	}
	w.Header().Set("Location", out.URLs.Self)
	return answer{contentType: "application/json", body: append(body, '\n'), private: true, status: status}.write(w, r)
}

type exportInput struct {
	ID int64 `path:"id" minimum:"1"`
}

// ownExport finds an export of the sender, or anybody's for those who manage the
// server. Others are answered as if it did not exist.
func (s *Server) ownExport(r *http.Request, id int64) (*rasterbase.Export, rasterbase.Principal, error) {
	ctx := r.Context()
	none := rasterbase.Errorf(rasterbase.NotFound, "there is no export %d of yours", id).WithHint("api/v1/exports lists them").WithField("id")
	who, err := s.signedIn(r)
	if err != nil {
		return nil, who, err
	}
	var e *rasterbase.Export
	stale := false
	err = s.view(ctx, func(tx store.Tx) (err error) {
		if e, err = tx.Exports().Get(ctx, rasterbase.ExportID(id)); err == nil {
			stale, err = s.settle(ctx, tx, e)
		}
		return err
	})
	if errors.Is(err, store.ErrNotExist) {
		return nil, who, none
	}
	if err != nil {
		return nil, who, err
	}
	if e.Owner != who.Name {
		switch manages, err := s.manages(ctx, who); {
		case err != nil:
			return nil, who, err
		case !manages:
			return nil, who, none
		}
	}
	if stale {
		err = s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
			now, err := tx.Exports().Get(ctx, e.ID)
			if err != nil {
				return err
			}
			if _, err := s.settle(ctx, tx, now); err != nil {
				return err
			}
			e = now
			return tx.Exports().Update(ctx, now)
		})
	}
	if errors.Is(err, store.ErrNotExist) {
		return nil, who, none
	}
	return e, who, err
}

func (s *Server) apiShowExport(w http.ResponseWriter, r *http.Request, in *exportInput) error {
	e, _, err := s.ownExport(r, in.ID)
	if err != nil {
		return err
	}
	out, err := s.exportDocument(r, e)
	if err != nil {
		return err
	}
	return writeJSON(w, r, out, true)
}

func (s *Server) apiExportFile(w http.ResponseWriter, r *http.Request, in *exportInput) error {
	e, who, err := s.ownExport(r, in.ID)
	if err != nil {
		return err
	}
	switch {
	case e.Status == rasterbase.Failed || e.Status == rasterbase.Cancelled:
		return rasterbase.Errorf(rasterbase.Conflict, "the export was %s: it has no file", e.Status).WithHint("ask for it again")
	case e.Status != rasterbase.Finished:
		return rasterbase.Errorf(rasterbase.Conflict, "the export is %s: its file is not there yet", e.Status).
			WithHint("%s tells how far it is", strings.TrimPrefix(exportPath(e.ID), "/"))
	case !e.Expires.IsZero() && time.Now().After(e.Expires):
		return exportFileGone()
	}
	if err := s.mayFetch(r.Context(), who, e); err != nil {
		return err
	}
	f, err := s.c.Store.Sources().Open(r.Context(), e.Source, e.FileName)
	if errors.Is(err, store.ErrNotExist) {
		return exportFileGone()
	}
	if err != nil {
		return err
	}
	defer f.Close()
	h := w.Header()
	private(h)
	fileHeaders(h, mediaOf(e), e.FileName)
	h.Set("ETag", fmt.Sprintf(`"export-%d-%x"`, e.ID, e.Ended.UnixNano()))
	http.ServeContent(&unhurried{ResponseWriter: w, control: http.NewResponseController(w), idle: sendIdle}, r, "", e.Ended, f)
	return nil
}

func exportFileGone() error {
	return &statusError{http.StatusGone, rasterbase.Errorf(rasterbase.NotFound, "the file of this export has expired").WithHint("ask for it again")}
}

// mediaOf is the type of an export's file.
func mediaOf(e *rasterbase.Export) string {
	var params url.Values
	if json.Unmarshal(e.Request, &params) != nil {
		return fileType
	}
	return cmp.Or(exportForms[cmp.Or(strings.ToLower(params.Get("format")), "zip")].media, fileType)
}

// mayFetch tells whether somebody still has the right to all that a file is made of.
func (s *Server) mayFetch(ctx context.Context, who rasterbase.Principal, e *rasterbase.Export) error {
	var layers []*rasterbase.Layer
	err := s.view(ctx, func(tx store.Tx) error {
		layers = nil
		for _, id := range e.Layers {
			l, err := tx.Layers().Get(ctx, id)
			if errors.Is(err, store.ErrNotExist) {
				return rasterbase.Errorf(rasterbase.NotFound, "the file is made of layer %d, which is gone", id).WithHint("delete the export")
			}
			if err != nil {
				return err
			}
			layers = append(layers, l)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, l := range layers {
		switch err := s.c.Auth.May(ctx, who, rasterbase.Read, l); rasterbase.CodeOf(err) {
		case "":
		case rasterbase.Forbidden, rasterbase.Unauthorized:
			return rasterbase.Errorf(rasterbase.Forbidden, "the file is made of layer %d, which you may not read any more", l.ID)
		default:
			return err
		}
	}
	return nil
}

func (s *Server) apiDeleteExport(w http.ResponseWriter, r *http.Request, in *exportInput) error {
	ctx := r.Context()
	e, _, err := s.ownExport(r, in.ID)
	if err != nil {
		return err
	}
	source := ""
	err = s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		source = ""
		now, err := tx.Exports().Get(ctx, e.ID)
		if errors.Is(err, store.ErrNotExist) {
			return nil // somebody else deleted it
		}
		if err != nil {
			return err
		}
		source = now.Source
		if err := tx.Jobs().CancelGroup(ctx, exportGroup(e.ID), 0); err != nil {
			return err
		}
		return tx.Exports().Delete(ctx, e.ID)
	})
	if err != nil {
		return err
	}
	if source != "" {
		if err := s.c.Store.Sources().Delete(ctx, source); err != nil {
			// It is gone for everybody; the collector of garbage takes the file.
			s.c.Log.WarnContext(ctx, "the file of an export could not be deleted", "source", source, "error", err)
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
