package pmtiles

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/rasterbase/rasterbase/export/tileset"
)

// BenchmarkWrite writes tiles that cost nothing to draw, half of them the same.
func BenchmarkWrite(b *testing.B) {
	p, err := tileset.NewPlan(tileset.Set{MaxZoom: 8, Format: "png", Draw: func(_ context.Context, z, x, y int) ([]byte, bool, error) {
		if x%2 == 0 {
			return []byte("the sea"), false, nil
		}
		return fmt.Appendf(make([]byte, 0, 2000), "%01999d", x<<z+y), false, nil
	}}, 0)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "tiles.pmtiles")
	for b.Loop() {
		if err := Write(b.Context(), path, p, tileset.Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(p.Tiles)*float64(b.N)/b.Elapsed().Seconds(), "tiles/s")
}
