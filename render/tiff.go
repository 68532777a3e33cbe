package render

import (
	"math"
	"slices"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
)

// TIFFOptions say how [GeoTIFF] writes a raster. The zero value writes it
// without compression, in the CRS of the raster's srid.
type TIFFOptions struct {
	// CRS is the raster's; the zero value is the EPSG code of the raster's srid.
	// WKT is needed for a CRS without an EPSG code, and tells, where it is
	// given, whether a code is of a geographic or of a projected CRS.
	CRS rasterbase.CRS
	// Compression is a name as RASTER_COMPRESS_METHOD has them, in any case:
	// PACKBITS, LZW, DEFLATE, ZSTD or JPEG (8 bits, 1 or 3 bands, lossy); empty or
	// "none" for none. LZMA and CCITT, which this writer has not, become DEFLATE.
	Compression string
	Quality     int // of JPEG, 1 to 100; 0 is 85
	// Bands say more about the raster's bands, in their order: description, unit,
	// scale and offset are written. It may be shorter.
	Bands []rasterbase.Band
}

// maxStrip is the largest width and height, in pixels, of an image that is
// written as one strip. Larger ones are cut into tiles of tiffTile a side.
const (
	maxStrip = 512
	tiffTile = 256
)

// GeoTIFF writes the values of a raster, all its bands, as a GeoTIFF: pixels
// interleaved by band, in one strip, or in tiles of 256x256 when a side has
// more than 512 pixels. Pixels of 1, 2 and 4 bits are packed (NBITS). Bands of
// several types become the smallest type that holds all their values.
//
// The valid pixels are exactly the raster's. Where a nodata value tells them, it
// is written as GDAL does (GDAL_NODATA), as NaN when the bands are floats
// without one that hold NaN; otherwise there is an internal mask, for all bands
// or, where they differ, for each. Values under a mask stay as they are. JPEG
// changes values, so that there the mask alone tells.
//
// Errors for what cannot be written have the code invalid, those for a
// compression the field compress_method.
func GeoTIFF(r *raster.Raster, o TIFFOptions) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "write a GeoTIFF: %w", err)
	}
	if r.Width <= 0 || r.Height <= 0 || len(r.Bands) == 0 || len(r.Bands) > math.MaxUint16 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a raster of %dx%d pixels and %d bands has no GeoTIFF", r.Width, r.Height, len(r.Bands))
	}
	method, err := parseCompression(o.Compression)
	if err != nil {
		return nil, err
	}
	t, err := commonType(r.Bands)
	if err != nil {
		return nil, err
	}
	if err := method.check(t, len(r.Bands)); err != nil {
		return nil, err
	}
	if float64(r.Width)*float64(r.Height)*float64(len(r.Bands)*(t.Size()+1)) > 3<<30 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a raster of %dx%d pixels and %d bands is too large for a TIFF", r.Width, r.Height, len(r.Bands))
	}
	if o.Quality < 0 || o.Quality > 100 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "quality %d is not within 1 to 100", o.Quality).WithField("quality")
	}
	place, err := geoTags(r, o.CRS)
	if err != nil {
		return nil, err
	}
	p := packers.Get().(*packer)
	defer packers.Put(p)
	p.quality = o.Quality
	if p.quality == 0 {
		p.quality = defaultQuality
	}
	valid := validityOf(r, method == jpegMethod)
	image := pixelSheet(r, t, method)
	d := image.directory()
	d.add(place...)
	if text := bandTags(o.Bands, len(r.Bands)); text != "" {
		d.ascii(tagGDALMetadata, text)
	}
	if valid.nodata != "" {
		d.ascii(tagGDALNodata, valid.nodata)
	}
	sheets, directories := []*sheet{image}, []*directory{d}
	if valid.mask != nil {
		m := maskSheet(r, valid.mask, method)
		sheets, directories = append(sheets, m), append(directories, m.directory())
	}
	return writeTIFF(p, sheets, directories)
}

// writeTIFF packs the sheets and puts everything together: the header, the
// directories, then the pixels.
func writeTIFF(p *packer, sheets []*sheet, directories []*directory) ([]byte, error) {
	end := 8
	for i, s := range sheets {
		blocks, err := s.pack(p)
		if err != nil {
			return nil, err
		}
		directories[i].blocks = blocks
		directories[i].setBlocks(s.tiled, 0) // for the size alone
		end += directories[i].size()
	}
	out := tiffHeader()
	at := end
	for i, s := range sheets {
		directories[i].setBlocks(s.tiled, at)
		for _, b := range directories[i].blocks {
			at += len(b) + len(b)%2
		}
		out = directories[i].append(out, i < len(sheets)-1)
	}
	if at > math.MaxUint32 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%d bytes are too many for a TIFF", at)
	}
	for _, d := range directories {
		for _, b := range d.blocks {
			out = append(append(out, b...), make([]byte, len(b)%2)...)
		}
	}
	return out, nil
}

// commonType is the smallest type that holds the values of all bands.
func commonType(bands []raster.Band) (rasterbase.PixelType, error) {
	t := bands[0].Type
	for _, b := range bands {
		if !b.Type.Valid() {
			return 0, rasterbase.Errorf(rasterbase.Invalid, "%v has no GeoTIFF", b.Type)
		}
		t = widen(t, b.Type)
	}
	if top := map[rasterbase.PixelType]uint8{rasterbase.Bit1: 1, rasterbase.Uint2: 3, rasterbase.Uint4: 15}[t]; top > 0 {
		for _, b := range bands {
			if px, ok := b.Pixels.(raster.Slice[uint8]); ok && len(px) > 0 && slices.Max(px) > top {
				return rasterbase.Uint8, nil // a byte of memory can hold more than its type says
			}
		}
	}
	return t, nil
}

// widen is the smallest type that holds the values of two.
func widen(a, b rasterbase.PixelType) rasterbase.PixelType {
	for _, t := range rasterbase.PixelTypes {
		if holdsType(t, a) && holdsType(t, b) {
			return t
		}
	}
	return rasterbase.Float64
}

func holdsType(t, other rasterbase.PixelType) bool {
	lo, hi := t.Range()
	low, high := other.Range()
	switch {
	case t == other || t == rasterbase.Float64:
		return true
	case t == rasterbase.Float32:
		return !other.IsFloat() && other.Size() <= 2
	}
	return !other.IsFloat() && lo <= low && high <= hi
}
