package auth_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
)

// GDAL, and with it QGIS, shows a token as the password of HTTP Basic.
func TestGDALShowsATokenAsAPassword(t *testing.T) {
	gdalinfo, err := exec.LookPath("gdalinfo")
	if err != nil {
		if slices.Contains(strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ","), "gdal") {
			t.Fatal(err)
		}
		t.Skip("there is no gdalinfo")
	}
	var tile bytes.Buffer
	if err := png.Encode(&tile, image.NewGray(image.Rect(0, 0, 7, 5))); err != nil {
		t.Fatal(err)
	}
	c := newCatalog(t)
	secret, _ := addToken(t, c, addUser(t, c, "Ánna", rasterbase.Viewer), time.Time{})
	a := newAuth(t, c, nil)
	private := &rasterbase.Layer{Visibility: rasterbase.Private}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := a.Principal(r)
		if err == nil {
			err = a.May(r.Context(), who, rasterbase.Read, private)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		http.ServeContent(w, r, "tile.png", time.Time{}, bytes.NewReader(tile.Bytes()))
	}))
	defer s.Close()
	for _, with := range []struct {
		setting string
		ok      bool
	}{
		{"GDAL_HTTP_USERPWD=Ánna:" + secret, true},
		{"GDAL_HTTP_USERPWD=ánna:" + secret, true},
		{"GDAL_HTTP_HEADERS=Authorization: Bearer " + secret, true},
		{"GDAL_HTTP_USERPWD=Ánna:" + wrongSecret(), false},
		{"GDAL_HTTP_USERPWD=", false},
	} {
		cmd := exec.CommandContext(t.Context(), gdalinfo, "/vsicurl/"+s.URL+"/tile.png")
		cmd.Env = append(os.Environ(), with.setting, "GDAL_DISABLE_READDIR_ON_OPEN=EMPTY_DIR")
		out, err := cmd.CombinedOutput()
		if got := err == nil && strings.Contains(string(out), "Size is 7, 5"); got != with.ok {
			t.Errorf("%s: read is %v, want %v: %v\n%s", with.setting, got, with.ok, err, out)
		}
	}
}
