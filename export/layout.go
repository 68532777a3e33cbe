package export

import (
	"fmt"
	"math"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/tiff"
)

// image is one image of the file: of a level, or of its mask.
type image struct {
	level     *level
	places    []place
	directory *tiff.Directory
	blocks    []tiff.Block
}

// images lists them in the order of their directories: the full size and its mask
// first, then the overviews, each smaller than the one before.
func (m *maker) images() (out []*image) {
	masked := m.told.masks > 0 && m.spool.masked.Load()
	for k, l := range m.all {
		s := &tiff.Sheet{
			Width: l.width, Height: l.height, Type: m.p.Type, Bands: len(m.p.Bands), Method: m.p.method,
			Predictor: m.predictor, Tile: m.tile, Reduced: k > 0, Palette: m.p.palette,
		}
		d := s.Directory()
		if k == 0 {
			m.describe(d)
		}
		d.AddNodata(m.told.text())
		out = append(out, newImage(l, l.image, d))
		if masked {
			s := m.maskSheet()
			s.Width, s.Height, s.Tile, s.Reduced = l.width, l.height, m.tile, k > 0
			out = append(out, newImage(l, l.mask, s.Directory()))
		}
	}
	return out
}

func newImage(l *level, places []place, d *tiff.Directory) *image {
	i := &image{level: l, places: places, directory: d, blocks: make([]tiff.Block, len(places))}
	for k, p := range places {
		i.blocks[k].Bytes = p.n
	}
	return i
}

// describe says where the pixels lie and what they are.
func (m *maker) describe(d *tiff.Directory) {
	place, err := tiff.Place(m.p.Grid, m.p.CRS)
	if err != nil {
		panic(fmt.Sprintf("export: a plan whose grid cannot be written: %v", err)) // NewPlan checked it
	}
	d.Add(place...)
	bands := make([]rasterbase.Band, len(m.p.Bands))
	copy(bands, m.p.Bands)
	d.AddMetadata(tiff.BandTags(bands, len(bands)))
}

// form is BigTIFF when offsets of 4 bytes do not suffice.
func (m *maker) form(images []*image) tiff.Form {
	total := int64(len(m.ghost())) + 16
	for _, i := range images {
		for _, p := range i.places {
			total += p.whole()
		}
		i.directory.SetBlocks(tiff.Form{}, true, i.blocks)
		total += int64(i.directory.Size(tiff.Form{}))
	}
	return tiff.Form{Big: total > math.MaxUint32}
}

// ghost is what GDAL's driver for cloud optimized GeoTIFFs writes behind the header,
// where readers look for it: how the file is laid out. A GeoTIFF without overviews has
// none.
func (m *maker) ghost() []byte {
	if m.p.Format != COG {
		return nil
	}
	text := "LAYOUT=IFDS_BEFORE_DATA\nBLOCK_ORDER=ROW_MAJOR\nBLOCK_LEADER=SIZE_AS_UINT4\nBLOCK_TRAILER=LAST_4_BYTES_REPEATED\nKNOWN_INCOMPATIBLE_EDITION=NO\n "
	if m.told.masks > 0 && m.spool.masked.Load() {
		text += "MASK_INTERLEAVED_WITH_IMAGERY=YES\n"
	}
	const first = "GDAL_STRUCTURAL_METADATA_SIZE=%06d bytes\n"
	if (len(fmt.Sprintf(first, 0))+len(text))%2 == 1 {
		text += "\n" // directories begin at even offsets
	}
	return fmt.Appendf(nil, first+"%s", len(text), text)
}

// layOut appends the tiles of a level row by row, each with its mask behind it.
func (m *maker) layOut(f *File, l *level, images []*image) {
	var of []*image
	for _, i := range images {
		if i.level == l {
			of = append(of, i)
		}
	}
	for k := range l.image {
		for _, i := range of {
			p := i.places[k]
			i.blocks[k].Offset = f.size + leader
			f.addSpooled(p.at, p.whole())
		}
	}
}
