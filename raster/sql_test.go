package raster_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

var (
	_ sql.Scanner   = (*raster.Raster)(nil)
	_ driver.Valuer = raster.Raster{}
)

func TestScanReadsWhatDriversSend(t *testing.T) {
	want := small()
	wkb, err := want.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	text, err := want.HexWKB()
	if err != nil {
		t.Fatal(err)
	}
	value, err := want.Value()
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]any{
		"bytes": wkb, "text": text, "text as bytes": []byte(text), "lower case": strings.ToLower(text),
		"text of bytea": `\x` + text, "what Value gives": value,
	} {
		t.Run(name, func(t *testing.T) {
			var got raster.Raster
			if err := got.Scan(src); err != nil {
				t.Fatal(err)
			}
			if !raster.Equal(&got, want) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestScanRefuses(t *testing.T) {
	tests := []struct {
		name string
		src  any
		says string
	}{
		{"NULL", nil, "sql.Null[raster.Raster]"},
		{"a number", 7, "int"},
		{"no text", "", "0 bytes"},
		{"no bytes", []byte{}, "0 bytes"},
		{"no digits", "raster", "hexadecimal"},
		{"odd digits", "010", "hexadecimal"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := *small()
			if err := r.Scan(tt.src); !strings.Contains(fmt.Sprint(err), tt.says) {
				t.Errorf("the error is %v, without %q", err, tt.says)
			}
			if !raster.Equal(&r, small()) {
				t.Error("the raster was changed")
			}
		})
	}
}

func TestNullRaster(t *testing.T) {
	var n sql.Null[raster.Raster]
	if err := n.Scan(nil); err != nil || n.Valid {
		t.Errorf("NULL gives %v, %v", n.Valid, err)
	}
	v, err := small().Value()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Scan(v); err != nil || !n.Valid || !raster.Equal(&n.V, small()) {
		t.Errorf("a raster gives %v, %v", n.Valid, err)
	}
}

// echo is a driver like lib/pq: parameters go through database/sql's own
// conversion, and the one row that a query gives is its parameters, text
// as bytes.
type echo struct{ text bool }

func (d echo) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d echo) Driver() driver.Driver                        { return nil }
func (d echo) Prepare(string) (driver.Stmt, error)          { return d, nil }
func (d echo) Begin() (driver.Tx, error)                    { return nil, errors.ErrUnsupported }
func (d echo) Close() error                                 { return nil }
func (d echo) NumInput() int                                { return -1 }
func (d echo) Exec([]driver.Value) (driver.Result, error)   { return nil, errors.ErrUnsupported }
func (d echo) Query(args []driver.Value) (driver.Rows, error) {
	return &echoRow{values: args, text: d.text}, nil
}

type echoRow struct {
	values []driver.Value
	text   bool
	done   bool
}

func (r *echoRow) Columns() []string { return make([]string, len(r.values)) }
func (r *echoRow) Close() error      { return nil }
func (r *echoRow) Next(dest []driver.Value) error {
	if r.done {
		return io.EOF
	}
	r.done = true
	for i, v := range r.values {
		if s, ok := v.(string); ok && !r.text {
			v = []byte(s)
		}
		dest[i] = v
	}
	return nil
}

// A model is what an application has: a field that is never NULL, and two ways
// of one that may be.
type model struct {
	Rast    raster.Raster
	Pointer *raster.Raster
	Null    sql.Null[raster.Raster]
}

func TestModelThroughDatabaseSQL(t *testing.T) {
	full := model{Rast: *small(), Pointer: small(), Null: sql.Null[raster.Raster]{V: *small(), Valid: true}}
	for _, text := range []bool{false, true} {
		db := sql.OpenDB(echo{text})
		defer db.Close()
		for name, in := range map[string]model{"full": full, "NULL": {Rast: *small()}} {
			t.Run(fmt.Sprintf("%s, text %v", name, text), func(t *testing.T) {
				// What stood in the fields must go.
				got := model{Pointer: &raster.Raster{SRID: 7}, Null: sql.Null[raster.Raster]{Valid: true}}
				err := db.QueryRow("", in.Rast, in.Pointer, in.Null).Scan(&got.Rast, &got.Pointer, &got.Null)
				if err != nil {
					t.Fatal(err)
				}
				if !raster.Equal(&got.Rast, small()) || !raster.Equal(got.Pointer, in.Pointer) ||
					got.Null.Valid != in.Null.Valid || !raster.Equal(&got.Null.V, &in.Null.V) {
					t.Errorf("got %+v", got)
				}
			})
		}
		var r raster.Raster
		if err := db.QueryRow("", nil).Scan(&r); rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "NULL") {
			t.Errorf("NULL into a raster: %v", err)
		}
	}
}

// A driver that cannot send a parameter quotes it; a raster's pixels are not
// for messages.
func TestGoStringIsShort(t *testing.T) {
	for _, v := range []any{*small(), small()} {
		if s := fmt.Sprintf("%#v", v); s != "raster.Raster{3x2 pixels, srid 3857, 1 bands}" {
			t.Error(s)
		}
	}
}
