package main

import (
	"fmt"
	"math"
	"strconv"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// layerKey is one thing of a layer that "layers set" changes.
type layerKey struct {
	name   string
	help   string
	needed bool // an empty value is wrong
	// set reads a value into a layer. Nil: it is looked up first.
	set func(l *rasterbase.Layer, value string) error
}

// layerKeys lists the keys: first those that need no parse.
var layerKeys = []layerKey{
	{"name", "what the layer is called", true, setLayerText(func(l *rasterbase.Layer) *string { return &l.Name })},
	{"slug", "its name in addresses; made from the name when empty", false, setSlug},
	{"description", "what it shows", false, setLayerText(func(l *rasterbase.Layer) *string { return &l.Description })},
	{"attribution", "whom maps must name as the source", false, setLayerText(func(l *rasterbase.Layer) *string { return &l.Attribution })},
	{"license", "licence of the data", false, setLayerText(func(l *rasterbase.Layer) *string { return &l.License })},
	{"visibility", "public or private", false, setLayerVisibility},
	{"legend", "title or id of the legend that colours it; none when empty", false, nil},
	{"formula", "what a layer that is made of others computes; nothing is parsed", true, nil},
	{"layers", "the layers of its variables: a=dem,b:1=other", true, nil},
	{"grid", "the variable whose pixels are its own where no zoom is asked for", false, nil},
	{"type", "continuous, categorical, mask or rank-ordered", false, setLayerType},
	{"srid", "EPSG code of the coordinates, in place of the file's", false, setLayerSRID},
	{"nodata", "value that means no data, in place of the file's", false, setLayerNodata},
	{"max-zoom", "deepest zoom to make tiles for", false, setLayerMaxZoom},
	{"next-lower", "true: stop at the zoom below the source's resolution", false, setSwitch(func(s *rasterbase.Settings) *bool { return &s.NextLower })},
	{"no-pyramid", "true: the source's own pixels only, without map tiles", false, setSwitch(func(s *rasterbase.Settings) *bool { return &s.NoPyramid })},
	{"resampling", "nearest, bilinear or cubic", false, setLayerResampling},
	{"tilesize", "pixels, 64 to 1024 and even", false, setLayerTileSize},
	{"subdataset", "which raster of a file that holds several", false, func(l *rasterbase.Layer, v string) error { l.Settings.Subdataset = v; return nil }},
	{"source", "a file or address that replaces the one it was made from", true, nil},
}

func layerKeyNames() (names []string) {
	for _, k := range layerKeys {
		names = append(names, k.name)
	}
	return names
}

func setLayerText(field func(*rasterbase.Layer) *string) func(*rasterbase.Layer, string) error {
	return func(l *rasterbase.Layer, v string) error { *field(l) = v; return nil }
}

// setSlug takes only what is a slug, so that nobody wonders where another one
// came from.
func setSlug(l *rasterbase.Layer, v string) error {
	if is := store.Slug(v); v != "" && is != v {
		return rasterbase.Errorf(rasterbase.Invalid, "%q is not a slug", v).
			WithHint("a slug has lower-case letters, digits and single dashes, and not digits alone: %s", is)
	}
	l.Slug = v
	return nil
}

// setLayerVisibility leaves the layer as it is for an empty value, which only the
// settings of the server can replace.
func setLayerVisibility(l *rasterbase.Layer, v string) error {
	switch w := rasterbase.Visibility(v); w {
	case "":
	case rasterbase.Public, rasterbase.Private:
		l.Visibility = w
	default:
		return rasterbase.Errorf(rasterbase.Invalid, "unknown visibility %q", v).WithHint("public or private")
	}
	return nil
}

func setLayerType(l *rasterbase.Layer, v string) (err error) {
	if l.Settings.Datatype = ""; v == "" {
		return nil
	}
	if l.Settings.Datatype, err = rasterbase.ParseDatatype(v); err != nil {
		return rasterbase.Errorf(rasterbase.Invalid, "unknown datatype %q", v).WithHint("one of continuous, categorical, mask, rank-ordered")
	}
	return nil
}

func setLayerResampling(l *rasterbase.Layer, v string) (err error) {
	if l.Settings.Resampling = ""; v == "" {
		return nil
	}
	l.Settings.Resampling, err = rasterbase.ParseResampling(v)
	return err
}

func setLayerSRID(l *rasterbase.Layer, v string) error {
	n, err := wholeIn(v, 1, math.MaxInt32)
	if err == nil {
		l.Settings.SRID = n
	}
	return err
}

func setLayerTileSize(l *rasterbase.Layer, v string) error {
	n, err := wholeIn(v, 64, 1024)
	if err == nil {
		l.Settings.TileSize = n
	}
	return err
}

func setLayerMaxZoom(l *rasterbase.Layer, v string) error {
	if l.Settings.MaxZoom = nil; v == "" {
		return nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return fmt.Errorf("%q is not a whole number", v)
	}
	l.Settings.MaxZoom = &n
	return nil
}

func setLayerNodata(l *rasterbase.Layer, v string) error {
	if l.Settings.Nodata = nil; v == "" {
		return nil
	}
	x, err := strconv.ParseFloat(v, 64)
	if err != nil {
		return fmt.Errorf("%q is not a number", v)
	}
	l.Settings.Nodata = &x
	return nil
}

// setSwitch reads true or false; empty is false.
func setSwitch(field func(*rasterbase.Settings) *bool) func(*rasterbase.Layer, string) error {
	return func(l *rasterbase.Layer, v string) error {
		on := false
		if v != "" {
			var err error
			if on, err = strconv.ParseBool(v); err != nil {
				return fmt.Errorf("%q is not true or false", v)
			}
		}
		*field(&l.Settings) = on
		return nil
	}
}

// wholeIn reads a whole number between two; empty is 0.
func wholeIn(v string, least, most int) (int, error) {
	if v == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", v, least, most)
	}
	return n, nil
}
