package footprint_test

import (
	"context"
	"fmt"
	"log"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/raster"
)

// A triangle on a grid of 4 x 3 pixels of a metre: which pixels have their centre in
// it, and how much of each it covers.
func Example() {
	grid := footprint.Grid{
		Grid:     rasterbase.Grid{Width: 4, Height: 3, OriginX: 500000, OriginY: 5000003, ScaleX: 1, ScaleY: -1},
		CRS:      rasterbase.CRS{SRID: 32632},
		TileSize: 2,
	}
	ctx := context.Background()
	placer, err := footprint.NewPlacer(ctx, grid, footprint.Options{CRS: grid.CRS})
	if err != nil {
		log.Fatal(err)
	}
	outline, err := placer.Place(ctx, orb.Polygon{{{500000, 5000003}, {500003, 5000003}, {500000, 5000000}, {500000, 5000003}}})
	if err != nil {
		log.Fatal(err)
	}
	all := raster.Rect{Width: grid.Width, Height: grid.Height}
	for _, rule := range []footprint.Rule{footprint.Centre, footprint.Fraction} {
		fmt.Println(rule)
		outline.Spans(rule, all, func(row, from, to int, weight float64) {
			fmt.Printf("  row %d, columns %d to %d: %v\n", row, from, to, weight)
		})
	}
	for row, spans := range outline.CellRows(footprint.Centre) {
		fmt.Println("row of tiles", row, spans)
	}
	// Output:
	// center
	//   row 0, columns 0 to 2: 1
	//   row 1, columns 0 to 1: 1
	// fraction
	//   row 0, columns 0 to 2: 1
	//   row 0, columns 2 to 3: 0.5
	//   row 1, columns 0 to 1: 1
	//   row 1, columns 1 to 2: 0.5
	//   row 2, columns 0 to 1: 0.5
	// row of tiles 0 [{0 2 false}]
	// row of tiles 1 [{0 1 false}]
}
