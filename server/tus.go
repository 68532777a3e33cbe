package server

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// The version of the protocol, https://tus.io/protocols/resumable-upload, and
// the extensions of it that are answered.
const (
	tusVersion    = "1.0.0"
	tusExtensions = "creation,creation-with-upload,checksum,expiration,termination"
)

// pieceType is the content type of a piece of a file.
const pieceType = "application/offset+octet-stream"

// Headers that pages of other origins may send and read.
const (
	tusSent = "Authorization, Content-Type, If-None-Match, Tus-Resumable, Upload-Checksum, Upload-Length, " +
		"Upload-Metadata, Upload-Offset, X-HTTP-Method-Override, X-Request-ID, X-Requested-With"
	tusAnswered = "ETag, Location, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, Tus-Version, " +
		"Upload-Expires, Upload-Length, Upload-Metadata, Upload-Offset"
	tusMethods = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
)

// tus calls the handler of a method, which a header may tell instead of the
// request itself, once the client speaks our version of the protocol. To GET it
// speaks plain HTTP.
func (s *Server) tus(methods map[string]handler) handler {
	allowed := append(slices.Sorted(maps.Keys(methods)), http.MethodOptions)
	return func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Tus-Resumable", tusVersion)
		h.Set("Cache-Control", "no-store")
		if h.Get("Access-Control-Allow-Origin") != "" {
			h.Set("Access-Control-Expose-Headers", tusAnswered)
		}
		method := cmp.Or(r.Header.Get("X-HTTP-Method-Override"), r.Method)
		do, ok := methods[method]
		if !ok && method == http.MethodHead {
			method = http.MethodGet
			do, ok = methods[method]
		}
		if !ok {
			h.Set("Allow", strings.Join(allowed, ", "))
			return &statusError{http.StatusMethodNotAllowed, rasterbase.Errorf(rasterbase.Invalid, "%.20q is not answered here", method)}
		}
		if got := r.Header.Get("Tus-Resumable"); got != tusVersion && method != http.MethodGet {
			h.Set("Tus-Version", tusVersion)
			return &statusError{http.StatusPreconditionFailed, rasterbase.Errorf(rasterbase.Invalid, "the protocol's version %.20q is not spoken here", got).
				WithHint("send the header Tus-Resumable: %s", tusVersion).WithField("Tus-Resumable")}
		}
		return do(w, r)
	}
}

// uploadOptions tells what the server can do, and browsers what pages of other
// origins may ask for.
func (s *Server) uploadOptions(h http.Header) {
	h.Set("Allow", tusMethods)
	h.Set("Tus-Resumable", tusVersion)
	h.Set("Tus-Version", tusVersion)
	h.Set("Tus-Extension", tusExtensions)
	h.Set("Tus-Checksum-Algorithm", strings.Join(slices.Sorted(maps.Keys(checksums())), ","))
	if s.c.MaxUploadBytes > 0 {
		h.Set("Tus-Max-Size", strconv.FormatInt(s.c.MaxUploadBytes, 10))
	}
	if h.Get("Access-Control-Allow-Origin") != "" {
		h.Set("Access-Control-Allow-Methods", tusMethods+", PUT") // of side-cars
		h.Set("Access-Control-Allow-Headers", tusSent)
		h.Set("Access-Control-Expose-Headers", tusAnswered)
	}
}

// uploadOffset tells how far an upload is.
func (s *Server) uploadOffset(w http.ResponseWriter, r *http.Request) error {
	u, err := s.findUpload(r)
	if err != nil {
		return err
	}
	offset, err := s.received(r.Context(), u)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Upload-Offset", strconv.FormatInt(offset, 10))
	h.Set("Upload-Length", strconv.FormatInt(u.Size, 10))
	h.Set("Upload-Metadata", u.Metadata)
	h.Set("Upload-Expires", httpTime(u.Expires))
	w.WriteHeader(http.StatusOK)
	return nil
}

