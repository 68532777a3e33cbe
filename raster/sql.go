package raster

import (
	"database/sql/driver"
	"fmt"

	"github.com/rasterbase/rasterbase"
)

// Scan reads a raster column, so that a Raster can be a field of a model that
// is read with database/sql: WKB as bytes, or its hexadecimal digits as text or
// bytes, which is what PostgreSQL sends for a column of type raster. The bytes
// are copied. NULL is an error: read a column that can be NULL into a
// sql.Null[raster.Raster].
func (r *Raster) Scan(src any) error {
	var p *Raster
	var err error
	switch v := src.(type) {
	case nil:
		return fmt.Errorf("scan NULL into a raster: use a sql.Null[raster.Raster]")
	case string:
		p, err = ParseHexWKB(v)
	case []byte:
		if len(v) > 0 && v[0] <= 1 { // a byte order; digits are above
			p, err = ParseWKB(v)
		} else {
			p, err = ParseHexWKB(string(v))
		}
	default:
		return rasterbase.Errorf(rasterbase.Invalid, "cannot scan a %T into a raster: it has to be bytes or text", src)
	}
	if err != nil {
		return fmt.Errorf("scan raster: %w", err)
	}
	*r = *p
	return nil
}

// Value writes the raster as hexadecimal WKB, text that PostgreSQL takes for a
// column of type raster, so that a Raster can be a field of a model.
func (r Raster) Value() (driver.Value, error) {
	s, err := r.HexWKB()
	if err != nil {
		return nil, fmt.Errorf("write raster: %w", err)
	}
	return s, nil
}
