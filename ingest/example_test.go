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
	"github.com/rasterbase/rasterbase/jobs"
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

// A server takes a layer at once; a worker fetches the file, parses it, and
// tells of the end.
func ExampleParser_Create() {
	if err := createDemo(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// queued: vegetation
	// finished: vegetation, 11 tiles
}

func createDemo() error {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "ingest-example-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	text, err := demo.Rasters()[0].Contents()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "vegetation.tif"), text, 0o600); err != nil {
		return err
	}
	st, err := sqlite.Open(ctx, filepath.Join(dir, "data"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer st.Close()

	told := make(chan struct{})
	parser := ingest.New(ingest.Config{
		Store: st, Opener: gdal.Opener{}, AllowedPaths: []string{dir},
		Ended: func(_ context.Context, e ingest.Ended) error {
			fmt.Printf("%s: %s, %d tiles\n", e.Status, e.Slug, e.Tiles)
			close(told)
			return nil
		},
	})
	layer := &rasterbase.Layer{Settings: rasterbase.Settings{MaxZoom: new(8)}}
	ticket, err := parser.Create(ctx, layer, rasterbase.SourceFrom{Path: filepath.Join(dir, "vegetation.tif")})
	if err != nil {
		return err
	}
	fmt.Println("queued:", layer.Slug)

	runner := jobs.NewRunner(st, nil)
	parser.Register(runner)
	working, stop := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() { defer close(stopped); runner.Keep(working, 1) }()
	<-told
	stop()
	<-stopped
	return parser.Finish(ctx, ticket) // it has ended already
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
	c, err := coverage.OpenLayer(ctx, st, layer.ID)
	if err != nil {
		return err
	}
	r := c.Revision()
	fmt.Printf("%s is %s: %s\n", layer.Slug, r.Datatype, r.DatatypeReason)
	fmt.Printf("%d band of %v, zoom 0 to %d\n", len(r.Bands), r.Bands[0].PixelType, r.MaxZoom)
	return nil
}
