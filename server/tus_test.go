package server_test

import (
	"crypto/sha1" //nolint:gosec // of the protocol
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/server"
	"github.com/rasterbase/rasterbase/store"
)

type uploadDocument struct {
	ID, Name, Owner  string
	Size, Offset     int64
	Complete         bool
	Created, Expires time.Time
}

func decodeReply[T any](t *testing.T, r reply) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.want(t, http.StatusOK).body), &v); err != nil {
		t.Fatalf("%v in %.300s", err, r.body)
	}
	return v
}

type uploadList struct{ Items []uploadDocument }

// An upload from its beginning to its end.
func TestAnUpload(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st})
	about := metadata("land cover.tif") + ",filetype " + base64.StdEncoding.EncodeToString([]byte("image/tiff")) + ",large"
	created := s.do(http.MethodPost, "/api/v1/uploads", nil, "Upload-Length", "10", "Upload-Metadata", about).want(t, http.StatusCreated)
	address := s.resolve("/api/v1/uploads", created.Get("Location"))
	if at, err := http.ParseTime(created.Get("Upload-Expires")); err != nil || time.Until(at) < 6*24*time.Hour {
		t.Errorf("it expires at %v, %v", at, err)
	}
	h := s.do(http.MethodHead, address, nil).want(t, http.StatusOK)
	for name, want := range map[string]string{"Upload-Offset": "0", "Upload-Length": "10", "Upload-Metadata": about, "Cache-Control": "no-store"} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	first := s.send(address, "0", "0123").want(t, http.StatusNoContent)
	if got := first.Get("Upload-Offset"); got != "4" || first.Get("Upload-Expires") == "" {
		t.Errorf("after the first piece: %v", first.Header)
	}
	if got := s.offset(address); got != "4" {
		t.Errorf("the offset is %s", got)
	}
	s.send(address, "4", "").want(t, http.StatusNoContent) // nothing, at the right place
	s.send(address, "4", "456789").want(t, http.StatusNoContent)
	wantBytes(t, st, address, []byte("0123456789"))

	one := decodeReply[uploadDocument](t, s.do(http.MethodGet, address, nil, "Tus-Resumable", ""))
	if one.Name != "land cover.tif" || one.Owner != "alice" || one.Size != 10 || one.Offset != 10 || !one.Complete ||
		!strings.HasSuffix(address, "/"+one.ID) || one.Created.IsZero() || !one.Expires.After(one.Created) {
		t.Errorf("%+v", one)
	}
	if all := decodeReply[uploadList](t, s.do(http.MethodGet, "/api/v1/uploads", nil)); len(all.Items) != 1 || all.Items[0] != one {
		t.Errorf("the list is %+v", all)
	}
	s.do(http.MethodDelete, address, nil).want(t, http.StatusNoContent)
	for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodPatch, http.MethodDelete} {
		s.do(method, address, nil, "Upload-Offset", "10").want(t, http.StatusNotFound)
	}
	nothingUploaded(t, st)
}

// A file without bytes is complete once it has begun.
func TestAnEmptyUpload(t *testing.T) {
	s := newSender(t, server.Config{Store: newStore(t)})
	address := s.begin("empty.tif", "0")
	if one := decodeReply[uploadDocument](t, s.do(http.MethodGet, address, nil)); !one.Complete || one.Size != 0 {
		t.Errorf("%+v", one)
	}
}

