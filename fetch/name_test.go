package fetch

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rasterbase/rasterbase/store"
)

func TestFileNames(t *testing.T) {
	for given, want := range map[string]string{
		"scene.tif": "scene.tif", "a/b/scene.tif": "scene.tif", `C:\data\scene.tif`: "scene.tif", "../../etc/passwd": "passwd",
		".hidden.tif": "hidden.tif", "..": "", "": "", "/": "", "a/": "", " scene.tif. ": "scene.tif", "sc\x00e\nne.tif": "scene.tif",
		"sc\u202efit.tif": "scfit.tif", `q"u:o?t*e|<>.tif`: "q_u_o_t_e___.tif", "Zürich.tif": "Zürich.tif", "\xff.tif": "tif",
		strings.Repeat("é", 300) + ".tif": strings.Repeat("é", 125) + ".tif",
	} {
		if got := FileName(given); got != want {
			t.Errorf("FileName(%q) = %q, want %q", given, got, want)
		}
	}
}

func TestNamesOfDownloads(t *testing.T) {
	for _, c := range []struct{ disposition, contentType, asked, at, want string }{
		{"", "", "https://h/a/scene.tif?x=1", "https://h/a/scene.tif?x=1", "scene.tif"},
		{"", "", "https://h/get?id=7", "https://cdn/files/dem.tif", "dem.tif"},
		{"", "", "https://h/scene.tif", "https://cdn/8f3a.bin", "scene.tif"},
		{"", "image/tiff; application=geotiff", "https://h/get", "https://h/get", "get.tif"},
		{"", "application/zip", "https://h/", "https://h/", "download.zip"},
		{"", "", "https://h", "https://h", "download"},
		{"", "", "https://h/a%2Fb%20c.tif", "https://h/a%2Fb%20c.tif", "b c.tif"},
		{`attachment; filename="own name.tif"`, "", "https://h/get", "https://h/get", "own name.tif"},
		{`attachment; filename="../../x.tif"`, "", "https://h/get", "https://h/get", "x.tif"},
		{`attachment; filename="a.tif"; filename*=UTF-8''%C3%A4.tif`, "", "https://h/get", "https://h/get", "ä.tif"},
		{`attachment; filename=".."`, "", "https://h/dem.tif", "https://h/dem.tif", "dem.tif"},
		{`attachment; filename=dem`, "image/tiff", "https://h/get", "https://h/get", "dem.tif"},
		{"attachment; filename=" + strings.Repeat("a", 255), "image/tiff", "https://h", "https://h", strings.Repeat("a", 251) + ".tif"},
		{`;;;`, "", "https://h/dem.tif", "https://h/dem.tif", "dem.tif"},
	} {
		asked, _ := url.Parse(c.asked)
		at, _ := url.Parse(c.at)
		h := http.Header{"Content-Disposition": {c.disposition}, "Content-Type": {c.contentType}}
		if got := nameOf(h, asked, at); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// FuzzNameOf: whatever a host says, the store takes the name.
func FuzzNameOf(f *testing.F) {
	f.Add(`attachment; filename="a.tif"; filename*=UTF-8''%C3%A4.tif`, "/a/b.tif", "image/tiff")
	f.Add(`inline; filename*=iso-8859-1'en'%a3%20rates`, "/..", "application/zip")
	f.Add("attachment; filename=\"\x00\"", "/.%2e", "")
	f.Fuzz(func(t *testing.T, disposition, path, contentType string) {
		u := &url.URL{Scheme: "https", Host: "h", Path: path}
		h := http.Header{"Content-Disposition": {disposition}, "Content-Type": {contentType}}
		name := nameOf(h, u, u)
		if err := store.CheckFileName(name); err != nil || !utf8.ValidString(name) {
			t.Fatalf("%q: %v", name, err)
		}
		if again := FileName(name); again != name {
			t.Fatalf("%q becomes %q the second time", name, again)
		}
	})
}
