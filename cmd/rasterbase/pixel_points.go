package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
)

// pointsAtOnce is how many rows of a file are looked up together: tiles are
// read once for all of them, and memory does not grow with the file.
const pointsAtOnce = 1 << 17

// pointsFile reads the places in a CSV file.
type pointsFile struct {
	name   string
	csv    *csv.Reader
	header []string // nil: the file has none
	x, y   int      // columns
	lonLat bool     // the columns are called so
	first  []string // a row that was read to see whether it is a header
}

// openPoints opens a file, or standard input for "-"; close ends it.
func (a *app) openPoints(name string) (p *pointsFile, closer io.Closer, err error) {
	in := a.stdin
	closer = io.NopCloser(nil)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, nil, noPoints(name, err)
		}
		in, closer = f, f
	}
	p, err = newPointsFile(name, in)
	if err != nil {
		closeInto(&err, closer)
		return nil, nil, err
	}
	return p, closer, nil
}

// noPoints says why a file of places cannot be opened.
func noPoints(name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return rasterbase.Errorf(rasterbase.NotFound, "there is no file %s", name).
			WithHint("--points takes a CSV file, or - for standard input").WithField("points")
	}
	return rasterbase.Errorf(rasterbase.Invalid, "open the points: %w", err).WithField("points")
}

func newPointsFile(name string, in io.Reader) (*pointsFile, error) {
	p := &pointsFile{name: name, csv: csv.NewReader(in), x: -1, y: -1}
	if name == "-" {
		p.name = "standard input"
	}
	p.csv.TrimLeadingSpace = true
	row, err := p.csv.Read()
	if errors.Is(err, io.EOF) {
		return p, nil
	}
	if err != nil {
		return nil, p.failed(err)
	}
	row[0] = strings.TrimPrefix(row[0], "\ufeff") // spreadsheets begin files so
	if len(row) >= 2 && isNumber(row[0]) && isNumber(row[1]) {
		p.x, p.y, p.first = 0, 1, row
		return p, nil
	}
	p.header = row
	p.findColumns()
	if p.x < 0 || p.y < 0 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s has no columns x and y, or lon and lat, but %s", p.name, strings.Join(row, ", ")).
			WithHint("name the columns of the coordinates so in the first line, or leave it out and put the two first").WithField("points")
	}
	return p, nil
}

// findColumns finds the columns of the coordinates by their names.
func (p *pointsFile) findColumns() {
	for i, names := range [][2][]string{{{"x", "easting"}, {"y", "northing"}}, {{"lon", "lng", "long", "longitude"}, {"lat", "latitude"}}} {
		at := func(names []string) int {
			return slices.IndexFunc(p.header, func(h string) bool { return slices.Contains(names, strings.ToLower(strings.TrimSpace(h))) })
		}
		x, y := at(names[0]), at(names[1])
		if x >= 0 && y >= 0 {
			p.x, p.y, p.lonLat = x, y, i == 1
			return
		}
	}
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return err == nil
}

func (p *pointsFile) failed(err error) error {
	return rasterbase.Errorf(rasterbase.Invalid, "%s cannot be read: %v", p.name, err).WithField("points")
}

// next reads up to n rows with their places; none at the end.
func (p *pointsFile) next(n int) (rows [][]string, places []crs.Point, err error) {
	for len(rows) < n {
		row := p.first
		if p.first = nil; row == nil {
			row, err = p.csv.Read()
			if errors.Is(err, io.EOF) {
				return rows, places, nil
			}
			if err != nil {
				return nil, nil, p.failed(err)
			}
		}
		x, errX := p.coordinate(row[p.x])
		y, errY := p.coordinate(row[p.y])
		if err := errors.Join(errX, errY); err != nil {
			line, _ := p.csv.FieldPos(p.x)
			return nil, nil, rasterbase.Errorf(rasterbase.Invalid, "line %d of %s: %v", line, p.name, err).WithField("points")
		}
		rows, places = append(rows, row), append(places, crs.Point{X: x, Y: y})
	}
	return rows, places, nil
}

// coordinate reads a number; an empty one is no place.
func (p *pointsFile) coordinate(s string) (float64, error) {
	if s = strings.TrimSpace(s); s == "" {
		return math.NaN(), nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return v, nil
}

// pointDoc is a place in the document of --json.
type pointDoc struct {
	X      *float64        `json:"x"` // null: no number
	Y      *float64        `json:"y"`
	Inside bool            `json:"inside"`
	Column int             `json:"column"`
	Row    int             `json:"row"`
	Values []pixelValueDoc `json:"values"`
}

// pointsWriter writes the answers for one chunk of rows after another.
type pointsWriter interface {
	write(rows [][]string, places []crs.Point, pixels []coverage.Pixel) error
	end() error
}

// runPoints looks up the places of a file.
func (c *pixelCmd) runPoints(ctx context.Context, a *app, source *exportSource) (err error) {
	in, closer, err := a.openPoints(c.Points)
	if err != nil {
		return err
	}
	defer closeInto(&err, closer)
	cov, bands := source.coverage, source.only(nil)
	d := cov.Describe()
	level, err := c.level(d)
	if err != nil {
		return err
	}
	srid := c.srid(in.lonLat)
	about := d.Bands
	if bands != nil {
		about = []rasterbase.Band{d.Bands[bands[0]]}
	}
	table := &pointsCSV{csv: csv.NewWriter(a.stdout), in: in, bands: about, names: columnNames(bands, len(about), c.Formula != "")}
	var out pointsWriter = table
	if c.JSON {
		out = &pointsJSON{a: a, source: source, formula: c.Formula, srid: srid, zoom: c.Zoom, bands: d.Bands}
	}
	for {
		rows, places, err := in.next(pointsAtOnce)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return out.end()
		}
		pixels, err := coverage.ValuesAt(ctx, cov, coverage.PointsRequest{
			Points: places, CRS: rasterbase.CRS{SRID: int(srid)}, Level: level, Bands: bands,
			Transformer: transformer(),
		})
		if err != nil {
			return err
		}
		if err := out.write(rows, places, pixels); err != nil {
			return fmt.Errorf("print the values: %w", err)
		}
	}
}