// What is refused changes nothing.
func TestPiecesThatAreRefused(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st})
	address := s.begin("a.tif", "10")
	s.send(address, "0", "0123").want(t, http.StatusNoContent)
	for name, c := range map[string]struct {
		offset, data string
		header       []string
		want         int
	}{
		"no version":                  {"4", "x", []string{"Tus-Resumable", ""}, 412},
		"another version":             {"4", "x", []string{"Tus-Resumable", "0.2.2"}, 412},
		"no content type":             {"4", "x", []string{"Content-Type", ""}, 415},
		"another content type":        {"4", "x", []string{"Content-Type", "application/octet-stream"}, 415},
		"no offset":                   {"", "x", nil, 400},
		"an offset that is no number": {"four", "x", nil, 400},
		"a negative offset":           {"-4", "x", nil, 400},
		"an offset with a sign":       {"+4", "x", nil, 400},
		"an offset before the end":    {"3", "x", nil, 409},
		"an offset behind the end":    {"5", "x", nil, 409},
		"too long":                    {"4", "4567890", nil, 413},
		"unknown checksum":            {"4", "x", []string{"Upload-Checksum", "md5 1B2M2Y8AsgTpgAmY7PhCfg=="}, 400},
		"no checksum":                 {"4", "x", []string{"Upload-Checksum", "sha1"}, 400},
		"a short checksum":            {"4", "x", []string{"Upload-Checksum", "sha1 1B2M2Y8AsgTpgAmY7PhCfg=="}, 400},
		"a checksum not in base64":    {"4", "x", []string{"Upload-Checksum", "sha1 ???"}, 400},
		"another checksum":            {"4", "x", []string{"Upload-Checksum", "sha1 " + sums("y")["sha1"]}, 460},
		"another method":              {"4", "x", []string{"X-HTTP-Method-Override", "PUT"}, 405},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.send(address, c.offset, c.data, c.header...).want(t, c.want)
			if c.want == 412 && r.Get("Tus-Version") != "1.0.0" {
				t.Errorf("Tus-Version %q", r.Get("Tus-Version"))
			}
			var p problem
			if err := json.Unmarshal([]byte(r.body), &p); err != nil || p.Status != c.want || p.Title == "" || p.Detail == "" {
				t.Errorf("%v: %s", err, r.body)
			}
			if got := s.offset(address); got != "4" {
				t.Errorf("the offset is %s", got)
			}
		})
	}
	wantBytes(t, st, address, []byte("0123"))
}

// sums are a text's checksums in base64.
func sums(text string) map[string]string {
	one, two := sha1.Sum([]byte(text)), sha256.Sum256([]byte(text)) //nolint:gosec // of the protocol
	three := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text)))
	e := base64.StdEncoding
	return map[string]string{"sha1": e.EncodeToString(one[:]), "sha256": e.EncodeToString(two[:]), "crc32": e.EncodeToString(three)}
}

func TestUploadsThatAreRefused(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st, MaxUploadBytes: 1000, MinFreeDisk: 50, FreeDisk: func() (int64, error) { return 550, nil }})
	ok := metadata("a.tif")
	for name, c := range map[string]struct {
		who    string
		header []string
		want   int
	}{
		"no version":             {"alice", []string{"Upload-Length", "1", "Upload-Metadata", ok, "Tus-Resumable", ""}, 412},
		"nobody":                 {"", []string{"Upload-Length", "1", "Upload-Metadata", ok}, 401},
		"wrong credentials":      {"wrong", []string{"Upload-Length", "1", "Upload-Metadata", ok}, 401},
		"a viewer":               {"carol", []string{"Upload-Length", "1", "Upload-Metadata", ok}, 403},
		"no length":              {"alice", []string{"Upload-Metadata", ok}, 400},
		"a negative length":      {"alice", []string{"Upload-Length", "-1", "Upload-Metadata", ok}, 400},
		"no number":              {"alice", []string{"Upload-Length", "1e3", "Upload-Metadata", ok}, 400},
		"a huge number":          {"alice", []string{"Upload-Length", "99999999999999999999", "Upload-Metadata", ok}, 400},
		"a length to come":       {"alice", []string{"Upload-Defer-Length", "1", "Upload-Metadata", ok}, 400},
		"a part":                 {"alice", []string{"Upload-Length", "1", "Upload-Concat", "partial", "Upload-Metadata", ok}, 400},
		"more than is allowed":   {"alice", []string{"Upload-Length", "1001", "Upload-Metadata", ok}, 413},
		"more than there is":     {"alice", []string{"Upload-Length", "501", "Upload-Metadata", ok}, 507},
		"no metadata":            {"alice", []string{"Upload-Length", "1"}, 400},
		"no name":                {"alice", []string{"Upload-Length", "1", "Upload-Metadata", "filetype aW1hZ2U="}, 400},
		"an empty name":          {"alice", []string{"Upload-Length", "1", "Upload-Metadata", "filename"}, 400},
		"a name that turns":      {"alice", []string{"Upload-Length", "1", "Upload-Metadata", "filename YeKAri50aWY="}, 400},
		"a name with a folder":   {"alice", []string{"Upload-Length", "1", "Upload-Metadata", metadata("../a.tif")}, 400},
		"a hidden name":          {"alice", []string{"Upload-Length", "1", "Upload-Metadata", metadata(".a.tif")}, 400},
		"a name that is no text": {"alice", []string{"Upload-Length", "1", "Upload-Metadata", metadata("a\xff.tif")}, 400},
		"no base64":              {"alice", []string{"Upload-Length", "1", "Upload-Metadata", "filename a.tif"}, 400},
		"a first piece that is too long": {"alice", []string{"Upload-Length", "1", "Upload-Metadata", ok,
			"Content-Type", "application/offset+octet-stream"}, 413},
		"a first piece with another checksum": {"alice", []string{"Upload-Length", "5", "Upload-Metadata", ok,
			"Content-Type", "application/offset+octet-stream", "Upload-Checksum", "crc32 " + sums("y")["crc32"]}, 460},
	} {
		t.Run(name, func(t *testing.T) {
			r := s.as(c.who).do(http.MethodPost, "/api/v1/uploads", strings.NewReader("body"), c.header...).want(t, c.want)
			if r.Get("Location") != "" {
				t.Errorf("there is something at %s", r.Get("Location"))
			}
		})
	}
	nothingUploaded(t, st)
	s.begin("a.tif", "500") // just fits
}

