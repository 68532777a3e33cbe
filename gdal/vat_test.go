//go:build cgo && !nogdal

package gdal_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// column is a column of a dBase table: its name, and the values of its rows,
// which are all whole numbers, numbers or texts.
type column struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"` // Integer, Real or String, as OGR calls them
	Values []any  `json:"values"`
}

// writeTable writes a table through OGR.
func writeTable(t *testing.T, path string, columns ...column) {
	t.Helper()
	in, err := json.Marshal(map[string]any{"path": path, "columns": columns})
	if err != nil {
		t.Fatal(err)
	}
	python(t, `
import os
from osgeo import ogr
ogr.UseExceptions()
job = json.load(sys.stdin)
folder, name = os.path.split(job["path"])
made = ogr.GetDriverByName("ESRI Shapefile").CreateDataSource(folder)
layer = made.CreateLayer("table", None, ogr.wkbNone, ["ENCODING=UTF-8"])
for c in job["columns"]:
    f = ogr.FieldDefn(c["name"], getattr(ogr, "OFT" + c["kind"]))
    if c["kind"] == "Real":
        f.SetWidth(19)
        f.SetPrecision(11)
    layer.CreateField(f)
for row in zip(*(c["values"] for c in job["columns"])):
    feature = ogr.Feature(layer.GetLayerDefn())
    for i, v in enumerate(row):
        if v is not None:
            feature.SetField(i, v)
    layer.CreateFeature(feature)
feature = layer = made = None
os.rename(os.path.join(folder, "table.dbf"), job["path"])
if os.path.exists(os.path.join(folder, "table.cpg")):
    os.rename(os.path.join(folder, "table.cpg"), job["path"][:-4] + ".cpg")
`, in)
}

