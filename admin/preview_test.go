package admin_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"image"
	"image/png"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
)

// grayPNG is a picture that does not say where it lies.
func grayPNG(t *testing.T) []byte {
	t.Helper()
	if !gdal.Available {
		t.Skip("this build has no GDAL")
	}
	img := image.NewGray(image.Rect(0, 0, 40, 30))
	for i := range img.Pix {
		img.Pix[i] = uint8(i % 7)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// hidden finds a hidden field of a page.
func (p page) hidden(t *testing.T, name string) string {
	t.Helper()
	m := regexp.MustCompile(`type="hidden" name="` + name + `" value="([^"]*)"`).FindStringSubmatch(p.html)
	if m == nil {
		t.Fatalf("%s has no hidden field %s: %s", p.at, name, p.text())
	}
	return m[1]
}

// A file is looked at, what is typed is taken into account, and a layer is made of it
// without sending it again.
func TestAFileIsLookedAtBeforeItIsAdded(t *testing.T) {
	content := vegetation(t)
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	s.addLegend("Spare")
	legend := s.addLegend("Cover")
	p := v.send("layers", "storm.tif", content, url.Values{"look": {"on"}, "name": {"Plants"}, "legend": {"2"}})
	if !strings.Contains(p.html, fmt.Sprintf(`<option value="%d" selected>Cover</option>`, legend.ID)) {
		t.Error("the form lacks the legend that was chosen")
	}
	p.want(t, 200, "Add storm.tif", "GTiff", "EPSG:26912", "of zooms 0 to 12", "Kind of values", "whole numbers: categorical if", "Own tiles", "Disk", "Add this layer")
	for _, html := range []string{`value="Plants"`, `placeholder="the file's: EPSG:26912"`, `placeholder="by its resolution: 12"`} {
		if !strings.Contains(p.html, html) {
			t.Errorf("the form lacks %s", html)
		}
	}
	v.get("layers").want(t, 200, "There are no layers yet")
	form := url.Values{"looked": {"yes"}, "upload": {p.hidden(t, "upload")}, "name": {"Plants"}, "max_zoom": {"5"}, "datatype": {"mask"}}
	v.post("layers/preview", form).want(t, 200, "mask", "asked for", "of zooms 0 to 5")
	form.Set("max_zoom", "99")
	p = v.post("layers", form)
	if p.want(t, 400, "zoom"); p.hidden(t, "upload") != form.Get("upload") || !strings.Contains(p.html, `value="99"`) {
		t.Errorf("what was typed is gone: %s", p.html)
	}
	form.Set("max_zoom", "5")
	form.Set("license", "CC0")
	form.Set("description", "From space")
	v.post("layers", form).want(t, 200, "Plants")
	p = v.parsed("layers/1")
	if p.want(t, 200, "mask", "of zooms 0 to 5", "From space"); !strings.Contains(p.html, `value="CC0"`) {
		t.Error("the licence is not kept")
	}
	v.get("layers/preview?upload="+form.Get("upload")).want(t, 404, "no such upload")
}

// A file without a CRS is asked for its EPSG code, and one with several rasters which
// is meant.
func TestALookSaysWhatIsMissing(t *testing.T) {
	picture := grayPNG(t)
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	zipped := zipOf(t, map[string][]byte{"a.png": picture, "a.pgw": []byte("10\n0\n0\n-10\n500005\n4500295\n")})
	p := v.send("layers", "picture.zip", zipped, url.Values{"look": {"on"}})
	p.want(t, 400, "has no CRS", "type the EPSG code")
	if !strings.Contains(p.html, `aria-invalid="true" autofocus`) || strings.Contains(p.text(), "--srid") {
		t.Errorf("the form does not ask for the EPSG code: %s", p.html)
	}
	form := url.Values{"looked": {"yes"}, "upload": {p.hidden(t, "upload")}, "srid": {"32632"}}
	v.post("layers/preview", form).want(t, 200, "EPSG:32632", "40 × 30 pixels of 10 × -10")

	content := vegetation(t)
	p = v.send("layers", "two.zip", zipOf(t, map[string][]byte{"a.tif": content, "b.tif": content}), url.Values{"look": {"on"}})
	p.want(t, 400, "several rasters", "choose one of them below")
	if !strings.Contains(p.html, `<option value="a.tif" >`) || !strings.Contains(p.html, `<option value="b.tif" >`) {
		t.Errorf("the rasters are not there to be chosen: %s", p.html)
	}
	form = url.Values{"looked": {"yes"}, "upload": {p.hidden(t, "upload")}, "subdataset": {"b.tif"}}
	v.post("layers", form).want(t, 200, "two")
	v.parsed("layers/1").want(t, 200, "finished")

	// A file that was sent with a wrong setting is kept, and asked about.
	p = v.send("layers", "storm.tif", content, url.Values{"srid": {"many"}})
	if p.want(t, 400, "no whole number", "Add storm.tif"); p.hidden(t, "upload") == "" {
		t.Error("the file is gone")
	}
	v.post("layers", url.Values{"look": {"on"}}).want(t, 400, "no raster is named")
	v.post("layers", url.Values{"look": {"on"}, "path": {s.keep("x.tif", content)}}).want(t, 200, "Add "+s.files, "Add this layer")
}

func zipOf(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
