package admin

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// settingsOf are the settings of a form as the API takes them: what is empty is left to
// rasterbase.
func settingsOf(form url.Values) (map[string]any, error) {
	out := map[string]any{}
	for _, name := range []string{"datatype", "resampling"} {
		out[name] = given(form.Get(name))
	}
	if form.Has("subdataset") {
		out["subdataset"] = given(strings.TrimSpace(form.Get("subdataset")))
	}
	for _, name := range []string{"srid", "max_zoom", "tile_size"} {
		text := strings.TrimSpace(form.Get(name))
		if out[name] = nil; text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%.40q is no whole number", text).WithField("settings." + name)
		}
		out[name] = n
	}
	if text := strings.TrimSpace(form.Get("nodata")); text == "" {
		out["nodata"] = nil
	} else if v, err := strconv.ParseFloat(text, 64); err != nil || v-v != 0 {
		out["nodata"] = text // nan and inf have names
	} else {
		out["nodata"] = v
	}
	for _, name := range []string{"next_lower", "no_pyramid"} {
		out[name] = form.Get(name) != ""
	}
	return out, nil
}

// given is a text, or nil for an empty one.
func given(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// sourceOf is where the form says that the raster is: an upload that a script has made,
// a file that came with the form, which is uploaded now, an address, or a path.
func (a *Admin) sourceOf(r *http.Request) (map[string]any, error) {
	for _, kind := range []string{"upload", "address", "path"} {
		if v := strings.TrimSpace(r.PostForm.Get(kind)); v != "" {
			return map[string]any{kind: v}, nil
		}
	}
	if r.MultipartForm == nil || len(r.MultipartForm.File["file"]) == 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "no raster is named").
			WithHint("choose a file, or give an address or a path").WithField("source")
	}
	return a.takeFiles(r, r.MultipartForm.File["file"])
}

// takeFiles uploads the raster among the files of a form, with its side-cars.
func (a *Admin) takeFiles(r *http.Request, files []*multipart.FileHeader) (map[string]any, error) {
	var raster *multipart.FileHeader
	var beside []*multipart.FileHeader
	for _, f := range files {
		switch {
		case slices.ContainsFunc(files, func(of *multipart.FileHeader) bool {
			return !looksBeside(of.Filename) && belongs(f.Filename, of.Filename)
		}):
			beside = append(beside, f)
		case raster != nil:
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%.80q and %.80q are two rasters", raster.Filename, f.Filename).
				WithHint("choose one, with its side-car files; JavaScript adds several at once").WithField("source")
		default:
			raster = f
		}
	}
	id := ""
	err := withFile(raster, func(body io.Reader) (err error) {
		id, err = a.upload(r, raster.Filename, raster.Size, body)
		return err
	})
	for _, f := range beside {
		if err != nil {
			break
		}
		if isOverview(f.Filename) {
			continue
		}
		err = withFile(f, func(body io.Reader) error {
			at := "/api/v1/uploads/" + url.PathEscape(id) + "/files/" + url.PathEscape(path.Base(f.Filename))
			_, err := a.ask(r, http.MethodPut, at, body, func(http.Header) {})
			return err
		})
	}
	return map[string]any{"upload": id}, err
}

// looksBeside reports whether a file belongs to some raster, by its name.
func looksBeside(name string) bool { return rasterbase.LooksLikeSidecar(name) || isOverview(name) }

// belongs reports whether a file is one of a raster's: a side-car, or its overviews,
// which nobody needs here.
func belongs(name, raster string) bool {
	return rasterbase.IsSidecar(name, raster) || isOverview(name) && strings.EqualFold(rasterbase.Stem(name), rasterbase.Stem(raster)) ||
		isOverview(name) && strings.EqualFold(rasterbase.Stem(name), raster)
}

func isOverview(name string) bool { return strings.EqualFold(path.Ext(name), ".ovr") }

// withFile reads a file of a form.
func withFile(sent *multipart.FileHeader, do func(io.Reader) error) error {
	f, err := sent.Open()
	if err != nil {
		return fmt.Errorf("admin: open the file of the form: %w", err)
	}
	defer f.Close()
	return do(f)
}

// upload hands a file to the API in one piece.
func (a *Admin) upload(r *http.Request, name string, size int64, body io.Reader) (string, error) {
	w, err := a.ask(r, http.MethodPost, "/api/v1/uploads", body, func(h http.Header) {
		h.Set("Tus-Resumable", "1.0.0")
		h.Set("Content-Type", "application/offset+octet-stream")
		h.Set("Upload-Length", strconv.FormatInt(size, 10))
		h.Set("Upload-Metadata", "filename "+base64.StdEncoding.EncodeToString([]byte(path.Base(name))))
	})
	if err != nil {
		return "", err
	}
	at, err := url.Parse(w.header.Get("Location"))
	if err != nil {
		return "", fmt.Errorf("admin: the upload's address: %w", err)
	}
	return path.Base(at.Path), nil
}

// bigFormOf reads a form that may hold a file.
func (a *Admin) bigFormOf(w http.ResponseWriter, r *http.Request) error {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/form-data") {
		return formOf(w, r)
	}
	r.Body = http.MaxBytesReader(w, r.Body, a.c.MaxForm)
	err := r.ParseMultipartForm(1 << 20)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return rasterbase.Errorf(rasterbase.TooLarge, "the file is larger than a form may be").
			WithHint("with JavaScript it is sent in pieces; `rasterbase import` takes any size").WithField("file")
	}
	if err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "the form cannot be read: %w", err)
	}
	return nil
}

// dropFiles removes the files of a form that was read.
func dropFiles(r *http.Request) {
	if r.MultipartForm != nil {
		_ = r.MultipartForm.RemoveAll() // temporary ones, which the system collects too
	}
}