func TestUploadsBelongToTheirOwner(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st})
	address := s.begin("a.tif", "4")
	s.as("bob").begin("b.tif", "4")
	unknown := address[:len(address)-4] + "aaaa"
	for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodPatch, http.MethodDelete} {
		for who, want := range map[string]int{"": 401, "wrong": 401, "carol": 403, "bob": 404} {
			s.as(who).do(method, address, nil, "Upload-Offset", "0").want(t, want)
		}
		bobs := s.as("bob").do(method, address, nil, "Upload-Offset", "0").body
		none := s.as("bob").do(method, unknown, nil, "Upload-Offset", "0").body
		if problemID.ReplaceAllString(bobs, "") != problemID.ReplaceAllString(none, "") {
			t.Errorf("%s tells somebody else's upload from none:\n%s\n%s", method, bobs, none)
		}
	}
	for who, want := range map[string]int{"alice": 1, "bob": 1, "root": 2} {
		if all := decodeReply[uploadList](t, s.as(who).do(http.MethodGet, "/api/v1/uploads", nil)); len(all.Items) != want {
			t.Errorf("%s sees %+v", who, all)
		}
	}
	s.as("").do(http.MethodGet, "/api/v1/uploads", nil).want(t, http.StatusUnauthorized)
	s.as("root").send(address, "0", "half").want(t, http.StatusNoContent)
	s.as("root").do(http.MethodDelete, address, nil).want(t, http.StatusNoContent)
	for _, odd := range []string{"x%00y", "UPPER", strings.Repeat("x", 300)} {
		s.do(http.MethodHead, "/api/v1/uploads/"+odd, nil).want(t, http.StatusNotFound)
	}
}

func TestUploadsByAnAuthThatFails(t *testing.T) {
	s := newSender(t, server.Config{Store: newStore(t), Auth: failingAuth{}})
	s.do(http.MethodGet, "/api/v1/uploads", nil, "Authorization", "key").want(t, http.StatusInternalServerError)
}

