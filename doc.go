// Package rasterbase holds the words that every part of rasterbase shares:
// layers, revisions, bands, summaries, legends, colormaps, pixel types, errors
// and the contract for authentication. It is vocabulary only: plain values
// without storage, and it imports nothing outside the standard library.
//
// A raster file becomes a [Layer]. One parse of it makes a [Revision], which
// owns base tiles (the source's own pixels) and pyramid tiles (the web-mercator
// XYZ grid), a [Summary] for each tile and statistics for each [Band]. Tiles
// are coloured by a [Legend] compiled to a [Colormap].
//
// The packages below do the work: raster holds pixels, ingest parses, coverage
// reads, render encodes, server answers HTTP, and sqlite keeps everything in
// one folder.
package rasterbase
