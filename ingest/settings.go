package ingest

import (
	"errors"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/xyz"
)

// CheckSettings refuses settings that no source can be parsed with. The error
// has code invalid and names the field as the command line spells it: type,
// srid, max-zoom, resampling, tilesize or subdataset.
func CheckSettings(s rasterbase.Settings) error {
	switch {
	case s.Datatype != "" && !slices.Contains(rasterbase.Datatypes, s.Datatype):
		return rasterbase.Errorf(rasterbase.Invalid, "unknown datatype %q", s.Datatype).
			WithHint("one of continuous, categorical, mask, rank ordered").WithField("type")
	case s.SRID < 0 || s.SRID >= 1<<20:
		return rasterbase.Errorf(rasterbase.Invalid, "%d is not an EPSG code", s.SRID).WithField("srid")
	case s.MaxZoom != nil && (*s.MaxZoom < 0 || *s.MaxZoom > xyz.MaxZoom):
		return rasterbase.Errorf(rasterbase.Invalid, "max zoom %d does not exist", *s.MaxZoom).
			WithHint("0 to %d", xyz.MaxZoom).WithField("max-zoom")
	case s.Datatype != "" && s.Datatype.Discrete() && s.Resampling.Blends():
		return blending(s.Resampling, s.Datatype)
	}
	if s.Resampling != "" {
		if _, err := rasterbase.ParseResampling(string(s.Resampling)); err != nil {
			return err
		}
	}
	if s.TileSize != 0 {
		if err := checkTileSize(s.TileSize); err != nil {
			return err
		}
	}
	if err := rasterbase.CheckLine("the subdataset", s.Subdataset); err != nil {
		if e, ok := errors.AsType[*rasterbase.Error](err); ok {
			return e.WithField("subdataset")
		}
		return err
	}
	return nil
}

func checkTileSize(pixels int) error {
	if pixels < 64 || pixels > 1024 || pixels%2 != 0 {
		return rasterbase.Errorf(rasterbase.Invalid, "tiles cannot be %d pixels a side", pixels).
			WithHint("an even number from 64 to 1024").WithField("tilesize")
	}
	return nil
}

func blending(r rasterbase.Resampling, d rasterbase.Datatype) error {
	return rasterbase.Errorf(rasterbase.Invalid, "%s resampling would blend the classes of a %s layer", r, d).
		WithHint("leave --resampling out, or say --type continuous").WithField("resampling")
}

// settingsKey is a text that is the same for the same settings.
func settingsKey(s rasterbase.Settings) string {
	nodata := (*rasterbase.Float)(s.Nodata) // which may be NaN, that JSON does not have
	s.Nodata = nil
	return asJSON(s) + asJSON(nodata)
}

func sameSettings(a, b rasterbase.Settings) bool { return settingsKey(a) == settingsKey(b) }
