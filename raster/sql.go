package raster

import (
	"database/sql/driver"
	"fmt"

	"github.com/rasterbase/rasterbase"
)

// Scan reads a raster column, so that a Raster can be a field of a model that
// is read with database/sql, pgx, sqlc or GORM. It takes what drivers send for
// a column of type raster, hexadecimal digits of either case as text or bytes,
// and WKB as bytes, which is what a column cast with rast::bytea is. The bytes
// are copied.
//
// A column that can be NULL is read into a *Raster, that is, scanned into a
// pointer to that field, which is nil for NULL, or into a
// sql.Null[raster.Raster]. NULL is an error for a Raster. Errors are those of
// [ParseWKB]; the raster is left as it was.
func (r *Raster) Scan(src any) error {
	var p *Raster
	var err error
	switch v := src.(type) {
	case nil:
		return rasterbase.Errorf(rasterbase.Invalid, "scan raster: the column is NULL").
			WithHint("scan it into a *raster.Raster or a sql.Null[raster.Raster]")
	case string:
		p, err = ParseHexWKB(v)
	case []byte:
		if len(v) > 0 && v[0] <= 1 { // a byte order; digits are above
			p, err = ParseWKB(v)
		} else {
			p, err = parseHex(v)
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
// column of type raster, so that a Raster can be a field of a model. A nil
// *Raster and a sql.Null[raster.Raster] that is not Valid are NULL. Validity is
// written as a last band, see [Raster.AppendWKB], which tells the errors too.
func (r Raster) Value() (driver.Value, error) {
	s, err := r.HexWKB()
	if err != nil {
		return nil, fmt.Errorf("write raster: %w", err)
	}
	return s, nil
}

// GoString tells the raster's size and bands without its pixels: drivers quote
// the parameters that they cannot send in this form.
func (r Raster) GoString() string {
	return fmt.Sprintf("raster.Raster{%dx%d pixels, srid %d, %d bands}", r.Width, r.Height, r.SRID, len(r.Bands))
}
