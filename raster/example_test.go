package raster_test

import (
	"encoding/json"
	"fmt"
	"image/color"
	"log"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// A raster column of a table of one's own is read with
//
//	var r raster.Raster
//	err := db.QueryRow(`SELECT rast FROM elevation WHERE id = 1`).Scan(&r)
//
// and written by passing the raster as a parameter.
func Example() {
	g := rasterbase.Grid{Width: 2, Height: 2, OriginX: 500000, OriginY: 4500000, ScaleX: 30, ScaleY: -30}
	r := raster.New(g, 32618, rasterbase.Uint8)
	copy(r.Bands[0].Pixels.(raster.Slice[uint8]), []uint8{1, 2, 3, 0})
	r.Bands[0].HasNodata = true

	text, err := r.HexWKB() // what PostGIS shows of the raster
	if err != nil {
		log.Fatal(err)
	}
	again, err := raster.ParseHexWKB(text)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(raster.Equal(r, again))

	v, ok := again.AtCoord(0, 500045, 4499985)
	fmt.Println(v, ok)
	_, ok = again.At(0, 1, 1) // nodata
	fmt.Println(ok)

	img := again.Image(&rasterbase.Colormap{First: 1, Table: []color.NRGBA{{R: 255, A: 255}, {G: 255, A: 255}}})
	fmt.Println(img.NRGBAAt(1, 0), img.NRGBAAt(0, 1))
	// Output:
	// true
	// 2 true
	// false
	// {0 255 0 255} {0 0 0 0}
}

// What a raster says besides its pixels, in the words of PostGIS.
func ExampleRaster_Metadata() {
	g := rasterbase.Grid{Width: 2, Height: 2, OriginX: 500000, OriginY: 4500000, ScaleX: 30, ScaleY: -30}
	r := raster.New(g, 32618, rasterbase.Float32)
	r.Bands[0].HasNodata, r.Bands[0].Nodata = true, -9999
	b, err := json.MarshalIndent(r.Metadata(), "", "  ")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(b))
	// Output:
	// {
	//   "upperleftx": 500000,
	//   "upperlefty": 4.5e+06,
	//   "width": 2,
	//   "height": 2,
	//   "scalex": 30,
	//   "scaley": -30,
	//   "skewx": 0,
	//   "skewy": 0,
	//   "srid": 32618,
	//   "numbands": 1,
	//   "bands": [
	//     {
	//       "bandnum": 1,
	//       "pixeltype": "32BF",
	//       "nodatavalue": -9999
	//     }
	//   ]
	// }
}
