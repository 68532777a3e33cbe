package render

import (
	"bytes"
	"image/color"
	"sync"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// maxEmpty is the largest empty tile that is kept.
const maxEmpty = 2048

// empties keeps wholly transparent PNGs by size. They never change, and there
// are at most maxEmpty of a few hundred bytes.
var empties sync.Map

// Transparent is a wholly transparent PNG of size x size pixels, 1 to 65,535.
func Transparent(size int) []byte {
	size = max(size, 1)
	if b, ok := empties.Load(size); ok {
		return bytes.Clone(b.([]byte))
	}
	b := empty(size, Options{Format: PNG})
	if size <= maxEmpty {
		empties.Store(size, bytes.Clone(b))
	}
	return b
}

// TransparentJPEG is a JPEG of size x size pixels, 1 to 65,535, of the
// background alone; the zero background is white.
func TransparentJPEG(size int, background color.NRGBA) []byte {
	return empty(max(size, 1), Options{Format: JPEG, Background: background})
}

func empty(size int, o Options) []byte {
	o.Colormap = &rasterbase.Colormap{}
	b, err := Tile(raster.New(rasterbase.Grid{Width: size, Height: size}, 0, rasterbase.Uint8), o)
	if err != nil {
		panic("render: an empty tile cannot fail: " + err.Error())
	}
	return b
}
