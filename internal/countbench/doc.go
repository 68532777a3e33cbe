// Package countbench measures value counts side by side with what others would use
// for them, in one run on one machine: ST_ValueCount of PostGIS, exactextract and
// rasterstats. It has benchmarks alone:
//
//	go test -run '^$' -bench . -benchtime 1x ./internal/countbench
//
// exactextract and rasterstats run where RASTERBASE_BENCH_PYTHON names a Python that
// has them. RASTERBASE_BENCH_SIDE is the side of the land cover, in pixels.
package countbench
