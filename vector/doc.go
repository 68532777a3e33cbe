// Package vector is the contract for files of features: zones that are counted in, and
// tables of results. It says what such a file tells and how its features come, and
// leaves the reading to an [Opener]: package gdal has one that works in this process,
// gdalchild one that works in a child process of its own.
//
// [Zips] opens what lies in a zip file with another Opener.
package vector
