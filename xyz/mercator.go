package xyz

import (
	"math"

	"github.com/rasterbase/rasterbase"
)

const (
	// Radius is the radius of web mercator's sphere in metres: the semi-major
	// axis of WGS 84.
	Radius = 6378137.0
	// HalfWorld is half a side of the world in metres of EPSG:3857, pi*Radius.
	// The world is -HalfWorld to HalfWorld in x and y.
	HalfWorld = 20037508.342789244
	// MaxLatitude is the latitude of the world's upper edge in degrees, where
	// y is HalfWorld: atan(sinh(pi)).
	MaxLatitude = 85.0511287798066
)

// World is the whole world.
var World = Box{-HalfWorld, -HalfWorld, HalfWorld, HalfWorld}

// Box is a box in metres of EPSG:3857. It is empty when MaxX is less than MinX
// or MaxY less than MinY.
type Box struct{ MinX, MinY, MaxX, MaxY float64 }

// Empty reports whether no point is in the box. NaN makes it empty.
func (b Box) Empty() bool { return !(b.MinX <= b.MaxX && b.MinY <= b.MaxY) }

// Intersect is the part of b that is in c too. It may be empty.
func (b Box) Intersect(c Box) Box {
	return Box{max(b.MinX, c.MinX), max(b.MinY, c.MinY), min(b.MaxX, c.MaxX), min(b.MaxY, c.MaxY)}
}

// LonLat is the box in longitude and latitude.
func (b Box) LonLat() rasterbase.Bounds {
	west, south := ToLonLat(b.MinX, b.MinY)
	east, north := ToLonLat(b.MaxX, b.MaxY)
	return rasterbase.Bounds{West: west, South: south, East: east, North: north}
}

// FromLonLat turns longitude and latitude, degrees, into metres of EPSG:3857 by
// the spherical formula of EPSG method 1024. Longitudes are not wrapped: 190
// degrees lies east of the world. The poles are infinitely far away in theory
// and more than 10 times HalfWorld here.
func FromLonLat(lon, lat float64) (x, y float64) {
	return lon / 180 * HalfWorld, Radius * math.Asinh(math.Tan(lat*math.Pi/180))
}

// ToLonLat turns metres of EPSG:3857 into longitude and latitude, degrees.
// Longitudes are not wrapped.
func ToLonLat(x, y float64) (lon, lat float64) {
	return x / HalfWorld * 180, math.Atan(math.Sinh(y/Radius)) * 180 / math.Pi
}

// Resolution is the side of a pixel in metres of EPSG:3857, for tiles of
// tileSize pixels a side.
func Resolution(z, tileSize int) float64 {
	return math.Ldexp(2*HalfWorld/float64(tileSize), -z)
}

// zoomTolerance lets a resolution that was computed, and so is rounded, count
// as the one that it is meant to be.
const zoomTolerance = 1e-6

// ZoomFor chooses a zoom for pixels of a resolution, in metres of EPSG:3857: the
// smallest whose pixel is at most that large or, with nextLower, the largest
// whose pixel is at least that large. A difference of one in a million does not
// count. The zoom is 0 to [MaxZoom], also where no zoom fits; 0 for a
// resolution that is NaN.
func ZoomFor(resolution float64, tileSize int, nextLower bool) int {
	if nextLower {
		for z := MaxZoom; z > 0; z-- {
			if Resolution(z, tileSize) >= resolution*(1-zoomTolerance) {
				return z
			}
		}
		return 0
	}
	if math.IsNaN(resolution) {
		return 0
	}
	for z := range MaxZoom {
		if Resolution(z, tileSize) <= resolution*(1+zoomTolerance) {
			return z
		}
	}
	return MaxZoom
}

// edge is the x of the west side of column i at zoom z. The division by a power
// of two is exact, so that equal edges of different zooms are equal numbers,
// and those on both sides of the middle differ by their sign only.
func edge(i, z int) float64 {
	n := Side(z)
	return float64(2*i-n) / float64(n) * HalfWorld
}

// Cover is the range of tiles, inclusive, that share ground with the box at a
// zoom. A side of the box that lies exactly on the edge of a tile does not touch
// the tile beyond; a box without width or height is covered by the tiles at
// its place. What is outside the world is left out: when nothing is left the
// range is empty, 0, 0, -1, -1.
func Cover(b Box, z int) (minX, minY, maxX, maxY int) {
	in := b.Intersect(World)
	beside := in.MinX == in.MaxX && b.MinX < b.MaxX || in.MinY == in.MaxY && b.MinY < b.MaxY
	if in.Empty() || beside {
		return 0, 0, -1, -1
	}
	minX, maxX = coverAxis(in.MinX, in.MaxX, z)
	minY, maxY = coverAxis(-in.MaxY, -in.MinY, z)
	return minX, minY, maxX, maxY
}

// coverAxis finds the first column whose east side is beyond from, and the last
// one whose west side is before to. The division gives a guess that can be off
// by rounding; the edges themselves decide.
func coverAxis(from, to float64, z int) (first, last int) {
	n := Side(z)
	guess := func(v float64) int {
		return max(0, min(n-1, int(math.Floor((v+HalfWorld)/(2*HalfWorld)*float64(n)))))
	}
	first, last = guess(from), guess(to)
	for first > 0 && edge(first, z) > from {
		first--
	}
	for first < n-1 && edge(first+1, z) <= from {
		first++
	}
	for last < n-1 && edge(last+1, z) < to {
		last++
	}
	for last > first && edge(last, z) >= to {
		last--
	}
	return first, last
}

// PixelGrid is the grid of all pixels of the world at a zoom: tileSize times 2^z
// a side.
func PixelGrid(z, tileSize int) rasterbase.Grid {
	res := Resolution(z, tileSize)
	n := tileSize * Side(z)
	return rasterbase.Grid{Width: n, Height: n, OriginX: -HalfWorld, OriginY: HalfWorld, ScaleX: res, ScaleY: -res}
}

// TileGrid is the grid of a tile's pixels.
func TileGrid(t Tile, tileSize int) rasterbase.Grid {
	b, res := t.Bounds(), Resolution(t.Z, tileSize)
	return rasterbase.Grid{Width: tileSize, Height: tileSize, OriginX: b.MinX, OriginY: b.MaxY, ScaleX: res, ScaleY: -res}
}
