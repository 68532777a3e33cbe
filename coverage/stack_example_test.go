package coverage_test

import (
	"context"
	"fmt"
	"os"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/sqlite"
)

// Land cover of two years is read as one coverage of two bands.
func ExampleNewStack() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "stack-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	st, err := sqlite.Open(ctx, dir, sqlite.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()

	var inputs []coverage.Input
	for i, year := range []string{"y2000", "y2010"} {
		l, err := testlayer.Add(ctx, st, testlayer.Spec{
			Layer: rasterbase.Layer{Name: year}, Datatype: rasterbase.Categorical,
			Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}}, Width: 256, Height: 256 - 56*i,
			Value: func(_, _, y int) (float64, bool) { return float64(1 + i*y/100), true },
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		c, err := coverage.Open(ctx, st, l.ID)
		if err != nil {
			fmt.Println(err)
			return
		}
		inputs = append(inputs, coverage.Input{Name: year, Coverage: c})
	}
	s, err := coverage.NewStack(ctx, inputs, coverage.StackOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	d := s.Describe()
	r, err := s.Window(ctx, coverage.WindowRequest{X: 10, Y: 150, Width: 1, Height: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%d bands of %d x %d pixels, %s\n", len(d.Bands), d.Grid.Width, d.Grid.Height, d.Datatype)
	fmt.Printf("a pixel was %v and is %v\n", r.Bands[0].Pixels.At(0), r.Bands[1].Pixels.At(0))
	// Output:
	// 2 bands of 256 x 200 pixels, categorical
	// a pixel was 1 and is 2
}
