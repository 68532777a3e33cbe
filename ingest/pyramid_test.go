package ingest_test

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
	"github.com/rasterbase/rasterbase/store"
)

// pyramidCase is a source with settings, parsed for a test.
type pyramidCase struct {
	name     string
	source   rastertest.Source
	settings rasterbase.Settings
}

func pyramidCases() []pyramidCase {
	nodata := rasterbase.FloatPtr
	return []pyramidCase{
		{"mask", wavy(rasterbase.Bit1, 1, 150, 130, nil, 2), rasterbase.Settings{}},
		{"classes", wavy(rasterbase.Uint8, 1, 150, 130, nodata(0), 9), rasterbase.Settings{}},
		{"classes with a mask", wavy(rasterbase.Int16, 2, 150, 130, nil, 9), rasterbase.Settings{}},
		{"classes in floats", wavy(rasterbase.Float32, 1, 150, 130, nil, 9), rasterbase.Settings{Datatype: rasterbase.Categorical}},
		{"ranks", wavy(rasterbase.Uint16, 1, 150, 130, nil, 60), rasterbase.Settings{Datatype: rasterbase.RankOrdered}},
		{"ranks with nodata", wavy(rasterbase.Int8, 1, 150, 130, nodata(-128), 60), rasterbase.Settings{Datatype: rasterbase.RankOrdered}},
		{"whole numbers", wavy(rasterbase.Uint8, 3, 150, 130, nil, 250), rasterbase.Settings{}},
		{"nodata in the middle", wavy(rasterbase.Int16, 1, 150, 130, nodata(100), 250), rasterbase.Settings{}},
		{"large numbers", wavy(rasterbase.Uint32, 1, 150, 130, nil, math.MaxUint32), rasterbase.Settings{}},
		{"floats", wavy(rasterbase.Float32, 1, 150, 130, nodata(-3.4028230607370965e+38), 1000), rasterbase.Settings{}},
		{"floats without nodata", wavy(rasterbase.Float64, 1, 150, 130, nil, 1000), rasterbase.Settings{}},
		{"six bands", wavy(rasterbase.Uint8, 6, 150, 130, nil, 250), rasterbase.Settings{}},
		{"nearest", wavy(rasterbase.Float32, 1, 150, 130, nil, 1000), rasterbase.Settings{Resampling: rasterbase.Nearest}},
		{"cubic", wavy(rasterbase.Int16, 1, 150, 130, nodata(0), 1000), rasterbase.Settings{Resampling: rasterbase.Cubic}},
		{"far below the natural zoom", wavy(rasterbase.Uint8, 1, 700, 300, nil, 9), rasterbase.Settings{MaxZoom: intPtr(6)}},
		{"far below, measured", wavy(rasterbase.Float32, 1, 700, 300, nil, 1000), rasterbase.Settings{MaxZoom: intPtr(4)}},
		{"beyond the natural zoom", wavy(rasterbase.Uint8, 1, 60, 40, nil, 9), rasterbase.Settings{MaxZoom: intPtr(13)}},
		{"many tiles", wavy(rasterbase.Uint8, 1, 1150, 80, nil, 9), rasterbase.Settings{}},
		{"no pyramid", wavy(rasterbase.Uint8, 1, 150, 130, nil, 9), rasterbase.Settings{NoPyramid: true}},
	}
}

func parsed(t *testing.T, c pyramidCase, config ingest.Config) (everything, store.Store) {
	t.Helper()
	st := open(t)
	config.Store, config.Opener = st, opener(c.source)
	c.settings.TileSize = cmp.Or(c.settings.TileSize, 64)
	l, err := ingest.New(config).Import(t.Context(), ingest.Request{Source: fileNamed(t, "raster.syn"), Settings: c.settings}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return contents(t, st, l.ID), st
}

// Every tile but those of the max zoom is the reduction of its four children
// as they are stored, and no valid pixel is made of invalid ones.
func TestTilesAreReductionsOfTheirChildren(t *testing.T) {
	for _, c := range pyramidCases() {
		t.Run(c.name, func(t *testing.T) {
			all, _ := parsed(t, c, ingest.Config{})
			type key struct{ z, x, y, set int }
			tiles := map[key]*raster.Raster{}
			for _, tile := range all.tiles {
				if tile.Kind == rasterbase.Pyramid {
					tiles[key{tile.Z, tile.X, tile.Y, tile.BandSet}] = tile.Raster
				}
			}
			if all.rev.HasPyramid && tiles[key{}] == nil {
				t.Error("there is no tile at zoom 0")
			}
			for k, parent := range tiles {
				if k.z == all.rev.MaxZoom {
					continue
				}
				var children [4]*raster.Raster
				for i := range children {
					children[i] = tiles[key{k.z + 1, 2*k.x + i%2, 2*k.y + i/2, k.set}]
				}
				checkReduction(t, fmt.Sprint(k), parent, children, resample.RuleFor(all.rev.Datatype))
			}
			for k := range tiles { // and no parent is missing
				if k.z > 0 && tiles[key{k.z - 1, k.x / 2, k.y / 2, k.set}] == nil {
					t.Errorf("tile %v has no parent", k)
				}
			}
		})
	}
}

func checkReduction(t *testing.T, name string, parent *raster.Raster, children [4]*raster.Raster, rule resample.Rule) {
	t.Helper()
	n := parent.Width
	for band := range parent.Bands {
		for i := range n * n {
			row, col := i/n, i%n
			child := children[row/(n/2)*2+col/(n/2)]
			var values []float64
			if child != nil {
				for _, d := range [...][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}} {
					k := (2*row%n+d[0])*n + 2*col%n + d[1]
					if child.Valid(band, k) {
						values = append(values, child.Bands[band].Pixels.At(k))
					}
				}
			}
			// A validity that bands share is that of any of them.
			valid := parent.Valid(band, i)
			if valid != (len(values) > 0) {
				t.Fatalf("%s, band %d, pixel %d: valid is %v, %d children are", name, band+1, i, valid, len(values))
			}
			if !valid {
				continue
			}
			got, want := parent.Bands[band].Pixels.At(i), reduced(&parent.Bands[band], values, rule)
			if got != want && !(parent.Bands[band].Type.IsFloat() && math.Abs(got-want) <= 1e-7*math.Abs(want)) {
				t.Fatalf("%s, band %d, pixel %d is %v, the %v of %v is %v", name, band+1, i, got, rule, values, want)
			}
		}
	}
}