// createUpload begins an upload. The first piece may come with the request;
// when it fails there is no upload either, since its client does not learn the
// address.
func (s *Server) createUpload(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	who, err := s.uploader(r)
	if err != nil {
		return err
	}
	u, err := s.announced(r)
	if err != nil {
		return err
	}
	u.Owner = who.Name
	withPiece := r.Header.Get("Content-Type") == pieceType
	var p *piece
	if withPiece {
		if p, err = newPiece(r, 0, u.Size); err != nil {
			return err
		}
	}
	if err := s.room(u.Size); err != nil {
		return err
	}
	if err := s.begin(ctx, u); err != nil {
		return err
	}
	h := w.Header()
	if withPiece {
		offset, err := s.take(ctx, u, p, s.arriving(w, r, u))
		if err != nil {
			s.abandon(ctx, u)
			return err
		}
		h.Set("Upload-Offset", strconv.FormatInt(offset, 10))
	}
	// Relative to the address that was asked for, so that it holds under any
	// mount point and behind any proxy.
	h.Set("Location", "./uploads/"+u.ID)
	h.Set("Upload-Expires", httpTime(u.Expires))
	w.WriteHeader(http.StatusCreated)
	return nil
}

// announced reads what the headers tell of a new upload.
func (s *Server) announced(r *http.Request) (*rasterbase.Upload, error) {
	for name, what := range map[string]string{"Upload-Defer-Length": "uploads of unknown length", "Upload-Concat": "uploads in parallel parts"} {
		if r.Header.Get(name) != "" {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "%s are not supported", what).WithField(name)
		}
	}
	size, err := count(r, "Upload-Length")
	if err != nil {
		return nil, err
	}
	if limit := s.c.MaxUploadBytes; limit > 0 && size > limit {
		return nil, rasterbase.Errorf(rasterbase.TooLarge, "the file has %d bytes, and the operator allows %d", size, limit).
			WithHint("the operator can raise RASTER_MAX_SOURCE_BYTES").WithField("Upload-Length")
	}
	u := &rasterbase.Upload{ID: newUploadID(), Size: size, Metadata: r.Header.Get("Upload-Metadata"), Expires: s.expiry()}
	metadata, err := parseMetadata(u.Metadata)
	if err != nil {
		return nil, blame(err, "Upload-Metadata")
	}
	if u.Name, err = fileName(metadata); err != nil {
		return nil, blame(err, "Upload-Metadata")
	}
	return u, nil
}

// begin makes an upload's empty file, and then its record: whoever has the
// address finds both.
func (s *Server) begin(ctx context.Context, u *rasterbase.Upload) (err error) {
	sources := s.c.Store.Sources()
	if u.Source, err = sources.Create(ctx); err != nil {
		return err
	}
	_, err = sources.Append(ctx, u.Source, u.Name, 0, http.NoBody)
	if err == nil {
		err = s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Uploads().Create(ctx, u) })
	}
	if err != nil {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
		defer cancel()
		if failed := sources.Delete(after, u.Source); failed != nil {
			s.c.Log.WarnContext(ctx, "the source of an upload that did not begin is left", "source", u.Source, "error", failed)
		}
	}
	return err
}

// cleanUpTime bounds the work of removing what an error has left.
const cleanUpTime = 10 * time.Second

// abandon removes an upload whose client does not know of it. What cannot be
// removed now expires.
func (s *Server) abandon(ctx context.Context, u *rasterbase.Upload) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	if err := s.removeUpload(ctx, u); err != nil {
		s.c.Log.WarnContext(ctx, "an upload that did not begin is left until it expires", "error", err)
	}
}

// endUpload deletes an upload.
func (s *Server) endUpload(w http.ResponseWriter, r *http.Request) error {
	u, err := s.findUpload(r)
	if err != nil {
		return err
	}
	if err := s.removeUpload(r.Context(), u); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// expiry is when an upload expires that was written to now.
func (s *Server) expiry() time.Time {
	return time.Now().Add(cmp.Or(s.c.UploadExpiry, DefaultUploadExpiry))
}

// room fails when the disk has no room for n more bytes.
func (s *Server) room(n int64) error {
	if s.c.FreeDisk == nil {
		return nil
	}
	free, err := s.c.FreeDisk()
	if err != nil {
		return fmt.Errorf("looking how much of the disk is free: %w", err)
	}
	if free-s.c.MinFreeDisk < n {
		return &statusError{http.StatusInsufficientStorage, rasterbase.Errorf(rasterbase.TooLarge, "the server has no room for %d bytes", n).
			WithHint("its operator can free some space")}
	}
	return nil
}

// count reads a header that is a number of bytes.
func count(r *http.Request, name string) (int64, error) {
	text := r.Header.Get(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || text[0] < '0' {
		return 0, rasterbase.Errorf(rasterbase.Invalid, "the header %s is %.30q, not a number of bytes", name, text).WithField(name)
	}
	return n, nil
}

// httpTime writes a time as HTTP's headers have it: in whole seconds, the part
// of one left out.
func httpTime(t time.Time) string { return t.UTC().Format(http.TimeFormat) }
