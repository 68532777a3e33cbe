//go:build cgo && !nogdal

package ingest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/gdal/gdalchild"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/store"
)

// Side-cars that make legends of the values 1 to 3.
const (
	styleFile = `<qgis><pipe><rasterrenderer type="paletted"><colorPalette><paletteEntry value="1" color="#010101" label="style" alpha="255"/></colorPalette></rasterrenderer></pipe></qgis>`
	rampFile  = `<qgis><pipe><rasterrenderer type="singlebandpseudocolor"><rastershader><colorrampshader colorRampType="INTERPOLATED">` +
		`<item value="0" color="#000000" alpha="255" label="low"/><item value="9" color="#ffffff" alpha="255" label="high"/></colorrampshader></rastershader></rasterrenderer></pipe></qgis>`
	hillshadeFile = `<qgis><pipe><rasterrenderer type="hillshade" band="1"/></pipe></qgis>`
	colorsFile    = "1 2 2 2 255 colours\n2 0 0 0\n"
	tableFile     = `<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable>` +
		`<FieldDefn index="0"><Name>Value</Name><Type>0</Type><Usage>5</Usage></FieldDefn><FieldDefn index="1"><Name>Class</Name><Type>2</Type><Usage>2</Usage></FieldDefn>` +
		`<FieldDefn index="2"><Name>R</Name><Type>0</Type><Usage>6</Usage></FieldDefn><FieldDefn index="3"><Name>G</Name><Type>0</Type><Usage>7</Usage></FieldDefn><FieldDefn index="4"><Name>B</Name><Type>0</Type><Usage>8</Usage></FieldDefn>` +
		`<Row index="0"><F>1</F><F>table</F><F>3</F><F>3</F><F>3</F></Row></GDALRasterAttributeTable></PAMRasterBand></PAMDataset>`
	paletteFile = `<PAMDataset><PAMRasterBand band="1"><ColorInterp>Palette</ColorInterp><ColorTable><Entry c1="0" c2="0" c3="0" c4="255"/><Entry c1="4" c2="4" c3="4" c4="255"/></ColorTable></PAMRasterBand></PAMDataset>`
)

// classRaster writes a raster of the values 1 to 3.
func classRaster(t *testing.T, kind rasterbase.PixelType) string {
	f := geotiff{name: "cover.tif", grid: grid(600_000, 5_600_000, 100, 40, 30), srid: 32632, kind: kind,
		value: func(_, col, _ int) float64 { return float64(col%3) + 1 }}
	if kind.IsFloat() {
		f.value = func(_, col, _ int) float64 { return float64(col) / 8 }
	}
	return f.write(t)
}

