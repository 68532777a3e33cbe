package admin_test

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
)

var curlOnPage = regexp.MustCompile(`<code>(curl [^<]*)</code>`)

// What a layer's page gives to copy for curl gets a tile; of a private layer with a token
// alone.
func TestWhatIsCopiedForCurl(t *testing.T) {
	content := vegetation(t)
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	v.send("layers", "storm.tif", content, url.Values{"name": {"Storm Lake"}, "visibility": {"public"}})
	v.parsed("layers/1")
	token := s.addToken("ed", rasterbase.Viewer)
	for _, visibility := range []string{"public", "private"} {
		v.post("layers/1", url.Values{"name": {"Storm Lake"}, "visibility": {visibility}})
		found := curlOnPage.FindStringSubmatch(v.parsed("layers/1").html)
		if found == nil {
			t.Fatal("there is nothing for curl")
		}
		line := html.UnescapeString(found[1])
		address := line[strings.Index(line, `"http`)+1 : len(line)-1]
		for _, secret := range []string{"", token} {
			r, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
			if err != nil {
				t.Fatal(err)
			}
			if secret != "" {
				r.Header.Set("Authorization", "Bearer "+secret)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			want := 200
			if visibility == "private" && secret == "" {
				want = 404
			}
			if resp.StatusCode != want || want == 200 && !strings.HasPrefix(string(body), "\x89PNG") {
				t.Errorf("%s: status %d of %s", visibility, resp.StatusCode, line)
			}
		}
		if named := strings.Contains(line, "$TOKEN"); named != (visibility == "private") {
			t.Errorf("%s: %s", visibility, line)
		}
	}
}
