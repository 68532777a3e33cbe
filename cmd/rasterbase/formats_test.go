package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/gdal/gdalchild"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

var update = flag.Bool("update", false, "write the tables of docs/formats.md anew")

const formatsDoc = "../../docs/formats.md"

// documents is held by whoever reads or writes the document.
var documents sync.Mutex

// TestFormatsOfDrivers compares the table of formats with the drivers that files
// are opened with, each tried with a small raster that GDAL itself writes.
//
//	go test ./cmd/rasterbase -run Formats -update
func TestFormatsOfDrivers(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	t.Parallel()
	doc, err := os.ReadFile(formatsDoc)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range gdal.Drivers() {
		if !*update && !strings.Contains(string(doc), "\n| "+d+" |") {
			t.Errorf("driver %s is not in %s", d, formatsDoc)
		}
	}
	if !strings.Contains(string(doc), "GDAL "+gdal.Version()+" ") && !*update {
		t.Skipf("the table is that of another GDAL than %s, whose drivers may write other things", gdal.Version())
	}
	translate, names := tool(t, "gdal_translate"), driverNames(t)
	dir := t.TempDir()
	q := newQueue(t)
	var rows []string
	drivers := gdal.Drivers()
	slices.Sort(drivers)
	tried := map[string]string{}
	for _, d := range drivers {
		file, sample := writeSample(t, translate, dir, d, names[d])
		tried[d] = sample
		if file != "" {
			q.add(t, d, file)
		}
	}
	results := q.results(t, dir)
	for _, d := range drivers {
		if r, ok := results[d]; ok {
			tried[d] = r.result
			if r.driver != "" && r.driver != d {
				tried[d] += " (as " + r.driver + ")"
			}
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s |", d, cell(names[d].long), cell(tried[d])))
	}
	compareTable(t, "drivers", "| driver | format | a small raster that GDAL wrote |\n|---|---|---|\n"+strings.Join(rows, "\n")+"\n")
}

// TestFormatsOfFiles compares the table of files with what becomes of each real
// file.
func TestFormatsOfFiles(t *testing.T) {
	data := os.Getenv("RASTERBASE_TESTDATA")
	if data == "" {
		t.Skip("RASTERBASE_TESTDATA names no folder with real rasters")
	}
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	t.Parallel()
	said := manifest(t, data)
	q := newQueue(t)
	var files []string
	err := filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(data, path)
		if err != nil || d.IsDir() && name == "expected" {
			return cmpOr(err, fs.SkipDir)
		}
		if d.IsDir() || !strings.Contains(name, string(filepath.Separator)) {
			return nil // what stands beside the folders tells of them
		}
		files = append(files, filepath.ToSlash(name))
		q.add(t, filepath.ToSlash(name), path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	results := q.results(t, data)
	parsed, rows := 0, make([]string, 0, len(files))
	for _, f := range files {
		r, m := results[f], said[f]
		if strings.HasPrefix(r.result, "parsed") {
			parsed++
		}
		if r.driver == "" { // what cannot be opened is what the manifest says
			r.driver, r.size = m.format, m.size
		}
		rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", f, cell(r.driver), cell(r.size), cell(r.result)))
	}
	head := fmt.Sprintf("%d files, %d of which are parsed.\n\n", len(files), parsed)
	compareTable(t, "files", head+"| file | format | size and bands | result |\n|---|---|---|---|\n"+strings.Join(rows, "\n")+"\n")
}

func cmpOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// cell is a text as it can stand in a table.
func cell(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`), "<", "&lt;")
	if r := []rune(s); len(r) > 300 {
		s = string(r[:300]) + "…"
	}
	return s
}

// driverName is what GDAL says of a driver.
type driverName struct {
	long      string
	extension string
	writes    bool
}

var formatLine = regexp.MustCompile(`^ +(\S+) -([^-]*)- \((\S+)\): (.*)$`)

// inLongName is the extension that the name of some formats has.
var inLongName = regexp.MustCompile(`\(\.(\w+)`)

func driverNames(t *testing.T) map[string]driverName {
	t.Helper()
	out, err := exec.Command(tool(t, "gdalinfo"), "--formats").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]driverName{}
	for line := range strings.Lines(string(out)) {
		m := formatLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		extension := strings.ToLower(m[1])
		if e := inLongName.FindStringSubmatch(m[4]); e != nil {
			extension = e[1]
		}
		names[m[1]] = driverName{m[4], extension, strings.Contains(m[3], "w")}
	}
	return names
}

// writeSample lets GDAL write a small raster with a driver, as bytes in EPSG:4326,
// or 16-bit whole numbers or floats where the format has no bytes. Without a
// path, said tells why there is none.
func writeSample(t *testing.T, translate, dir, driver string, name driverName) (path, said string) {
	t.Helper()
	if name.long == "" {
		return "", "not in this GDAL"
	}
	if !name.writes {
		return "", "GDAL writes none"
	}
	source := filepath.Join(dir, "source.tif")
	r := raster.New(rasterbase.Grid{Width: 121, Height: 121, OriginX: 10 - 1./240, OriginY: 46 + 1./240, ScaleX: 1. / 120, ScaleY: -1. / 120}, 4326, rasterbase.Uint8)
	for i := range 121 * 121 {
		r.Bands[0].Pixels.Set(i, float64(1+(i%121+i/121*3)%250))
	}
	if err := gdal.Write(context.Background(), source, r, gdal.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	three, five := []string{"-b", "1", "-b", "1", "-b", "1"}, []string{"-ot", "Int16", "-b", "1", "-b", "1", "-b", "1", "-b", "1", "-b", "1"}
	var out []byte
	for _, more := range [][]string{nil, {"-ot", "Int16"}, {"-ot", "Float32"}, three, five} {
		file := "sample_" + strings.ToLower(driver) + "." + name.extension
		if driver == "SRTMHGT" {
			file = "N45E010.hgt"
			more = []string{"-outsize", "1201", "1201", "-ot", "Int16", "-a_ullr", "9.999583333333", "46.000416666667", "11.000416666667", "44.999583333333"}
		}
		path = filepath.Join(dir, file)
		cmd := exec.Command(translate, append(append([]string{"-q", "-of", driver}, more...), source, path)...)
		var err error
		if out, err = cmd.CombinedOutput(); err == nil && !bytes.Contains(out, []byte("ERROR")) {
			return path, ""
		}
		os.Remove(path)
	}
	return "", "GDAL writes none of this kind"
}

// tried is what became of a file.
type tried struct {
	driver, size string // empty: it was not opened
	result       string
}

// queue parses files as the program does.
type queue struct {
	st     store.Store
	parser *ingest.Parser
	added  map[string]rasterbase.Ticket
	known  map[string]tried
}

func newQueue(t *testing.T) *queue {
	t.Helper()
	st, err := sqlite.Open(context.Background(), t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	q := &queue{st: st, added: map[string]rasterbase.Ticket{}, known: map[string]tried{}}
	q.parser = ingest.New(ingest.Config{Store: st, Opener: gdalchild.Opener{}, Workers: 2, Compress: "LZW"})
	runner := jobs.NewRunner(st, nil)
	q.parser.Register(runner)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error)
	go func() { over <- runner.Run(ctx, 2) }()
	t.Cleanup(func() {
		cancel()
		if err := <-over; err != nil {
			t.Error(err)
		}
		q.parser.Close()
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

func (q *queue) add(t *testing.T, name, path string) {
	t.Helper()
	ticket, err := q.parser.Add(t.Context(), ingest.Request{Source: path})
	if err != nil {
		q.known[name] = tried{result: "refused: " + err.Error()}
		return
	}
	q.added[name] = ticket
}

var openedLine = regexp.MustCompile(`: (\w+), (\d+ x \d+) pixels, (\d+ bands?) of ([^,]+)`)

// results waits for all that was added. Errors may name no folder.
func (q *queue) results(t *testing.T, folder string) map[string]tried {
	t.Helper()
	for name, ticket := range q.added {
		parse, lines := parseEnd(t, q.st, ticket)
		var r tried
		if m := openedLine.FindStringSubmatch(lines); m != nil {
			r.driver, r.size = m[1], fmt.Sprintf("%s, %s, %s", m[2], m[3], m[4])
		}
		switch parse.Status {
		case rasterbase.Finished:
			r.result = "parsed: " + q.made(t, ticket.Layer)
		default:
			r.result = "refused: " + parse.Error
		}
		q.known[name] = r
	}
	for name, r := range q.known {
		if strings.Contains(r.result, folder) || strings.Contains(r.result, os.TempDir()) {
			t.Errorf("%s: the reason names a folder: %s", name, r.result)
		}
	}
	return q.known
}

// made says what was made of a file.
func (q *queue) made(t *testing.T, id rasterbase.LayerID) (said string) {
	t.Helper()
	err := q.st.Catalog().View(t.Context(), func(tx store.Tx) error {
		layer, err := tx.Layers().Get(t.Context(), id)
		if err != nil {
			return err
		}
		rev, err := tx.Revisions().Get(t.Context(), layer.Published)
		if err != nil {
			return err
		}
		said = fmt.Sprintf("%s, zooms 0 to %d, %d base + %d pyramid tiles", rev.Datatype, rev.MaxZoom, rev.BaseTiles, rev.PyramidTiles)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return said
}

// manifestSize matches the size of a raster.
var manifestSize = regexp.MustCompile(`^\d+x\d+$`)

// described is what the manifest says of a file.
type described struct{ format, size string }

func manifest(t *testing.T, data string) map[string]described {
	t.Helper()
	f, err := os.Open(filepath.Join(data, "MANIFEST.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.LazyQuotes, r.FieldsPerRecord = '\t', true, -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]described{}
	for _, row := range rows[1:] {
		if len(row) < 7 {
			continue
		}
		d := described{format: row[3]}
		if manifestSize.MatchString(row[4]) {
			bands := row[5] + " bands"
			if row[5] == "1" {
				bands = "1 band"
			}
			d.size = strings.ReplaceAll(row[4], "x", " x ") + ", " + bands + ", " + strings.ToLower(row[6])
		}
		all[row[0]] = d
	}
	return all
}

// compareTable compares what stands between the marks of a table in the document,
// line by line, or writes it.
func compareTable(t *testing.T, name, want string) {
	t.Helper()
	documents.Lock()
	defer documents.Unlock()
	b, err := os.ReadFile(formatsDoc)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->\n"
	head, rest, ok := strings.Cut(string(b), begin)
	got, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no marks for the table of %s", formatsDoc, name)
	}
	if *update {
		if err := os.WriteFile(formatsDoc, []byte(head+begin+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	is, be := strings.Split(got, "\n"), strings.Split(want, "\n")
	for _, l := range be {
		if !slices.Contains(is, l) {
			t.Errorf("%s should say\n  %s", formatsDoc, l)
		}
	}
	for _, l := range is {
		if !slices.Contains(be, l) {
			t.Errorf("%s should not say\n  %s", formatsDoc, l)
		}
	}
}
