package server

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// DefaultUploadExpiry is how long an upload stays after its last piece.
const DefaultUploadExpiry = 7 * 24 * time.Hour

// uploadsPath is where uploads are, below the root.
const uploadsPath = "/api/v1/uploads"

// isUploadPath reports whether a path is one of the routes of uploads.
func isUploadPath(path string) bool {
	return path == uploadsPath || strings.HasPrefix(path, uploadsPath+"/")
}

// uploadRoutes are the routes by which files are sent: in the tus protocol, and
// two that tell programs of them in JSON. All that is known of an upload is in
// the store, so that each piece may go to another server.
func (s *Server) uploadRoutes() map[string]handler {
	all := s.tus(map[string]handler{http.MethodGet: s.listUploads, http.MethodPost: s.createUpload})
	one := s.tus(map[string]handler{
		http.MethodGet: s.showUpload, http.MethodHead: s.uploadOffset,
		http.MethodPatch: s.addToUpload, http.MethodDelete: s.endUpload,
	})
	return map[string]handler{
		"GET /api/v1/uploads":                   all,
		"POST /api/v1/uploads":                  all,
		"GET /api/v1/uploads/{id}":              one,
		"POST /api/v1/uploads/{id}":             one, // in place of a method that a proxy does not let through
		"PATCH /api/v1/uploads/{id}":            one,
		"DELETE /api/v1/uploads/{id}":           one,
		"PUT /api/v1/uploads/{id}/files/{file}": s.putSidecar,
	}
}

// uploadJSON is an upload as it is listed.
type uploadJSON struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"` // of the file
	Owner    string    `json:"owner"`
	Size     int64     `json:"size"`   // of the whole file, in bytes
	Offset   int64     `json:"offset"` // how many of them are there
	Complete bool      `json:"complete"`
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires"`            // it may be deleted then
	Sidecars []string  `json:"sidecars,omitempty"` // of the file; told of one upload, and not in the list
}

func uploadDocument(u *rasterbase.Upload, offset int64) uploadJSON {
	return uploadJSON{ID: u.ID, Name: u.Name, Owner: u.Owner, Size: u.Size, Offset: offset,
		Complete: offset == u.Size, Created: u.Created, Expires: u.Expires}
}

// listUploads answers the sender's uploads, and an administrator's question
// with those of everybody.
func (s *Server) listUploads(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	who, err := s.uploader(r)
	if err != nil {
		return err
	}
	manages, err := s.manages(ctx, who)
	if err != nil {
		return err
	}
	var all []*rasterbase.Upload
	err = s.view(ctx, func(tx store.Tx) (err error) {
		all, err = tx.Uploads().List(ctx)
		return err
	})
	if err != nil {
		return err
	}
	out := struct {
		Items []uploadJSON `json:"items"`
	}{[]uploadJSON{}}
	for _, u := range all {
		if u.Owner != who.Name && !manages || expired(u) {
			continue
		}
		offset, err := s.received(ctx, u)
		if errors.Is(err, store.ErrNotExist) {
			continue // deleted a moment ago
		}
		if err != nil {
			return err
		}
		out.Items = append(out.Items, uploadDocument(u, offset))
	}
	return writeJSON(w, r, out, true)
}

// showUpload answers one upload.
func (s *Server) showUpload(w http.ResponseWriter, r *http.Request) error {
	u, err := s.findUpload(r)
	if err != nil {
		return err
	}
	offset, err := s.received(r.Context(), u)
	if err != nil {
		return err
	}
	out := uploadDocument(u, offset)
	files, err := s.c.Store.Sources().Files(r.Context(), u.Source)
	if err != nil {
		return err
	}
	for _, name := range files {
		if name != u.Name {
			out.Sidecars = append(out.Sidecars, name)
		}
	}
	return writeJSON(w, r, out, true)
}

// uploader is who sent the request, if they may upload.
func (s *Server) uploader(r *http.Request) (rasterbase.Principal, error) {
	who, err := s.signedIn(r)
	if err != nil {
		return who, err
	}
	return who, s.c.Auth.May(r.Context(), who, rasterbase.Edit, nil)
}

// manages reports whether somebody may see what belongs to others.
func (s *Server) manages(ctx context.Context, who rasterbase.Principal) (bool, error) {
	err := s.c.Auth.May(ctx, who, rasterbase.Manage, nil)
	switch rasterbase.CodeOf(err) {
	case rasterbase.Unauthorized, rasterbase.Forbidden:
		return false, nil
	}
	return err == nil, err
}

// findUpload finds the upload of a request's path, if it is the sender's or the
// sender is an administrator. Others are answered as if it did not exist.
func (s *Server) findUpload(r *http.Request) (*rasterbase.Upload, error) {
	ctx := r.Context()
	who, err := s.uploader(r)
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	if !isUploadID(id) {
		return nil, noUpload()
	}
	var u *rasterbase.Upload
	err = s.view(ctx, func(tx store.Tx) (err error) {
		u, err = tx.Uploads().Get(ctx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	if u.Owner != who.Name {
		if manages, err := s.manages(ctx, who); err != nil {
			return nil, err
		} else if !manages {
			return nil, noUpload()
		}
	}
	if expired(u) {
		return nil, uploadGone("the upload has expired")
	}
	return u, nil
}

func noUpload() error { return store.NotFound("there is no such upload") }

// uploadGone is the error of an upload that was there.
func uploadGone(why string) error {
	return &statusError{http.StatusGone, &rasterbase.Error{Code: rasterbase.NotFound, Message: why,
		Hint: "send the file again, as a new upload", Err: store.ErrNotExist}}
}

func expired(u *rasterbase.Upload) bool { return !time.Now().Before(u.Expires) }

// newUploadID makes an id that nobody can guess.
func newUploadID() string { return strings.ToLower(rand.Text()) }

// isUploadID reports whether an id may be one that newUploadID made.
func isUploadID(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// received is how many bytes of an upload are there. The error matches
// store.ErrNotExist when its file has vanished.
func (s *Server) received(ctx context.Context, u *rasterbase.Upload) (int64, error) {
	f, err := s.c.Store.Sources().Open(ctx, u.Source, u.Name)
	if errors.Is(err, store.ErrNotExist) {
		return 0, uploadGone("the bytes of the upload are gone")
	}
	if err != nil {
		return 0, err
	}
	size := f.Size()
	return size, f.Close()
}

// removeUpload deletes an upload: its record first, so that a layer that is
// made of it at the same time either has the file or finds no upload.
func (s *Server) removeUpload(ctx context.Context, u *rasterbase.Upload) error {
	err := s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		if _, err := tx.Uploads().Get(ctx, u.ID); err != nil {
			return err
		}
		return tx.Uploads().Delete(ctx, u.ID)
	})
	if err != nil {
		return err
	}
	if err := s.c.Store.Sources().Delete(ctx, u.Source); err != nil {
		// The upload is gone for everybody; the collector of garbage takes the file.
		s.c.Log.WarnContext(ctx, "the file of an upload could not be deleted", "source", u.Source, "error", err)
	}
	return nil
}
