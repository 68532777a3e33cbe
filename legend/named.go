package legend

import (
	"compress/flate"
	_ "embed" // the colormaps
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/spelling"
)

// colormapData is written by tools/colormaps/generate.py, which tells its form.
//
//go:embed colormaps.bin
var colormapData string

//go:embed colormaps.txt
var colormapNotices string

// ColormapInfo describes a named colormap.
type ColormapInfo struct {
	Name   string // lower case: "viridis"
	Group  string // uniform, sequential, diverging, cyclic, qualitative, miscellaneous, ocean
	Colors int    // 256, or the number of colours of a qualitative one
}

// reversed is the end of the name of a colormap from its last colour to its
// first.
const reversed = "_r"

// ColormapNotices are the licences of the named colormaps' data: of matplotlib,
// ColorBrewer, Yorick, cmocean, Turbo and rio-tiler. They are to go with every
// copy.
func ColormapNotices() string { return colormapNotices }

// Names lists the named colormaps, without the reversed ones, by group and in
// the group by name.
func Names() []ColormapInfo {
	var all []ColormapInfo
	eachColormap(func(c storedColormap) bool {
		all = append(all, c.ColormapInfo)
		return true
	})
	return all
}

// Named gives the stops of a named colormap, in any case, with _r at the end for
// the reverse: places from 0 to 1, rising. A qualitative one has a discrete stop
// at the end of each of its equal steps; any other has 256 linear stops, the
// first at 0. An unknown name is an error with the code invalid and the field
// colormap_name that tells names near to it.
func Named(name string) (stops []rasterbase.Stop, err error) {
	colors, err := Colors(name)
	if err != nil {
		return nil, err
	}
	stops = make([]rasterbase.Stop, len(colors))
	for i, c := range colors {
		stops[i] = rasterbase.Stop{At: float64(i) / float64(len(colors)-1), Color: c}
		if len(colors) < fullColormap {
			stops[i].At = float64(i+1) / float64(len(colors))
		}
	}
	return stops, nil
}

// fullColormap is the number of colours of a colormap that is not qualitative.
const fullColormap = 256

// Colors gives the colours of a named colormap, as [Named] finds it: 256, or as
// many as a qualitative one has.
func Colors(name string) ([]rasterbase.Color, error) {
	wanted := strings.ToLower(strings.TrimSpace(name))
	base, reverse := strings.CutSuffix(wanted, reversed)
	var found *storedColormap
	eachColormap(func(c storedColormap) bool {
		if c.Name == base {
			found = &c
		}
		return found == nil
	})
	if found == nil {
		return nil, unknownColormap(name, base)
	}
	colors, err := found.colors()
	if err != nil {
		return nil, err
	}
	if reverse {
		slices.Reverse(colors)
	}
	return colors, nil
}

// reverseName is the name of the colormap the other way around.
func reverseName(name string) string {
	if base, ok := strings.CutSuffix(strings.ToLower(strings.TrimSpace(name)), reversed); ok {
		return base
	}
	return strings.TrimSpace(name) + reversed
}

// storedColormap is a colormap as it stands in the data.
type storedColormap struct {
	ColormapInfo
	packed string
}

// eachColormap calls f for each colormap until it is false.
func eachColormap(f func(storedColormap) bool) {
	head, body, _ := strings.Cut(colormapData, "\n\n")
	for line := range strings.Lines(head) {
		fields := strings.Fields(line)
		colors, _ := strconv.Atoi(fields[2]) // a test reads all
		size, _ := strconv.Atoi(fields[3])
		c := storedColormap{ColormapInfo{fields[0], fields[1], colors}, body[:size]}
		body = body[size:]
		if !f(c) {
			return
		}
	}
}

// colors unpacks: all reds, then greens, then blues, as differences.
func (c *storedColormap) colors() ([]rasterbase.Color, error) {
	planes, err := io.ReadAll(flate.NewReader(strings.NewReader(c.packed)))
	if err != nil || len(planes) != 3*c.Colors {
		return nil, fmt.Errorf("unpack the colormap %s: %d bytes: %w", c.Name, len(planes), err)
	}
	colors := make([]rasterbase.Color, c.Colors)
	last := rasterbase.Color{A: 0xff}
	for i := range colors {
		last.R += planes[i]
		last.G += planes[c.Colors+i]
		last.B += planes[2*c.Colors+i]
		colors[i] = last
	}
	return colors, nil
}

// unknownColormap names the colormaps that are spelt most alike.
func unknownColormap(name, base string) error {
	err := rasterbase.Errorf(rasterbase.Invalid, "there is no colormap %.40q", name).WithField("colormap_name")
	const most = 3
	type near struct {
		name     string
		distance int
	}
	var all []near
	if len(base) <= maxColor {
		for _, c := range Names() {
			d := spelling.Distance(base, c.Name)
			if strings.HasPrefix(c.Name, base) || strings.HasPrefix(base, c.Name) {
				d = min(d, 2)
			}
			if d <= 2 && base != "" || d < len(base)/2 {
				all = append(all, near{c.Name, d})
			}
		}
	}
	if len(all) == 0 {
		return err.WithHint("such as viridis, terrain or spectral; each also with %s for the reverse", reversed)
	}
	slices.SortStableFunc(all, func(a, b near) int { return a.distance - b.distance })
	names := make([]string, 0, most)
	for _, n := range all[:min(most, len(all))] {
		names = append(names, n.name)
	}
	return err.WithHint("did you mean %s?", strings.Join(names, " or "))
}