// reduced is the rule in plain words.
func reduced(b *raster.Band, v []float64, rule resample.Rule) float64 {
	switch rule {
	case resample.Mode:
		best, most := 0.0, 0
		for _, a := range v {
			n := 0
			for _, c := range v {
				if a == c {
					n++
				}
			}
			if n > most {
				best, most = a, n
			}
		}
		return best
	case resample.LowerMedian:
		s := slices.Sorted(slices.Values(v))
		return s[(len(s)-1)/2]
	}
	sum := 0.0
	for _, a := range v {
		sum += a
	}
	mean := sum / float64(len(v))
	if b.Type.IsFloat() {
		return mean
	}
	if mean = math.Floor(mean + 0.5); b.HasNodata && mean == b.Nodata {
		mean-- // a mean that happens to be the nodata value stays valid
	}
	return mean
}

// Discrete layers hold no value that the source does not, at any zoom.
func TestDiscreteValuesNeverBlend(t *testing.T) {
	for _, c := range pyramidCases() {
		t.Run(c.name, func(t *testing.T) {
			all, _ := parsed(t, c, ingest.Config{})
			if !all.rev.Datatype.Discrete() {
				return
			}
			for band := range all.rev.Bands {
				known := map[float64]bool{}
				for _, v := range all.rev.Bands[band].Histogram.Values {
					known[v.Value] = true
				}
				for _, tile := range all.tiles {
					set, place := all.rev.SetOf(band)
					if tile.BandSet != set {
						continue
					}
					for i := range tile.Raster.Width * tile.Raster.Height {
						if v := tile.Raster.Bands[place].Pixels.At(i); tile.Raster.Valid(place, i) && !known[v] {
							t.Fatalf("%v tile %d/%d/%d holds %v, which the source does not", tile.Kind, tile.Z, tile.X, tile.Y, v)
						}
					}
				}
			}
		})
	}
}

// Summaries say exactly what the stored tiles hold, and those of pages what the
// pages below hold.
func TestSummariesAgreeWithTiles(t *testing.T) {
	for _, c := range pyramidCases() {
		t.Run(c.name, func(t *testing.T) {
			all, _ := parsed(t, c, ingest.Config{})
			type place struct {
				kind           rasterbase.Kind
				z, depth, x, y int
			}
			want := map[place]rasterbase.Summary{}
			for _, tile := range all.tiles {
				k := place{tile.Kind, tile.Z, 0, tile.X, tile.Y}
				s := want[k]
				if s.Bands == nil {
					s.Bands = make([]rasterbase.BandSummary, len(all.rev.Bands))
				}
				for i, band := range all.rev.BandSet(tile.BandSet) {
					s.Bands[band] = raster.Summarize(tile.Raster, i, all.rev.Datatype.Discrete())
				}
				want[k] = s
			}
			deepest := 0
			for _, p := range all.pages {
				deepest = max(deepest, p.Depth)
				up := place{p.Kind, p.Z, p.Depth + 1, p.X, p.Y}
				var sum rasterbase.Summary
				for _, cell := range p.Cells {
					k := place{p.Kind, p.Z, p.Depth, cell.X, cell.Y}
					s, ok := want[k]
					if !ok {
						t.Fatalf("cell %+v stands for nothing", k)
					}
					delete(want, k)
					if !reflect.DeepEqual(s, cell.Summary) {
						t.Fatalf("cell %+v is %+v, want %+v", k, cell.Summary, s)
					}
					for _, b := range cell.Bands {
						if b.Valid > 0 && (b.Counts != nil) != all.rev.Datatype.Discrete() {
							t.Fatalf("cell %+v of a %s layer: counts are %v", k, all.rev.Datatype, b.Counts)
						}
					}
					sum.Add(cell.Summary)
				}
				want[up] = sum
			}
			// What is left are the pages at the top, one a level, and no tile.
			for k := range want {
				if k.depth == 0 || k.x != 0 || k.y != 0 {
					t.Errorf("%+v is in no page", k)
				}
			}
			if c.name == "many tiles" && deepest == 0 {
				t.Error("there are no pages of pages")
			}
		})
	}
}

// Neither the number of workers nor that of tiles written at once changes a
// bit of what is made.
func TestResultsDoNotDependOnWorkersAndBatches(t *testing.T) {
	for _, c := range pyramidCases() {
		t.Run(c.name, func(t *testing.T) {
			first, _ := parsed(t, c, ingest.Config{Workers: 1, BatchSize: 100})
			for _, config := range []ingest.Config{{Workers: 2, BatchSize: 1}, {Workers: 5, BatchSize: 7}} {
				second, _ := parsed(t, c, config)
				sameParse(t, first, second)
			}
		})
	}
}