// columnNames are the names of n columns of values: of the bands given, or of all.
func columnNames(bands []int, n int, formula bool) []string {
	if formula {
		return []string{"value"}
	}
	names := make([]string, n)
	for i := range names {
		band := i
		if bands != nil {
			band = bands[i]
		}
		names[i] = "band_" + strconv.Itoa(band+1)
	}
	return names
}

// pointsCSV writes the rows as they came with the values after them.
type pointsCSV struct {
	csv   *csv.Writer
	in    *pointsFile
	bands []rasterbase.Band
	names []string // of their columns
	begun bool
}

func (w *pointsCSV) begin() error {
	if w.begun || w.in.header == nil {
		return nil
	}
	w.begun = true
	row := slices.Clone(w.in.header)
	for i, b := range w.bands {
		name := w.names[i]
		row = append(row, name)
		if scaled(b) {
			row = append(row, name+"_scaled")
		}
		if len(b.Classes) > 0 {
			row = append(row, name+"_class")
		}
	}
	return w.csv.Write(row)
}

func (w *pointsCSV) write(rows [][]string, _ []crs.Point, pixels []coverage.Pixel) error {
	if err := w.begin(); err != nil {
		return err
	}
	for i, row := range rows {
		row = slices.Clone(row)
		for k, b := range w.bands {
			var doc pixelValueDoc
			if pixels[i].Inside {
				doc = newPixelValueDoc(pixels[i].Values[k], b)
			}
			row = append(row, optional(doc.Value))
			if scaled(b) {
				row = append(row, optional(doc.Scaled))
			}
			if len(b.Classes) > 0 {
				row = append(row, doc.Class)
			}
		}
		if err := w.csv.Write(row); err != nil {
			return err
		}
	}
	w.csv.Flush()
	return w.csv.Error()
}

func (w *pointsCSV) end() error {
	if err := w.begin(); err != nil {
		return err
	}
	w.csv.Flush()
	return w.csv.Error()
}

// optional is a number, or nothing where there is none.
func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return decimal(*v)
}

// pointsJSON writes one document when all places were looked up, so that a
// failure does not leave half of one.
type pointsJSON struct {
	a       *app
	source  *exportSource
	formula string
	srid    whole
	zoom    *whole
	bands   []rasterbase.Band
	doc     bytes.Buffer
}

func (w *pointsJSON) write(_ [][]string, places []crs.Point, pixels []coverage.Pixel) error {
	for i, px := range pixels {
		doc := pointDoc{X: jsonNumber(places[i].X), Y: jsonNumber(places[i].Y), Inside: px.Inside, Values: []pixelValueDoc{}}
		if px.Inside {
			doc.Column, doc.Row = px.Col, px.Row
		}
		for _, v := range px.Values {
			doc.Values = append(doc.Values, newPixelValueDoc(v, w.bands[v.Band]))
		}
		if w.doc.Len() > 0 {
			w.doc.WriteString(",\n    ")
		}
		b, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		w.doc.Write(b)
	}
	return nil
}

// jsonNumber is a number as JSON has it, which knows neither NaN nor infinity.
func jsonNumber(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func (w *pointsJSON) end() error {
	head := struct {
		Layer   rasterbase.LayerID   `json:"layer,omitempty"`
		Layers  []rasterbase.LayerID `json:"layers,omitempty"`
		Formula string               `json:"formula,omitempty"`
		SRID    whole                `json:"srid"`
		Zoom    *whole               `json:"zoom,omitempty"`
	}{w.source.single(), w.source.several(), w.formula, w.srid, w.zoom}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(head); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w.a.stdout, "%s,\n  \"points\": [", bytes.TrimSuffix(b.Bytes(), []byte("\n}\n"))); err != nil {
		return err
	}
	if w.doc.Len() > 0 {
		fmt.Fprint(w.a.stdout, "\n    ")
		if _, err := w.doc.WriteTo(w.a.stdout); err != nil {
			return err
		}
		fmt.Fprint(w.a.stdout, "\n  ")
	}
	_, err := fmt.Fprint(w.a.stdout, "]\n}\n")
	return err
}
