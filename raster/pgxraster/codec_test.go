package pgxraster_test

import (
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/pgtest"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/raster/pgxraster"
)

var modes = map[string]pgx.QueryExecMode{
	"prepared": pgx.QueryExecModeCacheStatement,
	"describe": pgx.QueryExecModeDescribeExec,
	"exec":     pgx.QueryExecModeExec,
	"simple":   pgx.QueryExecModeSimpleProtocol,
}

// Every form of a parameter is the same raster, in every mode of pgx.
func TestEncode(t *testing.T) {
	pool := pool(t)
	wkb, err := small().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	digits, err := small().HexWKB()
	if err != nil {
		t.Fatal(err)
	}
	pointer, none := small(), (*raster.Raster)(nil)
	for mode, m := range modes {
		for _, c := range []struct {
			name  string
			value any
			want  *raster.Raster
		}{
			{"value", *small(), small()},
			{"pointer", pointer, small()},
			{"pointer to a pointer", &pointer, small()},
			{"sql.Null", sql.Null[raster.Raster]{V: *small(), Valid: true}, small()},
			{"digits", digits, small()},
			{"lower case", strings.ToLower(digits), small()},
			{"nil", nil, nil},
			{"nil pointer", none, nil},
			{"pointer to a nil pointer", &none, nil},
			{"NULL", sql.Null[raster.Raster]{}, nil},
		} {
			var got *raster.Raster
			if err := pool.QueryRow(t.Context(), `SELECT $1::raster`, m, c.value).Scan(&got); err != nil || !raster.Equal(got, c.want) {
				t.Errorf("%s in mode %s: got %+v, %v", c.name, mode, got, err)
			}
		}
	}
	// Without a description from the server a []byte is a bytea.
	for name, b := range map[string][]byte{"WKB": wkb, "digits as bytes": []byte(digits)} {
		var got raster.Raster
		if err := pool.QueryRow(t.Context(), `SELECT $1::raster`, b).Scan(&got); err != nil || !raster.Equal(&got, small()) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
	var null *raster.Raster
	if err := pool.QueryRow(t.Context(), `SELECT $1::raster`, []byte(nil)).Scan(&null); err != nil || null != nil {
		t.Errorf("nil bytes: got %+v, %v", null, err)
	}
}

func TestScan(t *testing.T) {
	pool := pool(t)
	digits, err := small().HexWKB()
	if err != nil {
		t.Fatal(err)
	}
	for mode, m := range modes {
		var (
			value          raster.Raster
			pointer        *raster.Raster
			null           sql.Null[raster.Raster]
			text           string
			some           any
			bytes, binary  []byte
			cast, asBinary raster.Raster
		)
		err := pool.QueryRow(t.Context(), `SELECT r, r, r, r, r, r, r::bytea, r::bytea, ST_AsBinary(r) FROM (SELECT $1::raster r) q`, m, small()).
			Scan(&value, &pointer, &null, &text, &some, &bytes, &binary, &cast, &asBinary)
		if err != nil {
			t.Fatal(mode, err)
		}
		anything, _ := some.(*raster.Raster)
		for name, got := range map[string]*raster.Raster{"value": &value, "pointer": pointer, "sql.Null": &null.V, "any": anything, "rast::bytea": &cast, "ST_AsBinary": &asBinary} {
			if !raster.Equal(got, small()) {
				t.Errorf("%s in mode %s is %+v", name, mode, got)
			}
		}
		if !null.Valid || text != digits || string(bytes) != digits || strings.ToUpper(hex.EncodeToString(binary)) != digits {
			t.Errorf("mode %s: %v, %s, %s, %x", mode, null.Valid, text, bytes, binary)
		}
	}
}

func TestScanNull(t *testing.T) {
	pool := pool(t)
	pointer, null, bytes, some := small(), sql.Null[raster.Raster]{Valid: true}, []byte{1}, any(1)
	err := pool.QueryRow(t.Context(), `SELECT n, n, n, n FROM (SELECT NULL::raster n) q`).Scan(&pointer, &null, &bytes, &some)
	if err != nil || pointer != nil || null.Valid || bytes != nil || some != nil {
		t.Errorf("got %v, %v, %v, %v, %v", pointer, null.Valid, bytes, some, err)
	}
	var value raster.Raster
	err = pool.QueryRow(t.Context(), `SELECT NULL::raster`).Scan(&value)
	if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(fmt.Sprint(err), "sql.Null[raster.Raster]") {
		t.Errorf("NULL into a raster: %v", err)
	}
}

func TestArrays(t *testing.T) {
	pool := pool(t)
	other := small()
	other.SRID = 0
	for mode, m := range modes {
		var values, none []raster.Raster
		var pointers []*raster.Raster
		var grid [][]raster.Raster
		err := pool.QueryRow(t.Context(), `SELECT $1::raster[], $2::raster[], $1::raster[] || $2::raster[], ARRAY[$1::raster[], $1::raster[]]`,
			m, []raster.Raster{*small(), *other}, []*raster.Raster{}).Scan(&values, &none, &pointers, &grid)
		if err != nil {
			t.Fatal(mode, err)
		}
		if len(values) != 2 || !raster.Equal(&values[0], small()) || !raster.Equal(&values[1], other) || none == nil || len(none) != 0 {
			t.Errorf("mode %s: got %+v and %+v", mode, values, none)
		}
		if len(pointers) != 2 || !raster.Equal(pointers[1], other) || len(grid) != 2 || len(grid[1]) != 2 || !raster.Equal(&grid[1][1], other) {
			t.Errorf("mode %s: got %+v and %+v", mode, pointers, grid)
		}
		err = pool.QueryRow(t.Context(), `SELECT array_agg(r) FROM unnest($1::raster[]) r`, m, []*raster.Raster{nil, other}).Scan(&pointers)
		if err != nil || len(pointers) != 2 || pointers[0] != nil || !raster.Equal(pointers[1], other) {
			t.Errorf("mode %s: got %+v, %v", mode, pointers, err)
		}
	}
}

// A model's rows are collected by the names of its fields.
func TestCollectModels(t *testing.T) {
	type scene struct {
		ID      int
		Rast    raster.Raster
		Preview *raster.Raster
	}
	pool := pool(t)
	rows, err := pool.Query(t.Context(), `SELECT i AS id, $1::raster AS rast, CASE WHEN i > 1 THEN $1::raster END AS preview FROM generate_series(1, 2) i`, small())
	if err != nil {
		t.Fatal(err)
	}
	scenes, err := pgx.CollectRows(rows, pgx.RowToStructByName[scene])
	if err != nil {
		t.Fatal(err)
	}
	if len(scenes) != 2 || !raster.Equal(&scenes[1].Rast, small()) || scenes[0].Preview != nil || !raster.Equal(scenes[1].Preview, small()) {
		t.Errorf("got %+v", scenes)
	}
}

// COPY needs a binary form, which neither the server nor the codec has.
func TestCopyFromIsRefusedInFewWords(t *testing.T) {
	conn := connect(t, pgtest.Database(t))
	if err := pgxraster.Register(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	exec(t, conn, `CREATE TABLE elevation (rast raster)`)
	_, err := conn.CopyFrom(t.Context(), pgx.Identifier{"elevation"}, []string{"rast"}, pgx.CopyFromRows([][]any{{small()}}))
	if err == nil || !strings.Contains(err.Error(), "binary") || len(err.Error()) > 500 {
		t.Fatalf("the error is %v", err)
	}
	for name, v := range map[string]any{"value": *small(), "pointer": small()} {
		_, err := conn.TypeMap().Encode(oid(t, conn), pgx.BinaryFormatCode, v, nil)
		if rasterbase.CodeOf(err) != rasterbase.Unsupported || !strings.Contains(err.Error(), "pgx.Batch") || len(err.Error()) > 500 {
			t.Fatalf("%s: the error is %v", name, err)
		}
	}
	// What the error says to do instead.
	wkb, err := small().MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	batch := &pgx.Batch{}
	for range 3 {
		batch.Queue(`INSERT INTO elevation (rast) VALUES (ST_RastFromWKB($1))`, wkb)
	}
	if err := conn.SendBatch(t.Context(), batch).Close(); err != nil {
		t.Fatal(err)
	}
	var all []raster.Raster
	if err := conn.QueryRow(t.Context(), `SELECT array_agg(rast) FROM elevation`).Scan(&all); err != nil || len(all) != 3 || !raster.Equal(&all[2], small()) {
		t.Errorf("got %+v, %v", all, err)
	}
}

func oid(t *testing.T, conn *pgx.Conn) uint32 {
	t.Helper()
	var oid uint32
	if err := conn.QueryRow(t.Context(), `SELECT 'raster'::regtype::oid`).Scan(&oid); err != nil {
		t.Fatal(err)
	}
	return oid
}

// A raster that the form cannot hold is an error of ours, and what is no raster
// one of the server.
func TestEncodeRefuses(t *testing.T) {
	pool := pool(t)
	bad := small()
	bad.Width = 7
	var r raster.Raster
	for name, v := range map[string]any{"value": *bad, "pointer": bad, "in an array": []*raster.Raster{bad}} {
		cast := `SELECT $1::raster`
		if name == "in an array" {
			cast = `SELECT ($1::raster[])[1]`
		}
		err := pool.QueryRow(t.Context(), cast, v).Scan(&r)
		if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(fmt.Sprint(err), "14 pixels") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := pool.QueryRow(t.Context(), `SELECT $1::raster`, "raster").Scan(&r); err == nil {
		t.Error("text that is no raster was taken")
	}
}

// A model works through database/sql, with pgx's driver, with the codec and
// without.
func TestDatabaseSQL(t *testing.T) {
	url := pgtest.Database(t)
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	for name, options := range map[string][]stdlib.OptionOpenDB{
		"plain": nil, "registered": {stdlib.OptionAfterConnect(pgxraster.Register)},
	} {
		t.Run(name, func(t *testing.T) {
			db := stdlib.OpenDB(*config, options...)
			defer db.Close()
			if _, err := db.ExecContext(t.Context(), `DROP TABLE IF EXISTS scene; CREATE TABLE scene (id serial, rast raster NOT NULL, a raster, b raster)`); err != nil {
				t.Fatal(err)
			}
			for _, null := range []bool{false, true} {
				in := struct {
					rast raster.Raster
					a    *raster.Raster
					b    sql.Null[raster.Raster]
				}{*small(), small(), sql.Null[raster.Raster]{V: *small(), Valid: true}}
				if null {
					in.a, in.b = nil, sql.Null[raster.Raster]{}
				}
				var id int
				if err := db.QueryRowContext(t.Context(), `INSERT INTO scene (rast, a, b) VALUES ($1, $2, $3) RETURNING id`, in.rast, in.a, in.b).Scan(&id); err != nil {
					t.Fatal(err)
				}
				var rast, cast raster.Raster
				a := small()
				var b sql.Null[raster.Raster]
				if err := db.QueryRowContext(t.Context(), `SELECT rast, rast::bytea, a, b FROM scene WHERE id = $1`, id).Scan(&rast, &cast, &a, &b); err != nil {
					t.Fatal(err)
				}
				if !raster.Equal(&rast, &in.rast) || !raster.Equal(&cast, &in.rast) || !raster.Equal(a, in.a) || b.Valid != in.b.Valid || !raster.Equal(&b.V, &in.b.V) {
					t.Errorf("NULL %v: got %+v, %+v, %+v, %+v", null, rast, cast, a, b)
				}
			}
			var r raster.Raster
			if err := db.QueryRowContext(t.Context(), `SELECT NULL::raster`).Scan(&r); rasterbase.CodeOf(err) != rasterbase.Invalid {
				t.Errorf("NULL into a raster: %v", err)
			}
		})
	}
}