func classText(classes []rasterbase.Class) string {
	var parts []string
	for _, c := range classes {
		s := fmt.Sprint(c.Value, " ", c.Name)
		if c.Color != nil {
			s += " " + c.Color.String()
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, "; ")
}

// TestValueTable reads the tables that ArcGIS puts beside rasters.
func TestValueTable(t *testing.T) {
	values := column{"Value", "Integer", []any{11, 41}}
	counts := column{"Count", "Real", []any{1e6, 2e6}}
	for _, c := range []struct {
		name    string
		file    string // in place of a.tif.vat.dbf
		pam     string // of the band, in a side-car
		columns []column
		want    string
	}{
		{name: "names and fractions", columns: []column{values, counts, {"Class_Name", "String", []any{"Eau été", "Forest"}},
			{"Red", "Real", []any{0.1, 1}}, {"Green", "Real", []any{0, 0.5}}, {"Blue", "Real", []any{1, 0}}, {"Alpha", "Real", []any{1, 0.2}}},
			want: "11 Eau été #1A00FF; 41 Forest #FF800033"},
		{name: "whole colours", file: "a.vat.dbf", columns: []column{{"VALUE", "Integer", []any{2, 1}}, {"RED", "Integer", []any{1, 255}},
			{"GREEN", "Integer", []any{0, 300}}, {"BLUE", "Integer", []any{1, -4}}},
			want: "1  #FFFF00; 2  #010001"},
		{name: "real colours above 1", file: "a.tif.VAT.DBF", columns: []column{values, {"Red", "Real", []any{10, 255}}, {"Green", "Real", []any{0, 1}}, {"Blue", "Real", []any{1, 0}}},
			want: "11  #0A0001; 41  #FF0100"},
		{name: "only counts", columns: []column{values, counts}},
		{name: "the better name", columns: []column{{"NOTE", "String", []any{"x", "y"}}, values, {"NAME", "String", []any{"n", "m"}}, {"Label", "String", []any{"Sea", "Land"}}},
			want: "11 Sea; 41 Land"},
		{name: "the first text", columns: []column{values, {"NVC_DIV", "String", []any{"Sea", ""}}, {"NOTE", "String", []any{"x", "y"}}},
			want: "11 Sea"},
		{name: "empty cells", columns: []column{{"Value", "Integer", []any{1, nil, 3}}, {"Name", "String", []any{"a", "b", nil}},
			{"Red", "Integer", []any{nil, 2, 3}}, {"Green", "Integer", []any{2, 2, 3}}, {"Blue", "Integer", []any{2, 2, 3}}},
			want: "1 a; 3  #030303"},
		{name: "what the raster says wins", pam: `<CategoryNames><Category>Zero</Category></CategoryNames>` +
			`<GDALRasterAttributeTable><FieldDefn index="0"><Name>Value</Name><Type>0</Type><Usage>5</Usage></FieldDefn>` +
			`<FieldDefn index="1"><Name>Class</Name><Type>2</Type><Usage>2</Usage></FieldDefn><Row index="0"><F>11</F><F>Water</F></Row></GDALRasterAttributeTable>`,
			columns: []column{values, {"Name", "String", []any{"Sea", "Land"}}},
			want:    "0 Zero; 11 Water; 41 Land"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, raster.New(utm, 26711, rasterbase.Uint8), gdal.WriteOptions{})
			file := c.file
			if file == "" {
				file = "a.tif.vat.dbf"
			}
			writeTable(t, filepath.Join(filepath.Dir(path), file), c.columns...)
			if c.pam != "" {
				xml := `<PAMDataset><PAMRasterBand band="1">` + c.pam + `</PAMRasterBand></PAMDataset>`
				if err := os.WriteFile(path+".aux.xml", []byte(xml), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			info := open(t, path, ingest.OpenOptions{}).Info()
			b := info.Bands[0]
			if got := classText(b.Classes); got != c.want || b.HasAttributeTable != (c.want != "") || len(info.Warnings) > 0 {
				t.Errorf("got %s, %v, warnings %q; want %s", got, b.HasAttributeTable, info.Warnings, c.want)
			}
		})
	}
}

// TestBrokenValueTable opens rasters whose table cannot be read: they open, and
// a warning names the table.
func TestBrokenValueTable(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.dbf")
	writeTable(t, good, column{"Value", "Integer", []any{1, 2, 3}}, column{"Name", "String", []any{"a", "b", "c"}})
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	noValue := filepath.Join(t.TempDir(), "other.dbf")
	writeTable(t, noValue, column{"Code", "Integer", []any{1}}, column{"Name", "String", []any{"a"}})
	other, err := os.ReadFile(noValue)
	if err != nil {
		t.Fatal(err)
	}
	many := append([]byte(nil), b...)
	many[4], many[5], many[6], many[7] = 0xff, 0xff, 0xff, 0x7f // rows
	for _, c := range []struct {
		name string
		dbf  []byte
		want string // of the warnings
	}{
		{"empty", nil, "a.tif.vat.dbf: it is not read"},
		{"prose", []byte("this is no table"), "a.tif.vat.dbf: it is not read"},
		{"head cut", b[:20], "a.tif.vat.dbf: it is not read"},
		{"columns cut", b[:40], "a.tif.vat.dbf: it is not read"},
		{"rows cut", b[:len(b)-100], "it is damaged"},
		{"more rows said than there are", many, "it is damaged"},
		{"as it should be", b, ""},
		{"no column Value", other, "no column Value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, raster.New(utm, 26711, rasterbase.Uint8), gdal.WriteOptions{})
			if err := os.WriteFile(path+".vat.dbf", c.dbf, 0o600); err != nil {
				t.Fatal(err)
			}
			info := open(t, path, ingest.OpenOptions{}).Info()
			said := strings.Join(info.Warnings, "\n")
			if !strings.Contains(said, c.want) || (said == "") != (c.want == "") {
				t.Errorf("warnings %q, want %q", said, c.want)
			}
			if got := classText(info.Bands[0].Classes); got != "" && !strings.HasPrefix("1 a; 2 b; 3 c", got) {
				t.Errorf("classes %s", got)
			}
			if strings.Contains(said, filepath.Dir(path)) {
				t.Errorf("warnings %q show the folder", said)
			}
		})
	}
}

// TestRealValueTable reads a table of GDAL's own test files.
func TestRealValueTable(t *testing.T) {
	path := filepath.Join(testData(t), "odd", "testrat.tif")
	if _, err := os.Stat(path + ".vat.dbf"); err != nil {
		t.Skip("there is no testrat.tif.vat.dbf")
	}
	d, err := gdal.Opener{}.Open(t.Context(), path, ingest.OpenOptions{SRID: 32631})
	if err != nil {
		t.Skip(err)
	}
	defer d.Close()
	const want = "1 my class #1A3380; 2 my class2 #1A3380"
	if got := classText(d.Info().Bands[0].Classes); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
