package admin_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/browsertest"
)

// The side-cars of a picture: 40 x 30 pixels of 10 m, from 500000 east, 4500300 north.
const (
	worldFile = "10\n0\n0\n-10\n500005\n4500295\n"
	auxXML    = `<PAMDataset><SRS>EPSG:32632</SRS></PAMDataset>`
)

// sentFile is a file of a form.
type sentFile struct{ name, content string }

// sendAll posts a form with several files.
func (v *visitor) sendAll(path string, files []sentFile, fields ...string) page {
	v.s.t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			v.s.t.Fatal(err)
		}
	}
	for _, file := range files {
		f, err := w.CreateFormFile("file", file.name)
		if err == nil {
			_, err = f.Write([]byte(file.content))
		}
		if err != nil {
			v.s.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		v.s.t.Fatal(err)
	}
	return v.do(v.request("POST", path, &b, w.FormDataContentType()))
}

// Side-cars that are chosen with a raster tell where it lies, in a plain form.
func TestSidecarsOfAForm(t *testing.T) {
	picture := string(grayPNG(t))
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	v := s.visit("ed")
	files := []sentFile{{"field.pgw", worldFile}, {"Field.png", picture}, {"field.png.aux.xml", auxXML}, {"field.ovr", "not needed"}}
	p := v.sendAll("layers", files, "look", "on")
	p.want(t, 200, "Add Field.png", "EPSG:32632", "40 × 30 pixels of 10 × -10", "with Field.pgw , Field.png.aux.xml")
	if strings.Contains(p.text(), ".ovr") {
		t.Error("overviews are kept, which nobody reads")
	}
	v.sendAll("layers", files).want(t, 200, "Field")
	v.parsed("layers/1").want(t, 200, "EPSG:32632", "of 10 × -10")
	v.sendAll("layers", []sentFile{{"a.png", picture}, {"b.png", picture}}).want(t, 400, "two rasters")
	v.sendAll("layers", []sentFile{{"a.pgw", worldFile}, {"a.prj", "x"}}).want(t, 400, "two rasters")
	v.sendAll("layers", []sentFile{{"a.png", picture}, {"a.prj", strings.Repeat("x", 300)}}, "look", "on").want(t, 400, "with a.prj")
}

// Files that are dropped together make one layer, and one row of the uploads, where they
// belong to one raster.
func TestSidecarsAreDroppedWithARaster(t *testing.T) {
	picture := string(grayPNG(t))
	s := newSite(t)
	s.addUser("ed", rasterbase.Editor)
	b := browsertest.New(t, filepath.Join("web", "dist"))
	b.Device(1280, 900, "light")
	b.Go(s.root)
	fill(b, map[string]string{"name": "ed", "password": password})
	b.Until(`document.getElementById("drop") !== null`)
	dropAll(b, []sentFile{{"field.prj", "x"}, {"field.pgw", worldFile}, {"Field.png", picture}, {"Field.png.aux.xml", auxXML}, {"other.tif", string(vegetation(t))}})
	b.Until(`document.querySelectorAll("#uploads a").length === 2`)
	if names := browsertest.Evaluate[string](b, `[...document.querySelectorAll("#uploads li > span:first-child")].map((n) => n.textContent).join("|")`); names != "Field.png with field.prj, field.pgw, Field.png.aux.xml|other.tif" {
		t.Errorf("the uploads are %s", names)
	}
	link := browsertest.Evaluate[string](b, `document.querySelector("#uploads a").href`)
	v := s.visit("ed")
	v.parsed(strings.TrimPrefix(link, s.root)).want(t, 200, "Field", "EPSG:32632", "40 × 30 pixels of 10 × -10")

	// One that is to be looked at leads to the page for that, with what was typed.
	b.Go(s.root + "layers")
	b.Until(`document.querySelector("#drop .script:not([hidden])") !== null`)
	browsertest.Evaluate[bool](b, `document.getElementById("look").click(), document.querySelector("#upload [name=name]").value = "North field", true`)
	b.Shot("admin-layers-look")
	dropAll(b, []sentFile{{"field.pgw", worldFile}, {"Field.png", picture}})
	b.Until(`document.querySelector("h1")?.textContent === "Add Field.png"`)
	if says := browsertest.Evaluate[string](b, `document.activeElement.name + " " + document.querySelector("[name=name]").value`); says != "srid North field" {
		t.Errorf("the form begins with %s", says)
	}
	wantAccessible(t, b)
	b.Shot("admin-look-without-crs")
	fill(b, map[string]string{"srid": "32632"})
	v.parsed("layers/3").want(t, 200, "North field", "EPSG:32632")

	dropOn := func(width int64, name string) {
		b.Device(width, 900, "light")
		b.Go(s.root + "layers")
		b.Until(`document.querySelector("#drop .script:not([hidden])") !== null`)
		browsertest.Evaluate[bool](b, `document.getElementById("look").click(), true`)
		dropAll(b, []sentFile{{"storm.tif", string(vegetation(t))}})
		b.Until(`document.querySelector("h1")?.textContent === "Add storm.tif" && document.readyState === "complete"`)
		wantFits(t, b, name)
		wantAccessible(t, b)
		b.Shot("admin-look-" + name)
	}
	dropOn(390, "phone")
	dropOn(1280, "desk")
	for _, says := range b.Complaints() {
		if strings.Contains(says, "400") && strings.Contains(says, "layers/preview?") {
			continue // the file without a CRS
		}
		t.Errorf("the browser says %s", says)
	}
}

// dropAll drops several files on the page at once.
func dropAll(b *browsertest.Browser, files []sentFile) {
	var adds strings.Builder
	for _, f := range files {
		fmt.Fprintf(&adds, "add(%q, %q);", base64.StdEncoding.EncodeToString([]byte(f.content)), f.name)
	}
	browsertest.Evaluate[bool](b, fmt.Sprintf(`(() => {
		const data = new DataTransfer();
		const add = (text, name) => data.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], name));
		%s
		document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
		return true;
	})()`, adds.String()))
}
