package render

import (
	"math"
	"slices"
	"sync"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/tiff"
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
	method, err := tiff.ParseMethod(o.Compression)
	if err != nil {
		return nil, err
	}
	t, err := commonType(r.Bands)
	if err != nil {
		return nil, err
	}
	if err := method.Check(t, len(r.Bands)); err != nil {
		return nil, err
	}
	if float64(r.Width)*float64(r.Height)*float64(len(r.Bands)*(t.Size()+1)) > 3<<30 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a raster of %dx%d pixels and %d bands is too large for a TIFF", r.Width, r.Height, len(r.Bands))
	}
	if o.Quality < 0 || o.Quality > 100 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "quality %d is not within 1 to 100", o.Quality).WithField("quality")
	}
	if o.CRS == (rasterbase.CRS{}) {
		o.CRS.SRID = r.SRID
	}
	place, err := tiff.Place(r.Grid, o.CRS)
	if err != nil {
		return nil, err
	}
	valid := validityOf(r, method == tiff.JPEG)
	image := pixelSheet(r, t, method)
	d := image.Directory()
	d.Add(place...)
	d.AddMetadata(tiff.BandTags(o.Bands, len(r.Bands)))
	d.AddNodata(valid.nodata)
	sheets, directories := []*tiff.Sheet{image}, []*tiff.Directory{d}
	if valid.mask != nil {
		m := maskSheet(image, valid.mask)
		sheets, directories = append(sheets, m), append(directories, m.Directory())
	}
	return writeTIFF(sheets, directories, o.Quality)
}

// pixelSheet lays out the bands of a raster as pixels of one type.
func pixelSheet(r *raster.Raster, t rasterbase.PixelType, m tiff.Method) *tiff.Sheet {
	s := &tiff.Sheet{Width: r.Width, Height: r.Height, Type: t, Bands: len(r.Bands), Method: m}
	if max(s.Width, s.Height) > maxStrip {
		s.Tile = tiffTile
	}
	for _, b := range r.Bands {
		s.Samples = append(s.Samples, tiff.Convert(b.Pixels, b.Type, t).Bytes())
	}
	s.Predictor = m.Predictor(t, len(r.Bands), inPatches(r))
	return s
}

// maskSheet lays out a mask, which has a slice of 0 and 1 for all bands or for
// each.
func maskSheet(image *tiff.Sheet, mask [][]byte) *tiff.Sheet {
	return &tiff.Sheet{
		Width: image.Width, Height: image.Height, Type: rasterbase.Bit1, Bands: len(mask), Samples: mask,
		Mask: true, Method: image.Method.ForMask(), Tile: image.Tile,
	}
}

// inPatches tells whether most pixels of the first band equal their neighbour.
func inPatches(r *raster.Raster) bool {
	switch px := r.Bands[0].Pixels.(type) {
	case raster.Slice[uint8]:
		return isFlat(px, r.Width)
	case raster.Slice[int8]:
		return isFlat(px, r.Width)
	case raster.Slice[uint16]:
		return isFlat(px, r.Width)
	case raster.Slice[int16]:
		return isFlat(px, r.Width)
	case raster.Slice[uint32]:
		return isFlat(px, r.Width)
	case raster.Slice[int32]:
		return isFlat(px, r.Width)
	case raster.Slice[float32]:
		return isFlat(px, r.Width)
	case raster.Slice[float64]:
		return isFlat(px, r.Width)
	}
	return false
}

// packers holds memory for reuse, and no state of any image.
var packers = sync.Pool{New: func() any { return new(tiff.Packer) }}

// writeTIFF packs the sheets and puts everything together: the header, the
// directories, then the pixels.
func writeTIFF(sheets []*tiff.Sheet, directories []*tiff.Directory, quality int) ([]byte, error) {
	p := packers.Get().(*tiff.Packer)
	defer packers.Put(p)
	p.Quality = quality
	form := tiff.Form{}
	at := int64(form.HeaderSize())
	packed, blocks := make([][][]byte, len(sheets)), make([][]tiff.Block, len(sheets))
	for i, s := range sheets {
		for _, r := range s.Blocks() {
			b, err := p.Pack(s, r)
			if err != nil {
				return nil, err
			}
			packed[i] = append(packed[i], b)
			blocks[i] = append(blocks[i], tiff.Block{Bytes: uint32(len(b))})
		}
		directories[i].SetBlocks(form, s.Tile > 0, blocks[i]) // for the size alone
		at += int64(directories[i].Size(form))
	}
	out := form.Header(int64(form.HeaderSize()))
	for i, s := range sheets {
		for k := range blocks[i] {
			blocks[i][k].Offset = at
			at += int64(blocks[i][k].Bytes+1) &^ 1
		}
		directories[i].SetBlocks(form, s.Tile > 0, blocks[i])
		out = directories[i].Append(form, out, i < len(sheets)-1)
	}
	if at > math.MaxUint32 {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%d bytes are too many for a TIFF", at)
	}
	for _, b := range slices.Concat(packed...) {
		out = append(append(out, b...), make([]byte, len(b)%2)...)
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
		t = tiff.Widen(t, b.Type)
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
