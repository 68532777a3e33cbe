//go:build cgo && !nogdal

package gdal_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/raster"
)

// TestClasses joins what side-cars say of values.
func TestClasses(t *testing.T) {
	field := func(i, name, kind, usage string) string {
		return `<FieldDefn index="` + i + `"><Name>` + name + `</Name><Type>` + kind + `</Type><Usage>` + usage + `</Usage></FieldDefn>`
	}
	for _, c := range []struct {
		name, pam            string
		want                 []rasterbase.Class
		table, names, colors bool
	}{
		{
			name:  "attribute table with colours",
			table: true,
			pam: `<GDALRasterAttributeTable>` + field("0", "Value", "0", "5") + field("1", "Count", "0", "1") + field("2", "Class", "2", "2") +
				field("3", "R", "0", "6") + field("4", "G", "0", "7") + field("5", "B", "0", "8") +
				`<Row index="0"><F>11</F><F>7</F><F>Water</F><F>70</F><F>107</F><F>159</F></Row>` +
				`<Row index="1"><F>41</F><F>9</F><F>Forest</F><F>104</F><F>171</F><F>95</F></Row></GDALRasterAttributeTable>`,
			want: []rasterbase.Class{
				{Value: 11, Name: "Water", Color: &rasterbase.Color{R: 70, G: 107, B: 159, A: 255}},
				{Value: 41, Name: "Forest", Color: &rasterbase.Color{R: 104, G: 171, B: 95, A: 255}},
			},
		},
		{
			name: "attribute table that only counts",
			pam: `<GDALRasterAttributeTable>` + field("0", "VALUE", "0", "0") + field("1", "COUNT", "0", "1") +
				`<Row index="0"><F>1</F><F>7</F></Row></GDALRasterAttributeTable>`,
		},
		{
			name:  "attribute table without usages",
			table: true,
			pam: `<GDALRasterAttributeTable>` + field("0", "VALUE", "0", "0") + field("1", "LABEL", "2", "0") +
				`<Row index="0"><F>5</F><F>Marsh</F></Row></GDALRasterAttributeTable>`,
			want: []rasterbase.Class{{Value: 5, Name: "Marsh"}},
		},
		{
			name: "class names", names: true,
			pam:  `<CategoryNames><Category></Category><Category>Land</Category><Category>Sea</Category></CategoryNames>`,
			want: []rasterbase.Class{{Value: 1, Name: "Land"}, {Value: 2, Name: "Sea"}},
		},
		{
			name: "colour table", colors: true,
			pam: `<ColorInterp>Palette</ColorInterp><ColorTable><Entry c1="0" c2="0" c3="0" c4="255"/><Entry c1="255" c2="1" c3="2" c4="255"/></ColorTable>`,
			want: []rasterbase.Class{
				{Value: 0, Color: &rasterbase.Color{A: 255}},
				{Value: 1, Color: &rasterbase.Color{R: 255, G: 1, B: 2, A: 255}},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, raster.New(utm, 26711, rasterbase.Uint8), gdal.WriteOptions{})
			xml := `<PAMDataset><PAMRasterBand band="1">` + c.pam + `</PAMRasterBand></PAMDataset>`
			if err := os.WriteFile(path+".aux.xml", []byte(xml), 0o600); err != nil {
				t.Fatal(err)
			}
			b := open(t, path, ingest.OpenOptions{}).Info().Bands[0]
			if b.HasAttributeTable != c.table || b.HasClassNames != c.names || b.HasColorTable != c.colors || len(b.Classes) != len(c.want) {
				t.Fatalf("read %+v", b)
			}
			for i, got := range b.Classes {
				w := c.want[i]
				if got.Value != w.Value || got.Name != w.Name || (got.Color == nil) != (w.Color == nil) || got.Color != nil && *got.Color != *w.Color {
					t.Errorf("class %d is %+v, want %+v", i, got, w)
				}
			}
		})
	}
}

// TestNothingWritten makes sure that reading leaves no file behind.
func TestNothingWritten(t *testing.T) {
	path := write(t, raster.New(utm, 26711, rasterbase.Uint8), gdal.WriteOptions{})
	d := open(t, path, ingest.OpenOptions{})
	if _, err := d.Read(context.Background(), ingest.Window{Width: 20, Height: 20}, nil); err != nil {
		t.Fatal(err)
	}
	d.Close()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("files %v, %v", entries, err)
	}
}

// TestSeveral opens a file with two pages.
func TestSeveral(t *testing.T) {
	path := write(t, raster.New(utm, 26711, rasterbase.Uint8), gdal.WriteOptions{})
	if err := gdal.Write(context.Background(), path, raster.New(utm, 26711, rasterbase.Int16), gdal.WriteOptions{Options: []string{"APPEND_SUBDATASET=YES"}}); err != nil {
		t.Fatal(err)
	}
	_, err := gdal.Opener{}.Open(context.Background(), path, ingest.OpenOptions{})
	several, ok := errors.AsType[*ingest.SeveralRasters](err)
	if !ok || len(several.Rasters) != 2 || several.Rasters[1].Name != "2" {
		t.Fatalf("two pages: %v", err)
	}
	if b := open(t, path, ingest.OpenOptions{Subdataset: "2"}).Info().Bands[0]; b.PixelType != rasterbase.Int16 {
		t.Errorf("page 2 is %+v", b)
	}
	if _, err := (gdal.Opener{}).Open(context.Background(), path, ingest.OpenOptions{Subdataset: "3"}); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("page 3: %v", err)
	}
}
