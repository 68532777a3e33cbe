package resample_test

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/resample"
)

// recorded is what testdata/make_gdalwarp.py wrote down of one run of gdalwarp.
type recorded struct {
	Method       rasterbase.Resampling `json:"method"`
	Scale        [2]float64            `json:"scale"`
	Type         string                `json:"type"`
	Source       string                `json:"source"`
	SourceSize   [2]int                `json:"source_size"`
	SourceGrid   [6]float64            `json:"source_grid"`
	SourceNodata *float64              `json:"source_nodata"`
	Target       string                `json:"target"`
	TargetSize   [2]int                `json:"target_size"`
	TargetGrid   [6]float64            `json:"target_grid"`
	TargetNodata float64               `json:"target_nodata"`
	Geographic   bool                  `json:"geographic"`
}

// places are those of the target's pixels in the source, by the closed form.
func (c *recorded) places() resample.Places {
	w, h := c.TargetSize[0], c.TargetSize[1]
	p := resample.Places{X: make([]float64, w*h), Y: make([]float64, w*h)}
	const radius = 6378137.0
	for i := range p.X {
		x := c.TargetGrid[0] + (float64(i%w)+0.5)*c.TargetGrid[1]
		y := c.TargetGrid[3] + (float64(i/w)+0.5)*c.TargetGrid[5]
		if c.Geographic {
			x = x / radius * 180 / math.Pi
			y = math.Atan(math.Sinh(y/radius)) * 180 / math.Pi
		}
		p.X[i] = (x - c.SourceGrid[0]) / c.SourceGrid[1]
		p.Y[i] = (y - c.SourceGrid[3]) / c.SourceGrid[5]
	}
	return p
}

func TestWarpAgreesWithGdalwarp(t *testing.T) {
	archive, err := zip.OpenReader("testdata/gdalwarp.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	var cases []recorded
	if err := json.Unmarshal(member(t, archive, "index.json"), &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Target, func(t *testing.T) { compare(t, archive, c) })
	}
}

func compare(t *testing.T, archive *zip.ReadCloser, c recorded) {
	source := load(t, archive, c.Source, c.Type)
	want := load(t, archive, c.Target, c.Type)
	s := resample.Source{
		Width: c.SourceSize[0], Height: c.SourceSize[1], FullWidth: c.SourceSize[0], FullHeight: c.SourceSize[1],
		Pixels: source,
	}
	if c.SourceNodata != nil {
		s.Valid = make([]uint8, source.Len())
		for i := range s.Valid {
			if source.At(i) != *c.SourceNodata {
				s.Valid[i] = 1
			}
		}
	}
	k := resample.Kernel{Method: c.Method, ScaleX: c.Scale[0], ScaleY: c.Scale[1]}
	p := c.places()
	ok := make([]uint8, want.Len())
	got := raster.NewPixels(pixelType(t, c.Type), want.Len())
	resample.Warp(got, ok, s, p, k)

	var valid, validity, off, partial int
	worst := ""
	for i := range ok {
		if (ok[i] != 0) != (want.At(i) != c.TargetNodata) {
			validity++
			continue
		}
		if ok[i] == 0 {
			continue
		}
		if c.Method == rasterbase.Cubic && missing(s, p, k, i) {
			partial++
			continue
		}
		valid++
		d := math.Abs(got.At(i) - want.At(i))
		limit := 1.0
		switch {
		case c.Method == rasterbase.Nearest:
			limit = 0
		case c.Type == "float32" || c.Type == "float64":
			limit = 1e-4 * math.Abs(want.At(i))
		}
		if d > limit {
			off++
			worst = fmt.Sprintf("pixel %d: %v, gdalwarp %v", i, got.At(i), want.At(i))
		}
	}
	if valid == 0 || validity > 0 || c.Method == rasterbase.Nearest && off > 0 || off*100 > valid {
		t.Errorf("%d of %d valid pixels differ, validity of %d of %d (%d beside invalid ones not compared); %s",
			off, valid, validity, len(ok), partial, worst)
	}
}

// missing reports whether an invalid pixel is in the kernel of a target pixel.
func missing(s resample.Source, p resample.Places, k resample.Kernel, i int) bool {
	rx, ry := k.Reach()
	col, row := int(math.Floor(p.X[i]-0.5)), int(math.Floor(p.Y[i]-0.5))
	for r := row + 1 - ry; r <= row+ry; r++ {
		for c := col + 1 - rx; c <= col+rx; c++ {
			if s.Valid != nil && c >= 0 && r >= 0 && c < s.Width && r < s.Height && s.Valid[r*s.Width+c] == 0 {
				return true
			}
		}
	}
	return false
}

func member(t *testing.T, archive *zip.ReadCloser, name string) []byte {
	t.Helper()
	f, err := archive.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func pixelType(t *testing.T, name string) rasterbase.PixelType {
	t.Helper()
	pt, err := rasterbase.ParsePixelType(name)
	if err != nil {
		t.Fatal(err)
	}
	return pt
}

// load reads the little-endian pixels of a member.
func load(t *testing.T, archive *zip.ReadCloser, name, typ string) raster.Pixels {
	t.Helper()
	b := member(t, archive, name)
	pt := pixelType(t, typ)
	p := raster.NewPixels(pt, len(b)/pt.Size())
	for i := range p.Len() {
		var bits uint64
		for j := range pt.Size() {
			bits |= uint64(b[i*pt.Size()+j]) << (8 * j)
		}
		switch pt {
		case rasterbase.Float64:
			p.Set(i, math.Float64frombits(bits))
		case rasterbase.Float32:
			p.Set(i, float64(math.Float32frombits(uint32(bits))))
		case rasterbase.Int16:
			p.Set(i, float64(int16(bits)))
		case rasterbase.Int32:
			p.Set(i, float64(int32(bits)))
		default:
			p.Set(i, float64(bits))
		}
	}
	return p
}
