package ingest_test

import (
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
)

// The disk that a plan asks for is at least what the parse takes, also of pixels
// that do not pack and of classes without end.
func TestPlannedDiskIsEnough(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		st := at(t, place)
		noise := func(s rastertest.Source) rastertest.Source {
			s.Value = func(band, col, row int) float64 { return float64(noiseAt(col+band, row) & 0xff) }
			return s
		}
		for name, s := range map[string]rastertest.Source{
			"bytes.syn":   noise(wavy(rasterbase.Uint8, 1, 700, 900, nil, 5)),
			"bands.syn":   noise(wavy(rasterbase.Uint16, 6, 300, 400, nil, 5)),
			"float64.syn": noise(wavy(rasterbase.Float64, 2, 500, 500, rasterbase.FloatPtr(-1), 5)),
		} {
			p := ingest.New(ingest.Config{Store: st, Opener: &rastertest.Opener{Sources: map[string]rastertest.Source{name: s}}})
			r := ingest.Request{Source: fileNamed(t, name), Settings: rasterbase.Settings{Datatype: rasterbase.Categorical}}
			plan, err := p.Plan(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if plan.Disk < plan.Bytes {
				t.Errorf("%s: %d bytes of disk for %d bytes of pixels", name, plan.Disk, plan.Bytes)
			}
			before := diskUsed(t, place)
			if _, err := p.Import(t.Context(), r, nil); err != nil {
				t.Fatal(err)
			}
			// The log of SQLite, which is the same for all parses, is not of one.
			if took := diskUsed(t, place) - before; took > plan.Disk+8<<20 {
				t.Errorf("%s took %d bytes, planned were %d", name, took, plan.Disk)
			}
		}
	})
}

// A parse that cannot fit is refused before the work; one that may not fit is
// planned with a warning.
func TestPlansSayWhatDoesNotFit(t *testing.T) {
	const keep = 256 << 20
	tests := []struct {
		name            string
		free            func(*ingest.Plan) int64
		warned, refused bool
	}{
		{"there is plenty", func(pl *ingest.Plan) int64 { return keep + pl.Disk }, false, false},
		{"the most does not fit", func(pl *ingest.Plan) int64 { return keep + pl.Bytes/2 }, true, false},
		{"the least does not fit", func(pl *ingest.Plan) int64 { return keep + pl.Bytes/100 }, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := swift(t)
			free := int64(1 << 40)
			p := ingest.New(ingest.Config{Store: st, Opener: opener(wavy(rasterbase.Float32, 1, 900, 900, nil, 100)),
				FreeDisk: func() (int64, error) { return free, nil }})
			r := ingest.Request{Source: fileNamed(t, "raster.syn")}
			plan, err := p.Plan(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if len(plan.Warnings) > 0 {
				t.Errorf("with room, the plan warns of %v", plan.Warnings)
			}
			free = tt.free(plan)
			plan, err = p.Plan(t.Context(), r)
			if refused := rasterbase.CodeOf(err) == rasterbase.TooLarge; err != nil != tt.refused || refused != tt.refused {
				t.Fatalf("the error is %v", err)
			}
			if tt.refused {
				if _, err := p.Import(t.Context(), r, nil); rasterbase.CodeOf(err) != rasterbase.TooLarge {
					t.Errorf("the import: %v", err)
				}
				if ids := sourceIDs(t, st); len(ids) > 0 {
					t.Errorf("sources are left: %v", ids)
				}
				return
			}
			if warned := strings.Contains(strings.Join(plan.Warnings, "\n"), "the disk may become full"); warned != tt.warned {
				t.Errorf("the plan warns of %v", plan.Warnings)
			}
			layer, err := p.Import(t.Context(), r, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, lines := latest(t, st, layer.ID)
			told := false
			for _, l := range lines {
				told = told || strings.HasPrefix(l.Text, "warning: tiles and source may take up to")
			}
			if told != tt.warned {
				t.Errorf("the log is %v", lines)
			}
		})
	}
}
