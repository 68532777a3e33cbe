//go:build cgo && !nogdal

package ingest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/sqlite"
)

func ExampleImport() {
	if err := importDemo(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// storm-lake-vegetation is categorical: asked for
	// 1 band of int16, zoom 0 to 12
}

func importDemo() error {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ingest-example-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	vegetation := demo.Rasters()[0]
	file := filepath.Join(dir, vegetation.File)
	text, err := vegetation.Contents()
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}

	st, err := sqlite.Open(ctx, filepath.Join(dir, "data"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer st.Close()
	layer, err := ingest.Import(ctx, st, gdal.Opener{}, ingest.Request{
		Source: file, Name: "Storm Lake vegetation",
		Settings: rasterbase.Settings{Datatype: rasterbase.Categorical},
	})
	if err != nil {
		return err
	}
	c, err := coverage.Open(ctx, st, layer.ID)
	if err != nil {
		return err
	}
	r := c.Revision()
	fmt.Printf("%s is %s: %s\n", layer.Slug, r.Datatype, r.DatatypeReason)
	fmt.Printf("%d band of %v, zoom 0 to %d\n", len(r.Bands), r.Bands[0].PixelType, r.MaxZoom)
	return nil
}
