package pgxraster

import (
	"database/sql/driver"
	"encoding/hex"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// Codec is a pgtype.Codec of the type raster in its text form. [Register] puts
// it in a connection's map.
//
// It scans into a raster.Raster; pgx itself scans the hexadecimal digits into a
// string or a []byte, and through pointers. It encodes a raster.Raster, a
// *raster.Raster, and WKB as []byte, in binary or in digits; pgx itself encodes
// digits in a string.
type Codec struct{}

// FormatSupported is true of text: PostgreSQL has no binary form of a raster.
func (Codec) FormatSupported(format int16) bool { return format == pgtype.TextFormatCode }

// PreferredFormat is text.
func (Codec) PreferredFormat() int16 { return pgtype.TextFormatCode }

// PlanEncode plans how a value becomes hexadecimal digits.
func (Codec) PlanEncode(_ *pgtype.Map, _ uint32, format int16, value any) pgtype.EncodePlan {
	switch value.(type) {
	case raster.Raster, *raster.Raster, []byte:
		if format != pgtype.TextFormatCode {
			return noBinary{}
		}
		return encode{}
	}
	return nil
}

// PlanScan plans how text becomes a value.
func (Codec) PlanScan(_ *pgtype.Map, _ uint32, format int16, target any) pgtype.ScanPlan {
	if _, ok := target.(*raster.Raster); ok && format == pgtype.TextFormatCode {
		return scan{}
	}
	return nil
}

// DecodeDatabaseSQLValue gives the hexadecimal digits, for pgx's driver for
// database/sql.
func (Codec) DecodeDatabaseSQLValue(_ *pgtype.Map, _ uint32, _ int16, src []byte) (driver.Value, error) {
	if src == nil {
		return nil, nil
	}
	return string(src), nil
}

// DecodeValue gives a *raster.Raster, or nil for NULL.
func (Codec) DecodeValue(_ *pgtype.Map, _ uint32, _ int16, src []byte) (any, error) {
	if src == nil {
		return nil, nil
	}
	r := &raster.Raster{}
	if err := r.Scan(src); err != nil {
		return nil, err
	}
	return r, nil
}

type scan struct{}

func (scan) Scan(src []byte, target any) error {
	r := target.(*raster.Raster)
	if src == nil {
		return r.Scan(nil)
	}
	return r.Scan(src)
}

type encode struct{}

func (encode) Encode(value any, buf []byte) ([]byte, error) {
	switch v := value.(type) {
	case raster.Raster:
		return v.AppendHexWKB(buf)
	case *raster.Raster:
		if v == nil {
			return nil, nil
		}
		return v.AppendHexWKB(buf)
	}
	wkb := value.([]byte)
	if wkb == nil {
		return nil, nil
	}
	if len(wkb) > 0 && wkb[0] <= 1 { // a byte order; digits are above
		return hex.AppendEncode(buf, wkb), nil
	}
	return append(buf, wkb...), nil
}

type noBinary struct{}

func (noBinary) Encode(any, []byte) ([]byte, error) {
	return nil, rasterbase.Errorf(rasterbase.Unsupported, "PostgreSQL's type raster has no binary form, which COPY needs").
		WithHint("send a pgx.Batch of INSERT statements with ST_RastFromWKB, which is no slower")
}
