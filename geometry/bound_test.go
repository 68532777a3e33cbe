package geometry

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
)

// endless gives a text that never ends.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return copy(b, strings.Repeat("x", len(b))), nil }

func TestAFeatureThatNeverEnds(t *testing.T) {
	for _, begin := range []string{`{"type":"FeatureCollection","features":[{"more":"`, `{"more":"`, `{"features":[],"more":"`} {
		f := NewFeatures(io.MultiReader(strings.NewReader(begin), endless{}))
		f.most = 1 << 20
		if _, err := f.Next(); rasterbase.CodeOf(err) != rasterbase.TooLarge {
			t.Errorf("%s: %v", begin, err)
		}
	}
}

func TestManyFeaturesAreNotTooLarge(t *testing.T) {
	f := NewFeatures(strings.NewReader(strings.Repeat(`{"type":"Point","coordinates":[1,2]}`, 1000)))
	f.most = 1000
	n := 0
	for ; ; n++ {
		if _, err := f.Next(); err != nil {
			if !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			break
		}
	}
	if n != 1000 {
		t.Errorf("%d features", n)
	}
}
