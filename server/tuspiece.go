package server

import (
	"context"
	"crypto/sha1" //nolint:gosec // the protocol asks for it; it guards against accidents only
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// statusChecksum is the protocol's own: the piece has another checksum.
const statusChecksum = 460

// piece is what a request wants to add to an upload.
type piece struct {
	offset, rest int64     // rest is what the file lacks
	length       int64     // -1: unknown
	hash         hash.Hash // nil: none is given
	sum          []byte
}

// newPiece reads what the headers tell of a piece for a file of size bytes.
func newPiece(r *http.Request, offset, size int64) (_ *piece, err error) {
	p := &piece{offset: offset, rest: size - offset, length: r.ContentLength}
	if p.length > p.rest {
		return nil, p.tooLong()
	}
	if given := r.Header.Get("Upload-Checksum"); given != "" {
		if p.hash, p.sum, err = parseChecksum(given); err != nil {
			return nil, blame(err, "Upload-Checksum")
		}
	}
	return p, nil
}

// most is how many bytes the piece has, or how many it can have.
func (p *piece) most() int64 {
	if p.length < 0 {
		return p.rest
	}
	return p.length
}

func (p *piece) tooLong() error {
	return rasterbase.Errorf(rasterbase.TooLarge, "the piece is longer than the %d bytes that the file lacks", p.rest)
}

// addToUpload adds a piece to an upload.
func (s *Server) addToUpload(w http.ResponseWriter, r *http.Request) error {
	u, err := s.findUpload(r)
	if err != nil {
		return err
	}
	if got := r.Header.Get("Content-Type"); got != pieceType {
		return &statusError{http.StatusUnsupportedMediaType, rasterbase.Errorf(rasterbase.Invalid, "the content type is %.60q", got).
			WithHint("send %s", pieceType).WithField("Content-Type")}
	}
	offset, err := count(r, "Upload-Offset")
	if err != nil {
		return err
	}
	body := s.arriving(w, r, u)
	if err := s.uploading.enter(r.Context(), u.ID, body); err != nil {
		return err
	}
	defer s.uploading.leave(u.ID, body)
	have, err := s.received(r.Context(), u)
	if err != nil {
		return err
	}
	if have != offset {
		return rasterbase.Errorf(rasterbase.Conflict, "%d bytes are there, not %d", have, offset).
			WithHint("ask with HEAD where to go on").WithField("Upload-Offset")
	}
	p, err := newPiece(r, offset, u.Size)
	if err != nil {
		return err
	}
	if err := s.room(p.most()); err != nil {
		return err
	}
	if err := s.extend(r.Context(), u); err != nil {
		return err
	}
	if offset, err = s.take(r.Context(), u, p, body); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Upload-Offset", strconv.FormatInt(offset, 10))
	h.Set("Upload-Expires", httpTime(u.Expires))
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// extend puts off the time when an upload expires.
func (s *Server) extend(ctx context.Context, u *rasterbase.Upload) error {
	until := s.expiry()
	err := s.c.Store.Catalog().Update(ctx, func(tx store.Tx) error {
		now, err := tx.Uploads().Get(ctx, u.ID)
		if err != nil {
			return err
		}
		now.Expires = until
		return tx.Uploads().Update(ctx, now)
	})
	if err == nil {
		u.Expires = until
	}
	return err
}

// take adds the body of a request to an upload's file and returns how long the
// file is then. What arrived stays, however the body ends, unless it has a
// checksum: then nothing stays but what has been checked.
func (s *Server) take(ctx context.Context, u *rasterbase.Upload, p *piece, body *arriving) (int64, error) {
	defer body.answered()
	from := io.LimitReader(body, p.rest)
	if p.hash != nil {
		f, err := s.checked(body, p)
		if err != nil {
			return 0, body.failed(err)
		}
		defer func() {
			_ = f.Close() // it was read to its end
			_ = os.Remove(f.Name())
		}()
		from = f
	}
	size, err := s.c.Store.Sources().Append(ctx, u.Source, u.Name, p.offset, from)
	switch {
	case errors.Is(err, store.ErrNotExist):
		return 0, uploadGone("the upload was deleted meanwhile")
	case rasterbase.CodeOf(err) == rasterbase.Conflict:
		// The offset was right a moment ago.
		return 0, &statusError{http.StatusLocked, rasterbase.Errorf(rasterbase.Conflict, "another request is adding to the upload: %w", err).
			WithHint("ask with HEAD where to go on")}
	case rasterbase.CodeOf(err) == rasterbase.TooLarge:
		return 0, &statusError{http.StatusInsufficientStorage, err}
	case err != nil:
		return 0, body.failed(err)
	}
	if p.hash == nil {
		switch n, err := io.ReadFull(body, make([]byte, 1)); {
		case n > 0:
			return 0, p.tooLong()
		case !errors.Is(err, io.EOF):
			return 0, body.failed(err)
		}
	}
	return size, nil
}

// checked keeps a piece in a temporary file, positioned at its start, once the
// checksum turned out to be right.
func (s *Server) checked(body io.Reader, p *piece) (_ *os.File, err error) {
	f, err := os.CreateTemp(s.c.WorkDir, "rasterbase-piece-*")
	if err != nil {
		return nil, fmt.Errorf("keeping a piece of an upload: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.Close() // there is an error already
			_ = os.Remove(f.Name())
		}
	}()
	// Where an open file can lose its name nothing is left of it after a crash.
	_ = os.Remove(f.Name())
	n, err := io.Copy(f, io.TeeReader(io.LimitReader(body, p.rest+1), p.hash))
	if err != nil {
		return nil, fmt.Errorf("keeping a piece of an upload: %w", err)
	}
	if n > p.rest {
		return nil, p.tooLong()
	}
	if subtle.ConstantTimeCompare(p.hash.Sum(nil), p.sum) == 0 {
		return nil, &statusError{statusChecksum, rasterbase.Errorf(rasterbase.Invalid, "the piece has another checksum: it was damaged on its way").
			WithHint("send it again").WithField("Upload-Checksum")}
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("reading a piece of an upload: %w", err)
	}
	return f, nil
}

// checksums are the algorithms that pieces may be checked by.
func checksums() map[string]func() hash.Hash {
	return map[string]func() hash.Hash{
		"crc32": func() hash.Hash { return crc32.NewIEEE() }, "sha1": sha1.New, "sha256": sha256.New,
	}
}

// parseChecksum reads the header Upload-Checksum: an algorithm, a space and the
// checksum in base64.
func parseChecksum(header string) (hash.Hash, []byte, error) {
	algorithm, encoded, _ := strings.Cut(header, " ")
	known := checksums()
	algorithmNew, ok := known[algorithm]
	if !ok {
		return nil, nil, rasterbase.Errorf(rasterbase.Invalid, "checksums by %.30q are not supported", algorithm).
			WithHint("one of %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
	}
	h := algorithmNew()
	sum, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(sum) != h.Size() {
		return nil, nil, rasterbase.Errorf(rasterbase.Invalid, "%.100q is no checksum by %s in base64", encoded, algorithm)
	}
	return h, sum, nil
}