// A piece with a checksum is added when it is right, and leaves nothing else.
func TestChecksums(t *testing.T) {
	st, work := newStore(t), t.TempDir()
	s := newSender(t, server.Config{Store: st, WorkDir: work})
	address := s.begin("a.tif", "40")
	want := ""
	for algorithm, sum := range sums("right") {
		s.send(address, s.offset(address), "right", "Upload-Checksum", algorithm+" "+sum).want(t, http.StatusNoContent)
		want += "right"
		s.send(address, s.offset(address), "wrong", "Upload-Checksum", algorithm+" "+sum).want(t, 460)
		// Of a length that is not told before.
		s.do(http.MethodPatch, address, streamed("wrong"), "Upload-Offset", s.offset(address), "Upload-Checksum", algorithm+" "+sum).want(t, 460)
		s.do(http.MethodPatch, address, streamed("right"), "Upload-Offset", s.offset(address), "Upload-Checksum", algorithm+" "+sum).want(t, http.StatusNoContent)
		want += "right"
		s.do(http.MethodPatch, address, streamed(strings.Repeat("long", 20)), "Upload-Offset", s.offset(address), "Upload-Checksum", algorithm+" "+sum).want(t, http.StatusRequestEntityTooLarge)
		wantBytes(t, st, address, []byte(want))
	}
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// streamed is a body whose length is not known before.
func streamed(text string) io.Reader { return struct{ io.Reader }{strings.NewReader(text)} }

func TestAFirstPieceWithTheRequest(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st})
	r := s.do(http.MethodPost, "/api/v1/uploads", strings.NewReader("0123"), "Upload-Length", "10", "Upload-Metadata", metadata("a.tif"),
		"Content-Type", "application/offset+octet-stream", "Upload-Checksum", "sha1 "+sums("0123")["sha1"]).want(t, http.StatusCreated)
	if r.Get("Upload-Offset") != "4" {
		t.Errorf("the offset is %q", r.Get("Upload-Offset"))
	}
	address := s.resolve("/api/v1/uploads", r.Get("Location"))
	s.send(address, "4", "456789").want(t, http.StatusNoContent)
	wantBytes(t, st, address, []byte("0123456789"))
}

// More than the file lacks is refused also when its length is not told before.
func TestAPieceOfUnknownLength(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st})
	address := s.begin("a.tif", "10")
	s.do(http.MethodPatch, address, streamed("0123"), "Upload-Offset", "0").want(t, http.StatusNoContent)
	s.do(http.MethodPatch, address, streamed("456789!"), "Upload-Offset", "4").want(t, http.StatusRequestEntityTooLarge)
	wantBytes(t, st, address, []byte("0123456789"))
}

// Proxies that let only some methods through are got around.
func TestMethodOverride(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st})
	address := s.begin("a.tif", "4")
	s.do(http.MethodPost, address, strings.NewReader("0123"), "X-HTTP-Method-Override", "PATCH",
		"Content-Type", "application/offset+octet-stream", "Upload-Offset", "0").want(t, http.StatusNoContent)
	if got := s.do(http.MethodGet, address, nil, "X-HTTP-Method-Override", "HEAD").want(t, http.StatusOK); got.Get("Upload-Offset") != "4" {
		t.Errorf("the offset is %q", got.Get("Upload-Offset"))
	}
	s.do(http.MethodPost, address, nil).want(t, http.StatusMethodNotAllowed)
	s.do(http.MethodPost, address, nil, "X-HTTP-Method-Override", "DELETE").want(t, http.StatusNoContent)
	nothingUploaded(t, st)
}

func TestUploadOptions(t *testing.T) {
	st := newStore(t)
	for name, c := range map[string]struct {
		origins []string
		origin  string
		allowed string
	}{
		"any origin":     {nil, "https://page.example", "*"},
		"its origin":     {[]string{"https://page.example"}, "https://page.example", "https://page.example"},
		"another origin": {[]string{"https://page.example"}, "https://other.example", ""},
		"no origin":      {[]string{}, "https://page.example", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, server.Config{Store: st, CORSOrigins: c.origins, MaxUploadBytes: 1234, Auth: named{}})
			for _, path := range []string{"/api/v1/uploads", "/api/v1/uploads/x"} {
				w := ask(t, s, http.MethodOptions, path, "Origin", c.origin) // without Tus-Resumable
				wantStatus(t, w, http.StatusNoContent)
				for name, want := range map[string]string{"Tus-Version": "1.0.0", "Tus-Resumable": "1.0.0", "Tus-Max-Size": "1234",
					"Tus-Extension":               "creation,creation-with-upload,checksum,expiration,termination",
					"Tus-Checksum-Algorithm":      "crc32,sha1,sha256",
					"Access-Control-Allow-Origin": c.allowed} {
					if got := w.Header().Get(name); got != want {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				if w.Header().Get("Access-Control-Allow-Credentials") != "" {
					t.Error("cookies are allowed")
				}
				methods, headers := w.Header().Get("Access-Control-Allow-Methods"), w.Header().Get("Access-Control-Allow-Headers")
				if c.allowed != "" && (!strings.Contains(methods, "PATCH") || !strings.Contains(headers, "Upload-Offset")) {
					t.Errorf("pages may ask by %q with %q", methods, headers)
				}
			}
			w := ask(t, s, http.MethodGet, "/api/v1/uploads", "Origin", c.origin, "Authorization", "Bearer alice")
			if got := w.Header().Get("Access-Control-Expose-Headers"); strings.Contains(got, "Upload-Offset") != (c.allowed != "") {
				t.Errorf("pages may read %q", got)
			}
		})
	}
}

