// Package footprint places geometries in the pixels of a grid, and tells which
// pixels they hold by each of three rules: see [Rule].
//
// Edges are straight in the geometry's own CRS, and followed within a hundredth of
// a pixel in the grid's. The inside of a polygon is what the even-odd rule says,
// whichever way its rings turn, also of rings that touch or cross themselves or
// each other; several polygons together hold what any of them holds, each pixel
// once.
package footprint
