package gdalchild

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
)

// waiting makes a process without a child that waits for the answer to a read
// of 4 x 3 pixels of uint8 and float32, two of the three bands of a raster.
func waiting() (*process, *pending, *ingest.Block) {
	d := &dataset{limits: gdal.Limits{ReadBytes: 1 << 20}, info: ingest.Info{
		Grid: rasterbase.Grid{Width: 4, Height: 3}, HasMask: true,
		Bands: []ingest.BandInfo{{PixelType: rasterbase.Uint8}, {PixelType: rasterbase.Int16}, {PixelType: rasterbase.Float32}},
	}}
	asked := []rasterbase.PixelType{rasterbase.Uint8, rasterbase.Float32}
	b := &ingest.Block{Window: ingest.Window{Width: 4, Height: 3}}
	w := &pending{
		request: request{Op: opRead}, timer: time.NewTimer(time.Hour), done: make(chan struct{}),
		receive: func(a answer, raw uint64) ([][]byte, error) { return d.receive(b, asked, a, raw) },
	}
	return &process{wait: map[uint64]*pending{7: w}}, w, b
}

// TestAnswers gives the parent right and wrong answers.
func TestAnswers(t *testing.T) {
	pixels := make([]byte, 12*5)
	mask := bytes.Repeat([]byte{255}, 12)
	for _, c := range []struct {
		name  string
		id    uint64
		a     answer
		parts [][]byte
		ok    bool
	}{
		{"right", 7, answer{Masks: noMask}, [][]byte{pixels}, true},
		{"one mask", 7, answer{Masks: oneMask}, [][]byte{pixels, mask}, true},
		{"all masks", 7, answer{Masks: allMasks}, [][]byte{pixels, mask, mask}, true},
		{"short", 7, answer{Masks: noMask}, [][]byte{pixels[1:]}, false},
		{"long", 7, answer{Masks: noMask}, [][]byte{pixels, mask}, false},
		{"unknown masks", 7, answer{Masks: "some"}, [][]byte{pixels, mask}, false},
		{"nobody asked", 8, answer{Masks: noMask}, [][]byte{pixels}, false},
		{"an error with pixels", 7, answer{Error: &failure{Message: "x"}}, [][]byte{pixels}, false},
	} {
		p, w, b := waiting()
		var pipe bytes.Buffer
		if err := writeMessage(&pipe, c.id, c.a, c.parts...); err != nil {
			t.Fatal(err)
		}
		err := p.receive(&pipe)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.ok && (w.err != nil || len(b.Bands) != 2 || c.a.Masks != noMask && len(b.Masks) != 2) {
			t.Errorf("%s: %v, block %+v", c.name, w.err, b)
		}
	}
}

// TestFailures sends errors through the control part.
func TestFailures(t *testing.T) {
	full := rasterbase.Errorf(rasterbase.Invalid, "bad").WithHint("do it so").WithField("srid")
	for _, err := range []error{full, fmt.Errorf("read it: %w", full), rasterbase.Errorf(rasterbase.TooLarge, "big: %w", errors.New("cause")), errors.New("plain")} {
		got := failureOf(err).err("a.tif")
		if got.Error() != err.Error() || rasterbase.CodeOf(got) != rasterbase.CodeOf(err) {
			t.Errorf("%q (%s) became %q (%s)", err, rasterbase.CodeOf(err), got, rasterbase.CodeOf(got))
		}
	}
	if got := failureOf(fmt.Errorf("read: %w", context.Canceled)).err(""); !errors.Is(got, context.Canceled) {
		t.Errorf("cancelled became %v", got)
	}
	several := &ingest.SeveralRasters{Path: "a.nc", Rasters: []ingest.Subdataset{{Name: "t"}, {Name: "u"}}}
	if got, ok := errors.AsType[*ingest.SeveralRasters](failureOf(several).err("a.nc")); !ok || got.Path != "a.nc" || !slices.Equal(got.Rasters, several.Rasters) {
		t.Errorf("several became %v", got)
	}
}

// FuzzAnswer gives the parent whatever a compromised child could send.
func FuzzAnswer(f *testing.F) {
	var pipe bytes.Buffer
	if err := writeMessage(&pipe, 7, answer{Masks: oneMask}, make([]byte, 12*6)); err != nil {
		f.Fatal(err)
	}
	f.Add(pipe.Bytes())
	lie := slices.Clone(pipe.Bytes())
	binary.LittleEndian.PutUint64(lie[8:], 1<<60)
	f.Add(lie)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, w, block := waiting()
		if err := p.receive(bytes.NewReader(b)); err != nil {
			return
		}
		<-w.done
		if w.err == nil && (len(block.Bands) != 2 || block.Bands[1].Len() != 12) {
			t.Errorf("accepted %+v", block)
		}
	})
}