// The address that is answered holds under any mount point.
func TestUploadsBelowAPath(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/host/raster/", http.StripPrefix("/host/raster", newServer(t, server.Config{Store: newStore(t), Auth: named{}})))
	web := httptest.NewServer(mux)
	defer web.Close()
	s := sender{t, web.URL + "/host/raster", "alice"}
	if address := s.begin("a.tif", "4"); s.offset(address) != "0" || !strings.HasPrefix(address, web.URL+"/host/raster/") {
		t.Errorf("the address is %s", address)
	}
}

func TestUploadsExpire(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st})
	address := s.begin("a.tif", "10")
	setExpires(t, st, address, time.Now().Add(time.Minute))
	r := s.send(address, "0", "0123").want(t, http.StatusNoContent)
	if at, err := http.ParseTime(r.Get("Upload-Expires")); err != nil || time.Until(at) < 6*24*time.Hour {
		t.Errorf("a piece puts it off to %v, %v", at, err)
	}
	setExpires(t, st, address, time.Now().Add(-time.Second))
	for _, method := range []string{http.MethodHead, http.MethodGet, http.MethodPatch} {
		s.do(method, address, nil, "Upload-Offset", "4").want(t, http.StatusGone)
	}
	s.as("bob").do(http.MethodHead, address, nil).want(t, http.StatusNotFound)
	if all := decodeReply[uploadList](t, s.do(http.MethodGet, "/api/v1/uploads", nil)); len(all.Items) != 0 {
		t.Errorf("the list is %+v", all)
	}
}

// change changes the record of an upload.
func change(t *testing.T, st store.Store, address string, fn func(store.Tx, *rasterbase.Upload) error) {
	t.Helper()
	err := st.Catalog().Update(t.Context(), func(tx store.Tx) error {
		u, err := tx.Uploads().Get(t.Context(), address[strings.LastIndex(address, "/")+1:])
		if err != nil {
			return err
		}
		return fn(tx, u)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func setExpires(t *testing.T, st store.Store, address string, at time.Time) {
	t.Helper()
	change(t, st, address, func(tx store.Tx, u *rasterbase.Upload) error {
		u.Expires = at
		return tx.Uploads().Update(t.Context(), u)
	})
}

func TestAnUploadWhoseBytesVanished(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st})
	address := s.begin("a.tif", "10")
	var source string
	change(t, st, address, func(_ store.Tx, u *rasterbase.Upload) error { source = u.Source; return nil })
	if err := st.Sources().Delete(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	s.do(http.MethodHead, address, nil).want(t, http.StatusGone)
	s.send(address, "0", "x").want(t, http.StatusGone)
	if all := decodeReply[uploadList](t, s.do(http.MethodGet, "/api/v1/uploads", nil)); len(all.Items) != 0 {
		t.Errorf("the list is %+v", all)
	}
	s.do(http.MethodDelete, address, nil).want(t, http.StatusNoContent)
}

// The disk is looked at before each piece.
func TestPiecesWithoutRoom(t *testing.T) {
	free := int64(100)
	var failing error
	s := newSender(t, server.Config{Store: newStore(t), FreeDisk: func() (int64, error) { return free, failing }})
	address := s.begin("a.tif", "10")
	free = 3
	s.send(address, "0", "0123").want(t, http.StatusInsufficientStorage)
	unknown := io.MultiReader(strings.NewReader("0123")) // whose length nobody knows
	s.do(http.MethodPatch, address, unknown, "Upload-Offset", "0").want(t, http.StatusInsufficientStorage)
	failing = errors.New("no such disk")
	s.send(address, "0", "0123").want(t, http.StatusInternalServerError)
	if got := s.offset(address); got != "0" {
		t.Errorf("the offset is %s", got)
	}
}
