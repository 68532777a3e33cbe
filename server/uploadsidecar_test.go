package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/server"
)

// Side-cars are put beside the file of an upload, and nothing else is.
func TestSidecarsOfAnUpload(t *testing.T) {
	st := newStore(t)
	s := newSender(t, server.Config{Store: st, MaxUploadBytes: 100})
	created := s.do(http.MethodPost, "/api/v1/uploads", nil, "Upload-Length", "10", "Upload-Metadata", metadata("Land.tif")).want(t, http.StatusCreated)
	address := s.resolve("/api/v1/uploads", created.Get("Location"))
	put := func(who, name, content string) reply {
		t.Helper()
		return s.as(who).do(http.MethodPut, address+"/files/"+name, strings.NewReader(content), "Tus-Resumable", "")
	}
	put("alice", "land.tfw", "first").want(t, http.StatusNoContent)
	put("alice", "land.tfw", "1 2 3").want(t, http.StatusNoContent)
	put("alice", "land.TIF.aux.xml", "<x/>").want(t, http.StatusNoContent)
	for _, c := range []struct {
		who, name, content string
		status             int
	}{
		{"alice", "Land.tif", "another raster", 400}, {"alice", "other.tfw", "1", 400}, {"alice", "land.exe", "1", 400},
		{"alice", "..%2fland.tfw", "1", 404}, {"alice", "land.prj", strings.Repeat("x", 101), 413},
		{"bob", "land.prj", "1", 404}, {"carol", "land.prj", "1", 403}, {"", "land.prj", "1", 401},
	} {
		if got := put(c.who, c.name, c.content); got.status != c.status {
			t.Errorf("%s as %q: status %d, want %d: %s", c.name, c.who, got.status, c.status, got.body)
		}
	}
	about := decodeReply[struct {
		Sidecars []string
		Offset   int64
	}](t, s.do(http.MethodGet, address, nil))
	if want := []string{"Land.tfw", "Land.tif.aux.xml"}; !slices.Equal(about.Sidecars, want) || about.Offset != 0 {
		t.Errorf("beside the upload are %v, of which %d bytes are there", about.Sidecars, about.Offset)
	}
}
