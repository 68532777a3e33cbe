package zonal_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/zonal"
)

// How much of what is inside a field.
func ExampleValueCount() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "zonal")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	st, err := sqlite.Open(ctx, folder, sqlite.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer st.Close()
	// A layer would be parsed from a file; this one has forest (1) in the west, and
	// water (2) in the east.
	l, err := testlayer.Add(ctx, st, testlayer.Spec{
		Layer: rasterbase.Layer{Name: "land cover"}, Datatype: rasterbase.Categorical, MaxZoom: 10, NoPyramid: true,
		Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}, X: 140_000, Y: 90_000, Width: 600, Height: 600,
		Value: func(_, x, _ int) (float64, bool) { return float64(1 + x/300), true },
	})
	if err != nil {
		log.Fatal(err)
	}
	cov, err := coverage.Open(ctx, st, l.ID)
	if err != nil {
		log.Fatal(err)
	}

	b := cov.Describe().Bounds
	field := orb.Bound{Min: orb.Point{b.West + 0.2, b.South + 0.2}, Max: orb.Point{b.East - 0.2, b.North - 0.2}}
	answer, err := zonal.ValueCount(ctx, cov, field, zonal.Options{Query: zonal.Query{Area: zonal.SquareKilometres}})
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range answer.Bands[0].Counts {
		fmt.Printf("%v: %v pixels, %.0f km2\n", row.Value, row.Count, row.Area)
	}
	// Output:
	// 1: 24332 pixels, 247 km2
	// 2: 24332 pixels, 247 km2
}
