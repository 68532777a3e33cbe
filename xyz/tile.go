// Package xyz is the arithmetic of XYZ map tiles: addresses of tiles, the
// places of tiles and pixels in web mercator (EPSG:3857), and which zoom suits
// a resolution.
//
// The world is a square. At zoom z it is cut into 2^z columns, x, counted from
// the west, and 2^z rows, y, counted from the north. A tile covers the same
// ground whatever its size in pixels.
package xyz

import (
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// MaxZoom is the largest zoom: a pixel is then below a tenth of a millimetre,
// and numbers of tiles still fit 32 bits.
const MaxZoom = 30

// Tile is the address of a tile. The zero value is the whole world.
type Tile struct{ Z, X, Y int }

// Valid reports whether there is such a tile: Z from 0 to [MaxZoom], X and Y
// from 0 to 2^Z-1.
func (t Tile) Valid() bool {
	return t.Z >= 0 && t.Z <= MaxZoom && t.X >= 0 && t.X < Side(t.Z) && t.Y >= 0 && t.Y < Side(t.Z)
}

// Side is the number of tiles a side of the world at a zoom: 2^z.
func Side(z int) int { return 1 << z }

// String is the address as URLs have it: z/x/y.
func (t Tile) String() string {
	return strconv.Itoa(t.Z) + "/" + strconv.Itoa(t.X) + "/" + strconv.Itoa(t.Y)
}

// Parse reads an address z/x/y. The error has code invalid when it is not three
// whole numbers, and not found when they are but there is no such tile.
func Parse(s string) (Tile, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 3 {
		return Tile{}, rasterbase.Errorf(rasterbase.Invalid, "%q is not the address of a tile", s).WithHint("write z/x/y")
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.ParseInt(p, 10, 32)
		if err != nil || p[0] == '+' {
			return Tile{}, rasterbase.Errorf(rasterbase.Invalid, "%q is not the address of a tile: %q is not a whole number", s, p).
				WithHint("write z/x/y").WithField([]string{"z", "x", "y"}[i])
		}
		n[i] = int(v)
	}
	t := Tile{n[0], n[1], n[2]}
	if !t.Valid() {
		return Tile{}, rasterbase.Errorf(rasterbase.NotFound, "there is no tile %v", t).
			WithHint("z is 0 to %d, x and y are 0 to 2^z-1", MaxZoom)
	}
	return t, nil
}

// Parent is the tile of the next lower zoom that holds t; the parent of zoom 0
// is itself.
func (t Tile) Parent() Tile { return t.Ancestor(t.Z - 1) }

// Ancestor is the tile at zoom z that holds t, and t itself when z is not below
// its zoom. A zoom below 0 counts as 0.
func (t Tile) Ancestor(z int) Tile {
	z = max(z, 0)
	if z >= t.Z {
		return t
	}
	return Tile{z, t.X >> (t.Z - z), t.Y >> (t.Z - z)}
}

// Children are the four tiles of the next higher zoom that t consists of, row
// by row from the upper left.
func (t Tile) Children() [4]Tile {
	z, x, y := t.Z+1, 2*t.X, 2*t.Y
	return [4]Tile{{z, x, y}, {z, x + 1, y}, {z, x, y + 1}, {z, x + 1, y + 1}}
}

// Bounds is the tile's box in EPSG:3857. Tiles that touch have exactly the same
// number for the edge between them, at every zoom.
func (t Tile) Bounds() Box {
	return Box{MinX: edge(t.X, t.Z), MinY: -edge(t.Y+1, t.Z), MaxX: edge(t.X+1, t.Z), MaxY: -edge(t.Y, t.Z)}
}

// LonLat is the tile's box in longitude and latitude.
func (t Tile) LonLat() rasterbase.Bounds { return t.Bounds().LonLat() }
