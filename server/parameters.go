package server

import (
	"net/url"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// drawingParameters reads from a query how tiles are to be drawn: by which
// legend. A parameter that would change the picture and that this version does
// not know how to follow is refused, because a picture without it would look
// right and be wrong. Others are ignored: caches and map libraries add some.
func drawingParameters(q url.Values) (legendRef string, err error) {
	unknown := []string{
		"algorithm", "bidx", "colormap", "colormap_name", "entries", "expression", "formula",
		"resampling", "rescale", "tilesize", "unscale",
	}
	names := make([]string, 0, len(q))
	for name := range q {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if slices.Contains(unknown, name) || strings.HasPrefix(name, "enhance_") {
			return "", rasterbase.Errorf(rasterbase.Invalid, "this version draws no tiles by %.40q", name).
				WithHint("leave it out; legend= is what can be chosen").WithField(name)
		}
	}
	return single(q, "legend")
}

// single reads a parameter that may be given once.
func single(q url.Values, name string) (string, error) {
	switch values := q[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	}
	return "", rasterbase.Errorf(rasterbase.Invalid, "%s is given %d times", name, len(q[name])).
		WithHint("give it once").WithField(name)
}
