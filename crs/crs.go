// Package crs transforms coordinates between coordinate reference systems. It
// has the contract, [Transformer], and one implementation in pure Go, [Closed],
// for the systems that have closed formulas: longitude and latitude, web
// mercator and UTM. The gdal package has one for all that PROJ knows; [Chain]
// puts them behind each other.
//
// Axes are always in the order of maps: x (east, longitude) before y.
// Longitude and latitude are in degrees, other coordinates in the unit of
// their system.
package crs

import (
	"context"
	"fmt"

	"github.com/rasterbase/rasterbase"
)

// Point is a pair of coordinates.
type Point struct{ X, Y float64 }

// Transformer knows how to transform coordinates.
type Transformer interface {
	// Between gives the transform from one CRS to another. The error has code
	// unsupported when this transformer, or this build of the program, cannot
	// do it.
	Between(from, to rasterbase.CRS) (Transform, error)
}

// Transform transforms coordinates from one CRS to another.
type Transform interface {
	// Apply transforms the points in place. A point that cannot be transformed
	// becomes NaN, NaN. Several goroutines may call it. The error is for a
	// failure of the whole, such as a cancelled context; the points are then of
	// no use.
	Apply(ctx context.Context, p []Point) error
}

// SameCRS reports whether two CRSs are known to be the same, so that
// coordinates need no transform: equal srids, several srids of web mercator,
// or, where one has no srid, equal WKT. False means only that it is not known.
func SameCRS(a, b rasterbase.CRS) bool {
	if a.SRID != 0 && b.SRID != 0 {
		return canonical(a.SRID) == canonical(b.SRID)
	}
	return a.WKT != "" && a.WKT == b.WKT
}

// Chain asks the transformers in turn and takes the first that can. When none
// can, the error is the first that says more than that it is unsupported, such
// as a faulty WKT, or else the first.
func Chain(ts ...Transformer) Transformer { return chain(ts) }

type chain []Transformer

func (c chain) Between(from, to rasterbase.CRS) (Transform, error) {
	var first, telling error
	for _, t := range c {
		tr, err := t.Between(from, to)
		if err == nil {
			return tr, nil
		}
		if first == nil {
			first = err
		}
		if telling == nil && rasterbase.CodeOf(err) != rasterbase.Unsupported {
			telling = err
		}
	}
	switch {
	case telling != nil:
		return nil, telling
	case first != nil:
		return nil, first
	}
	return nil, rasterbase.Errorf(rasterbase.Unsupported, "there is no transformer from %s to %s", name(from), name(to))
}

// name is how an error calls a CRS.
func name(c rasterbase.CRS) string {
	switch {
	case c.SRID != 0 && c.Name != "":
		return fmt.Sprintf("%s (srid %d)", c.Name, c.SRID)
	case c.SRID != 0:
		return fmt.Sprintf("srid %d", c.SRID)
	case c.Name != "":
		return c.Name
	}
	return "a CRS without a name and a srid"
}