// put writes files beside a raster.
func put(t *testing.T, raster string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(filepath.Dir(raster), name)
		if name == "cover.tif.vat.dbf" { // content is CSV
			in := filepath.Join(t.TempDir(), "table.csv")
			if err := os.WriteFile(in, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			dbf := filepath.Join(t.TempDir(), "table.dbf")
			gdalTool(t, "ogr2ogr", "-q", "-f", "ESRI Shapefile", dbf, in, "-oo", "AUTODETECT_TYPE=YES")
			b, err := os.ReadFile(dbf)
			if err != nil {
				t.Fatal(err)
			}
			content = string(b)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// legendOf gives the title and the first entry, or the interpolation, of a
// layer's legend, and the lines of the log about it.
func legendOf(t *testing.T, st store.Store, id rasterbase.LayerID) (text, log string) {
	t.Helper()
	err := st.Catalog().View(t.Context(), func(tx store.Tx) error {
		layer, err := tx.Layers().Get(t.Context(), id)
		if err != nil {
			return err
		}
		parse, err := tx.Parses().Latest(t.Context(), id)
		if err != nil {
			return err
		}
		lines, err := tx.Parses().Lines(t.Context(), parse.ID, 0)
		if err != nil {
			return err
		}
		var said []string
		for _, l := range lines {
			if strings.Contains(l.Text, "legend") || strings.Contains(l.Text, "vat.dbf") {
				said = append(said, l.Text)
			}
		}
		text, log = "none", strings.Join(said, "\n")
		if layer.Legend == 0 {
			return nil
		}
		l, err := tx.Legends().Get(t.Context(), layer.Legend)
		switch {
		case err != nil:
			return err
		case l.Gradient != nil:
			text = l.Title + ": " + string(l.Gradient.Interpolation)
		default:
			text = l.Title + ": " + l.Entries[0].Semantics.Name + " " + l.Entries[0].Color.String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return text, log
}

const valueTable = "Value,Count,Class_Name,Red,Green,Blue\n1,10,values,5,5,5\n"

// TestLegendOfSource imports rasters with side-cars: which of them is the
// layer's legend, and what the log says.
func TestLegendOfSource(t *testing.T) {
	for _, tt := range []struct {
		name   string
		files  map[string]string
		kind   rasterbase.PixelType // 0: uint8
		legend *rasterbase.Legend   // that the import names
		want   string
		log    string
	}{
		{name: "nothing", want: "none"},
		{name: "style", files: map[string]string{"cover.qml": styleFile}, want: "cover: style #010101", log: "legend made of cover.qml"},
		{name: "full name", files: map[string]string{"cover.tif.QML": styleFile}, want: "cover: style #010101", log: "legend made of cover.tif.QML"},
		{name: "colours", files: map[string]string{"cover.clr": colorsFile}, want: "cover: colours #020202", log: "legend made of cover.clr"},
		{name: "attribute table", files: map[string]string{"cover.tif.aux.xml": tableFile}, want: "cover: table #030303", log: "legend made of the raster's own classes"},
		{name: "colour table", files: map[string]string{"cover.tif.aux.xml": paletteFile}, want: "cover: 1 #040404", log: "legend made of the raster's own classes"},
		{name: "value table", files: map[string]string{"cover.tif.vat.dbf": valueTable}, want: "cover: values #050505", log: "legend made of the raster's own classes"},
		{
			name:  "all of them",
			files: map[string]string{"cover.qml": styleFile, "cover.clr": colorsFile, "cover.tif.aux.xml": tableFile, "cover.tif.vat.dbf": valueTable},
			want:  "cover: style #010101", log: "legend made of cover.qml; not used: cover.clr",
		},
		{
			name: "a style that draws something else", files: map[string]string{"cover.qml": hillshadeFile, "cover.clr": colorsFile},
			want: "cover: colours #020202", log: "warning: cover.qml makes no legend: legend cover.qml: line 1: the style's renderer is hillshade",
		},
		{
			name: "all broken", files: map[string]string{"cover.qml": "<qgis>", "cover.clr": "red 1 2\n", "cover.tif.vat.dbf": "Other,More\n1,2\n", "cover.tif.aux.xml": tableFile},
			want: "cover: table #030303", log: "warning: cover.tif.vat.dbf: it is not read, because it has no column Value",
		},
		{name: "too large", files: map[string]string{"cover.clr": strings.Repeat("# comment\n", 1<<19)}, want: "none", log: "cover.clr makes no legend"},
		{
			name: "a legend that is named", files: map[string]string{"cover.qml": styleFile},
			legend: &rasterbase.Legend{Title: "Mine", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "mine"}, Expression: "1"}}},
			want:   "Mine: mine #00000000", log: "cover.qml is not used: the layer has a legend",
		},
		{name: "colours of a continuous raster", kind: rasterbase.Float32, files: map[string]string{"cover.clr": colorsFile}, want: "cover: linear", log: "legend made of cover.clr"},
		{name: "ramp", kind: rasterbase.Float32, files: map[string]string{"cover.qml": rampFile}, want: "cover: linear", log: "legend made of cover.qml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kind := tt.kind
			if kind == 0 {
				kind = rasterbase.Uint8
			}
			path := classRaster(t, kind)
			put(t, path, tt.files)
			st := open(t)
			layer, err := parser(t, st, gdal.Opener{}).Import(t.Context(), ingest.Request{Source: path, Legend: tt.legend}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got, log := legendOf(t, st, layer.ID)
			if got != tt.want || !strings.Contains(log, tt.log) || (tt.log == "") != (log == "") {
				t.Errorf("legend %s, want %s\nlog %s\nwant %s", got, tt.want, log, tt.log)
			}
		})
	}
}

// TestLegendElsewhere lets the folder of the source go away before a worker, with
// children that open files, parses it.
func TestLegendElsewhere(t *testing.T) {
	st := open(t)
	p := parser(t, st, gdalchild.Opener{})
	for _, tt := range []struct {
		name, want string
		files      map[string]string
	}{
		{"style", "cover: style #010101", map[string]string{"cover.qml": styleFile}},
		{"the same again", "cover (2): style #010101", map[string]string{"cover.qml": styleFile}},
		{"value table", "cover (3): values #050505", map[string]string{"cover.tif.vat.dbf": valueTable}},
	} {
		path := classRaster(t, rasterbase.Uint8)
		put(t, path, tt.files)
		ticket, err := p.Add(t.Context(), ingest.Request{Source: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Dir(path)); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Run(t.Context(), ticket, nil); err != nil {
			t.Fatal(err)
		}
		if got, log := legendOf(t, st, ticket.Layer); got != tt.want {
			t.Errorf("%s: legend %s, want %s\n%s", tt.name, got, tt.want, log)
		}
	}
	p.Close()
}

// TestLegendInZip finds side-cars within a zip file, in a folder of it, and
// beside it.
func TestLegendInZip(t *testing.T) {
	raster, err := os.ReadFile(classRaster(t, rasterbase.Uint8))
	if err != nil {
		t.Fatal(err)
	}
	tif := entry{"data/cover.tif", string(raster)}
	for _, tt := range []struct {
		name    string
		entries []entry
		beside  string
		want    string
	}{
		{"in it", []entry{tif, {"data/cover.qml", styleFile}}, "", "pack: style #010101"},
		{"of another folder", []entry{tif, {"other/cover.qml", styleFile}}, "", "none"},
		{"of another raster", []entry{tif, {"data/rivers.qml", styleFile}}, "", "none"},
		{"beside it", []entry{tif}, "pack.clr", "pack: colours #020202"},
		{"the nearer one", []entry{tif, {"data/cover.clr", strings.ReplaceAll(colorsFile, "colours", "near")}}, "pack.clr", "pack: near #020202"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := zipped(t, "pack.zip", tt.entries...)
			if tt.beside != "" {
				put(t, path, map[string]string{tt.beside: colorsFile})
			}
			st := open(t)
			layer, err := parser(t, st, gdal.Opener{}).Import(t.Context(), ingest.Request{Source: path}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, log := legendOf(t, st, layer.ID); got != tt.want {
				t.Errorf("legend %s, want %s\n%s", got, tt.want, log)
			}
		})
	}
}

// TestLegendKept parses a layer again, after its legend was changed.
func TestLegendKept(t *testing.T) {
	path := classRaster(t, rasterbase.Uint8)
	put(t, path, map[string]string{"cover.qml": styleFile})
	st := open(t)
	p := parser(t, st, gdal.Opener{})
	layer, err := p.Import(t.Context(), ingest.Request{Source: path}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = st.Catalog().Update(t.Context(), func(tx store.Tx) error {
		l, err := tx.Legends().Get(t.Context(), layer.Legend)
		if err != nil {
			return err
		}
		l.Entries[0].Color = rasterbase.Color{R: 9, A: 255}
		return tx.Legends().Update(t.Context(), l)
	})
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := p.Reparse(t.Context(), layer.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), ticket, nil); err != nil {
		t.Fatal(err)
	}
	p.Close()
	if got, log := legendOf(t, st, layer.ID); got != "cover: style #090000" || !strings.Contains(log, "not used") {
		t.Errorf("legend %s\n%s", got, log)
	}
}
