package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/terrain"
)

// algorithm makes pixels of heights.
type algorithm string

// The algorithms, by the names that TiTiler gives them.
const (
	hillshade  algorithm = "hillshade"  // a byte of light
	slope      algorithm = "slope"      // degrees
	terrainRGB algorithm = "terrainrgb" // heights in three bytes, as Mapbox encodes them
	terrarium  algorithm = "terrarium"  // the same as Mapzen does
)

var algorithms = []algorithm{hillshade, slope, terrainRGB, terrarium}

// encodes reports whether a picture's colours are numbers, which nothing may
// change.
func (a algorithm) encodes() bool { return a == terrainRGB || a == terrarium }

// margin is how many pixels around a tile its own depend on.
func (a algorithm) margin() int {
	if a == hillshade || a == slope {
		return 1
	}
	return 0
}

// terrainParameters are what algorithm_params holds.
type terrainParameters struct {
	Azimuth      *float64 `json:"azimuth,omitempty"`
	Altitude     *float64 `json:"angle_altitude,omitempty"`
	Exaggeration *float64 `json:"z_exaggeration,omitempty"`
	// Multidirectional lights from four sides.
	Multidirectional bool `json:"multidirectional,omitempty"`
}

func readAlgorithm(d *drawing, _ string, values []string) (string, error) {
	a := algorithm(strings.ToLower(strings.TrimSpace(values[0])))
	if !slices.Contains(algorithms, a) {
		return "", invalid("there is no such algorithm", values[0], "one of hillshade, slope, terrainrgb, terrarium")
	}
	d.algorithm = a
	return string(a), nil
}

func readAlgorithmParams(d *drawing, _ string, values []string) (string, error) {
	dec := json.NewDecoder(strings.NewReader(values[0]))
	dec.DisallowUnknownFields()
	const form = `write {"azimuth": 315, "angle_altitude": 45, "z_exaggeration": 1}, or some of it`
	err := dec.Decode(&d.terrain)
	if err == nil {
		if _, after := dec.Token(); !errors.Is(after, io.EOF) {
			err = errors.New("there is more behind it")
		}
	}
	if err != nil {
		return "", rasterbase.Errorf(rasterbase.Invalid, "the parameters of the algorithm cannot be read: %.100s", err.Error()).WithHint("%s", form)
	}
	for _, c := range []struct {
		name      string
		value     *float64
		low, high float64
	}{
		{"azimuth", d.terrain.Azimuth, -360, 360},
		{"angle_altitude", d.terrain.Altitude, 0, 90},
		{"z_exaggeration", d.terrain.Exaggeration, 1e-6, 1e6},
	} {
		if c.value != nil && !(*c.value >= c.low && *c.value <= c.high) {
			return "", rasterbase.Errorf(rasterbase.Invalid, "%s is %v", c.name, *c.value).WithHint("from %v to %v", c.low, c.high)
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	if err := enc.Encode(d.terrain); err != nil {
		return "", err
	}
	return strings.TrimSpace(out.String()), nil
}

// checkAlgorithm tells what an algorithm leaves no place for.
func (d *drawing) checkAlgorithm() error {
	if d.algorithm == "" {
		if d.params.Has("algorithm_params") {
			return rasterbase.Errorf(rasterbase.Invalid, "algorithm_params are given without an algorithm").
				WithHint("algorithm=hillshade, for instance").WithField("algorithm_params")
		}
		return nil
	}
	if len(d.bands) == 3 {
		return conflict("bidx", "algorithm").WithHint("one band holds heights: bidx=1")
	}
	var names []string
	if d.algorithm != slope {
		names = []string{"legend", "colormap", "colormap_name", "rescale", "entries", "aggregation"}
	}
	if d.algorithm.encodes() {
		names = append(names, "enhance_color", "enhance_contrast", "enhance_brightness", "enhance_sharpness", "background", "algorithm_params")
	}
	for _, name := range names {
		if d.params.Has(name) {
			return rasterbase.Errorf(rasterbase.Invalid, "%s and algorithm=%s cannot be given together", name, d.algorithm).
				WithHint("leave out one of them").WithField(name)
		}
	}
	return nil
}

// elevationStyle draws what an algorithm makes of a continuous layer's heights: a
// hillshade in grey, the slope in degrees by the colours asked for or in grey from
// flat to upright.
func elevationStyle(rev *rasterbase.Revision, lg *rasterbase.Legend, d *drawing) (*style, error) {
	if rev.Datatype.Discrete() {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "layer %d is %s and holds no heights", rev.Layer, rev.Datatype).
			WithHint("algorithms are for continuous layers").WithField("algorithm")
	}
	st := reading(rev, oneBand(d), d)
	st.algorithm, st.drawn = d.algorithm, []int{0}
	about := rasterbase.Band{PixelType: rasterbase.Uint8, Description: string(d.algorithm), Scale: 1, Max: 255}
	switch {
	case d.algorithm.encodes():
		st.about, st.drawn = []rasterbase.Band{about, about, about}, []int{0, 1, 2}
		return st, nil
	case d.algorithm == hillshade:
		st.about = []rasterbase.Band{about}
		return st, nil
	}
	about.PixelType, about.Unit, about.Max = rasterbase.Float32, "°", 90
	st.about = []rasterbase.Band{about}
	return st, st.color(about, lg, d, stretch{low: 0, high: 90})
}

// resampling is how pixels are made where a tile is not as it is stored. Heights
// are blended unless the request says otherwise: repeated ones are stairs. Light
// and slope need heights without edges, numbers such that do not shoot over.
func (st *style) resampling(d *drawing) rasterbase.Resampling {
	switch {
	case d.resampling != "" || st.algorithm == "":
		return d.resampling
	case st.algorithm.encodes():
		return rasterbase.Bilinear
	}
	return rasterbase.Cubic
}

// apply makes of heights what the algorithm does. The raster has the algorithm's
// margin around the tile's pixels, which the result has not.
func (a algorithm) apply(r *raster.Raster, p terrainParameters) (*raster.Raster, error) {
	h := terrain.Heights{}
	if p.Exaggeration != nil {
		h.Factor = *p.Exaggeration
	}
	// Maps in three dimensions look at no transparency: what is not known lies at
	// sea level, and not in a pit.
	sea := 0.0
	switch a {
	case hillshade:
		return terrain.Hillshade(r, terrain.Mercator(r.Grid), h, terrain.Light{Azimuth: p.Azimuth, Altitude: p.Altitude, Multidirectional: p.Multidirectional})
	case slope:
		return terrain.Slope(r, terrain.Mercator(r.Grid), h)
	case terrainRGB:
		return terrain.TerrainRGB(r, h, &sea)
	case terrarium:
		return terrain.Terrarium(r, h, &sea)
	}
	return nil, fmt.Errorf("there is no algorithm %q", a)
}
