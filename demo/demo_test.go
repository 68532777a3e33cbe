package demo_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/legend"
)

func TestEveryRasterHasItsFilesAndALegendThatIsRead(t *testing.T) {
	for _, r := range demo.Rasters() {
		t.Run(r.Slug, func(t *testing.T) {
			b, err := r.Contents()
			if err != nil || len(b) == 0 {
				t.Fatalf("contents: %d bytes, %v", len(b), err)
			}
			j, err := r.Legend()
			if err != nil {
				t.Fatal(err)
			}
			l, err := legend.ParseJSON(r.LegendTitle, j)
			if err != nil {
				t.Fatal(err)
			}
			if len(l.Entries) < 5 {
				t.Errorf("the legend has %d entries", len(l.Entries))
			}
			if r.License == "" || r.Attribution == "" {
				t.Error("the raster does not say whose it is")
			}
		})
	}
}

func TestManifestNamesEveryRasterWithItsChecksum(t *testing.T) {
	manifest, err := os.ReadFile("MANIFEST.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range demo.Rasters() {
		b, err := r.Contents()
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		want := r.File + "\t" + hex.EncodeToString(sum[:]) + "\t" + r.License
		if !strings.Contains(string(manifest), want) {
			t.Errorf("MANIFEST.tsv has no line that begins with %q", want)
		}
	}
}
