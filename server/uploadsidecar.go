package server

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// maxSidecars bounds how many side-cars are kept with an upload.
const maxSidecars = 40

// putSidecar keeps a side-car beside the file of an upload, in place of one of that name.
// It is sent whole, in one request: side-cars are small.
func (s *Server) putSidecar(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Tus-Resumable", tusVersion) // as all that is below uploads
	u, err := s.findUpload(r)
	if err != nil {
		return err
	}
	name := r.PathValue("file")
	if err := s.checkSidecar(r, u, name); err != nil {
		return err
	}
	limit := s.c.MaxUploadBytes
	if limit <= 0 {
		limit = 1 << 50
	}
	if r.ContentLength > limit {
		return sidecarTooLong(name, limit)
	}
	if err := s.room(max(0, r.ContentLength)); err != nil {
		return err
	}
	body := s.arriving(w, r, u)
	defer body.answered()
	key := u.ID + "/" + name
	if err := s.uploading.enter(r.Context(), key, body); err != nil {
		return err
	}
	defer s.uploading.leave(key, body)
	_, err = s.c.Store.Sources().Put(r.Context(), u.Source, spelledAs(u.Name, name), &limited{r: body, left: limit, err: sidecarTooLong(name, limit)})
	switch code := rasterbase.CodeOf(err); {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
		return nil
	case errors.Is(err, store.ErrNotExist):
		return uploadGone("the upload was deleted meanwhile")
	case code == rasterbase.TooLarge:
		return err
	}
	return body.failed(err)
}

// spelledAs is a side-car's name with upper and lower case as its raster has them: formats
// look for the one with the raster's.
func spelledAs(raster, name string) string {
	for _, begin := range []string{raster, rasterbase.Stem(raster)} {
		if n := len(begin); len(name) > n && strings.EqualFold(name[:n], begin) {
			return begin + name[n:]
		}
	}
	return name
}

// checkSidecar refuses names that are not those of a side-car of an upload.
func (s *Server) checkSidecar(r *http.Request, u *rasterbase.Upload, name string) error {
	if strings.ContainsFunc(name, rasterbase.Misleads) || !rasterbase.IsSidecar(name, u.Name) {
		return rasterbase.Errorf(rasterbase.Invalid, "%.80q is no side-car of %.80q", name, u.Name).
			WithHint("side-cars are called as the raster is, with another ending: .tfw, .prj, .aux.xml").WithField("file")
	}
	if err := store.CheckFileName(name); err != nil {
		return blame(err, "file")
	}
	files, err := s.c.Store.Sources().Files(r.Context(), u.Source)
	if err != nil {
		return err
	}
	if len(files) > maxSidecars {
		return rasterbase.Errorf(rasterbase.TooLarge, "the upload has %d files", len(files)).WithHint("send the raster and its side-cars as a zip")
	}
	return nil
}

func sidecarTooLong(name string, limit int64) error {
	return rasterbase.Errorf(rasterbase.TooLarge, "%s has more than the %d bytes that the operator allows", name, limit).WithField("file")
}

// limited reads no more than some bytes, and fails if there are more.
type limited struct {
	r    io.Reader
	left int64
	err  error
}

func (l *limited) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	if l.left -= int64(n); l.left < 0 {
		return 0, l.err
	}
	return n, err
}
