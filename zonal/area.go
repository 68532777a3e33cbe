package zonal

import (
	"strings"

	"github.com/rasterbase/rasterbase"
)

// ParseAreaUnit reads the name of a unit of area, in any case; empty is none.
func ParseAreaUnit(s string) (AreaUnit, error) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "":
		return "", nil
	case "m2", "m²", "sqm":
		return SquareMetres, nil
	case "ha", "hectare", "hectares":
		return Hectares, nil
	case "km2", "km²", "sqkm":
		return SquareKilometres, nil
	case "acre", "acres", "ac":
		return Acres, nil
	}
	return "", rasterbase.Errorf(rasterbase.Invalid, "%.40q is no unit of area", s).
		WithHint("one of m2, ha, km2, acres").WithField("area")
}

// squareMetres is how many a unit has; 0 for none.
func (u AreaUnit) squareMetres() (float64, error) {
	switch u {
	case "":
		return 0, nil
	case SquareMetres:
		return 1, nil
	case Hectares:
		return 1e4, nil
	case SquareKilometres:
		return 1e6, nil
	case Acres:
		return 4046.8564224, nil
	}
	_, err := ParseAreaUnit(string(u) + "?")
	return 0, err
}
