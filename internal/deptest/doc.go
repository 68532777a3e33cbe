// Package deptest asserts which package may import which, so that the parts
// stay usable alone: the subject packages without a database, the server
// without GDAL. Its tables are in its test.
package deptest
