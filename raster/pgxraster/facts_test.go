package pgxraster_test

import (
	"encoding/json"
	"math"
	"reflect"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// facts are what PostGIS says of a raster.
type facts struct {
	text string
	raster.Metadata
	values  [][][]*rasterbase.Float // band, row, column; nil: nodata
	flagged []bool                  // bands with the flag that all is nodata
}

// ask lets PostGIS tell of a raster, which is an expression of SQL.
func ask(t *rapid.T, conn *pgx.Conn, expression string, args ...any) facts {
	t.Helper()
	var f facts
	var metadata, bands, values []byte
	err := conn.QueryRow(t.Context(), `
		WITH r AS MATERIALIZED (SELECT (`+expression+`)::raster AS r),
		n AS (SELECT r, (SELECT array_agg(g) FROM generate_series(1, ST_NumBands(r)) g) AS n FROM r)
		SELECT r::text, to_json(ST_MetaData(r)),
			CASE WHEN ST_NumBands(r) > 0 THEN (SELECT json_agg(b ORDER BY bandnum) FROM ST_BandMetaData(r, n) b) ELSE '[]' END,
			CASE WHEN ST_NumBands(r) > 0 AND NOT ST_IsEmpty(r) THEN (SELECT json_agg(ST_DumpValues(r, b, false) ORDER BY b) FROM unnest(n) b) ELSE '[]' END,
			CASE WHEN ST_NumBands(r) > 0 THEN (SELECT array_agg(ST_BandIsNoData(r, b) ORDER BY b) FROM unnest(n) b) END
		FROM n`, append([]any{pgx.QueryExecModeDescribeExec}, args...)...).Scan(&f.text, &metadata, &bands, &values, &f.flagged)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	for from, to := range map[*[]byte]any{&metadata: &f.Metadata, &bands: &f.Bands, &values: &f.values} {
		if err := json.Unmarshal(*from, to); err != nil {
			t.Fatalf("%s: %v", *from, err)
		}
	}
	return f
}

// check compares a raster with what PostGIS says of it.
func (f facts) check(t *rapid.T, r *raster.Raster) {
	t.Helper()
	if got := r.Metadata(); !same(got, f.Metadata) {
		t.Fatalf("metadata is %+v, PostGIS says %+v", got, f.Metadata)
	}
	for i, band := range f.values {
		b := &r.Bands[i]
		for row, values := range band {
			for col, v := range values {
				got, want := b.Pixels.At(row*r.Width+col), b.Nodata
				if v != nil {
					want = float64(*v)
				}
				if got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
					t.Fatalf("band %d (%v), column %d, row %d is %v, PostGIS says %v", i+1, b.Type, col, row, got, want)
				}
			}
		}
	}
}

// same compares metadata by their JSON, in which NaN equals NaN.
func same(a, b raster.Metadata) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && reflect.DeepEqual(x, y)
}
