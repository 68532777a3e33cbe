package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/paulmach/orb"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/footprint"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/store"
)

// numbers is an argument of decimal numbers between commas.
type numbers []float64

// UnmarshalText reads the numbers.
func (n *numbers) UnmarshalText(b []byte) error {
	*n = nil
	for s := range strings.SplitSeq(string(b), ",") {
		v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", strings.TrimSpace(s))
		}
		*n = append(*n, v)
	}
	return nil
}

// place is where layers are looked for, in longitude and latitude; nil for
// everywhere.
func (c *layersListCmd) place() (orb.Geometry, error) {
	b := c.BBox
	switch {
	case c.At == nil && b == nil:
		return nil, nil
	case c.At != nil && len(c.At) != 2:
		return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "a place has two numbers, not %d", len(c.At)).
			WithHint("--at LON,LAT").WithField("at")}
	case c.At != nil && math.Abs(c.At[1]) > 90 || len(b) == 4 && max(math.Abs(b[1]), math.Abs(b[3])) > 90:
		return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "there is no latitude beyond 90 degrees").
			WithHint("longitude comes first: --at LON,LAT, --bbox W,S,E,N")}
	case c.At != nil:
		return orb.Point{c.At[0], c.At[1]}, nil
	case len(b) != 4:
		return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "a box has four numbers, not %d", len(b)).
			WithHint("--bbox W,S,E,N").WithField("bbox")}
	case b[1] > b[3]:
		return nil, usageError{rasterbase.Errorf(rasterbase.Invalid, "the box's south, %s, is north of its north, %s", decimal(b[1]), decimal(b[3])).
			WithHint("--bbox W,S,E,N").WithField("bbox")}
	}
	return footprint.BoxGeometry(rasterbase.Bounds{West: b[0], South: b[1], East: b[2], North: b[3]}), nil
}

// layersAt gives the layers that have tiles at a place.
func layersAt(ctx context.Context, st store.Store, place orb.Geometry) (map[rasterbase.LayerID]bool, error) {
	if place == nil {
		return nil, nil
	}
	found, err := coverage.Layers(ctx, st, coverage.LayersQuery{
		Geometry: place, CRS: rasterbase.CRS{SRID: 4326}, Transformer: crs.Chain(crs.Closed{}, gdal.Transformer{}),
	})
	there := map[rasterbase.LayerID]bool{}
	for _, l := range found {
		there[l.Layer().ID] = true
	}
	return there, err
}
