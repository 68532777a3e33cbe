// Package geometry reads geometries as they are written: WKT, EWKT, GeoJSON, boxes and
// WKB. Points, lines and polygons, several of them, and collections; heights and
// measures are passed over. Input is never trusted: nesting, sizes and counts are
// bounded, and errors have code invalid and tell the place.
package geometry
