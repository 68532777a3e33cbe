package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/raster"
	"github.com/rasterbase/rasterbase/render"
)

// input is a band of a layer under a name.
type input struct {
	name  string
	layer string // id, slug or file name
	band  int    // from 0
}

// maxInputs is how many layers can be named at once, whatever the configuration says;
// fewer where Config.MaxFormulaLayers does.
const maxInputs = 1000

// readLayers reads r=1,g:2=dem: names for bands of layers. As in django-raster the
// band stands behind the name and counts from 0.
func readLayers(d *drawing, _ string, values []string) (string, error) {
	const form = "write layers=r=1,g=2,b=3; r:0=1,g:1=1,b:2=1 are the first three bands of one layer"
	var texts []string
	for one := range strings.SplitSeq(values[0], ",") {
		name, ref, ok := strings.Cut(one, "=")
		name, band, banded := strings.Cut(strings.TrimSpace(name), ":")
		in := input{name: name, layer: strings.TrimSpace(ref)}
		if !ok || in.layer == "" || !isName(name) {
			return "", invalid("that names no layer", one, form)
		}
		if banded {
			n, err := strconv.ParseUint(band, 10, 16)
			if err != nil {
				return "", invalid("that is no band", band, form)
			}
			in.band = int(n)
		}
		if slices.ContainsFunc(d.inputs, func(other input) bool { return other.name == name }) {
			return "", invalid("that name is given twice", name, form)
		}
		if d.inputs = append(d.inputs, in); len(d.inputs) > maxInputs {
			return "", rasterbase.Errorf(rasterbase.Invalid, "those are more than %d layers", maxInputs).WithHint("%s", form)
		}
		texts = append(texts, fmt.Sprintf("%s:%d=%s", name, in.band, in.layer))
	}
	return strings.Join(texts, ","), nil
}

// isName reports whether s can name an input: a letter, and letters, digits and _.
func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

func readFormula(d *drawing, _ string, values []string) (string, error) {
	d.formula = strings.TrimSpace(values[0])
	return d.formula, nil
}

// readGrid reads the input whose own pixels count, which no tile shows: it is part of
// what a formula is.
func readGrid(_ *drawing, _ string, values []string) (string, error) {
	return strings.TrimSpace(values[0]), nil
}

// rgbOnly are parameters that three bands leave no place for.
var rgbOnly = []string{"legend", "store", "colormap", "colormap_name", "entries", "bidx", "algorithm", "algorithm_params", "aggregation", "grid"}

// checkAlgebra tells whether there is a formula, or else red, green and blue are
// named.
func (d *drawing) checkAlgebra() error {
	switch {
	case len(d.inputs) == 0:
		return rasterbase.Errorf(rasterbase.Invalid, "no layers are named").
			WithHint("write layers=a=1,b:0=dem, and formula=a-b").WithField("layers")
	case d.formula != "" && d.alpha:
		return conflict("alpha", "formula")
	case d.formula != "":
		return d.checkAlgorithm()
	}
	for _, name := range rgbOnly {
		if d.params.Has(name) {
			return rasterbase.Errorf(rasterbase.Invalid, "three bands have their own colours: %s says nothing of them", name).
				WithHint("leave it out, or give a formula").WithField(name)
		}
	}
	rgb := make([]input, 3)
	found := 0
	for _, in := range d.inputs {
		if place := strings.Index("rgb", in.name); place >= 0 && len(in.name) == 1 {
			rgb[place] = in
			found++
		}
	}
	if found != 3 || len(d.inputs) != 3 {
		return rasterbase.Errorf(rasterbase.Invalid, "there is no formula, and layers names no red, green and blue").
			WithHint("give formula=, or write layers=r=1,g=2,b=3, with r, g and b alone").WithField("layers")
	}
	d.inputs = rgb
	return threeRanges(d)
}

// composite is three bands of one layer or of several, drawn as red, green and
// blue.
type composite struct {
	tag      string
	private  bool
	parts    []part
	channels [3]channel
	about    []rasterbase.Band
	rescale  [][2]float64
}

// part is what is read of one layer.
type part struct {
	ref    string
	of     *subject
	hidden bool
	rev    *rasterbase.Revision // of it, with statistics where they are needed
	bands  []int                // that are shown
	*style                      // how they are read
}

// channel is where a colour comes from: a part, and one of those that it shows.
type channel struct{ part, place int }

// algebraTile answers a map tile of several layers.
func (s *Server) algebraTile(w http.ResponseWriter, r *http.Request) error {
	p, err := parseTilePath(r.PathValue("z"), r.PathValue("x"), r.PathValue("file"))
	if err != nil {
		return err
	}
	d, err := s.parametersOf(r, algebraRoute)
	if err == nil {
		err = d.checkFormat(p.format)
	}
	if err != nil {
		return err
	}
	if d.formula != "" {
		return s.resolvedTile(w, r, p, asked{drawing: d})
	}
	return s.answerTile(w, r, d.version, func(again bool) (sheet, error) {
		c, err := s.compose(r, d, p.format == render.TIFF, again)
		if err != nil {
			return sheet{}, err
		}
		size := 0
		for _, part := range c.parts {
			size = max(size, d.size(part.rev.TileSize, p.double))
		}
		return sheet{
			etag: tileTag(c.tag, p, size), version: c.tag[:11], private: c.private, format: p.format, size: size, computes: c.cost() > 0,
			draw: func(ctx context.Context) (picture, error) { return s.drawComposite(ctx, c, d, p, size) },
		}, nil
	})
}

// cost is the work of a pixel of those layers that are made of formulas.
func (c *composite) cost() int {
	sum := 0
	for _, p := range c.parts {
		if p.of.formula != nil {
			sum += p.of.formula.Cost()
		}
	}
	return sum
}

// compose finds the layers of a composite; the sender needs the right to each.
func (s *Server) compose(r *http.Request, d *drawing, values, again bool) (*composite, error) {
	c := &composite{}
	h := sha256.New()
	writeTexts(h, "rgb", s.c.Version, d.key)
	if values {
		writeTexts(h, "values", s.compression(d))
	}
	for i, in := range d.inputs {
		at := slices.IndexFunc(c.parts, func(p part) bool { return p.ref == in.layer })
		if at < 0 {
			p, err := s.part(r, d, in.layer, again)
			if err != nil {
				return nil, err
			}
			c.private = c.private || p.hidden
			at = len(c.parts)
			c.parts = append(c.parts, p)
			writeTexts(h, p.of.version)
		}
		part := &c.parts[at]
		if rev := part.rev; in.band >= len(rev.Bands) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "layer %d has no band %d: it has %d", rev.Layer, in.band, len(rev.Bands)).
				WithHint("bands count from 0 in %s:%d", in.name, in.band).WithField("layers")
		}
		if err := part.of.drawable(); err != nil {
			return nil, blame(err, "layers")
		}
		c.channels[i] = channel{at, len(part.bands)}
		part.bands = append(part.bands, in.band)
	}
	c.tag = base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
	c.style(d)
	return c, nil
}

// part finds one of the layers.
func (s *Server) part(r *http.Request, d *drawing, ref string, again bool) (p part, err error) {
	ctx := r.Context()
	who, err := s.principal(r)
	if err != nil {
		return p, err
	}
	l, _, err := s.look(ctx, who, ref, "", again)
	if err != nil {
		return p, blame(err, "layers")
	}
	p.ref = ref
	if p.of, err = s.openFor(ctx, who, l, again); err != nil {
		return p, blame(err, "layers")
	}
	p.hidden = p.of.hides(l)
	if p.rev = p.of.rev; d.rescale == nil {
		p.rev, err = s.statistics(r, p.of)
		err = blame(err, "layers")
	}
	return p, err
}

// style decides how the layers are read, and over which ranges they are drawn.
func (c *composite) style(d *drawing) {
	for i := range c.parts {
		c.parts[i].style = reading(c.parts[i].rev, c.parts[i].bands, d)
	}
	for _, ch := range c.channels {
		b := c.parts[ch.part].about[ch.place]
		c.about = append(c.about, b)
		if d.rescale == nil {
			c.rescale = append(c.rescale, percentiles(b))
		}
	}
	if d.rescale != nil {
		c.rescale = d.rescale
	}
}

// drawComposite reads and encodes a tile.
func (s *Server) drawComposite(ctx context.Context, c *composite, d *drawing, p tilePlace, size int) (picture, error) {
	if err := affordable("these layers", c.cost(), size); err != nil {
		return picture{}, blame(err, "layers")
	}
	pixels, err := c.pixels(ctx, d, p, size)
	if err != nil {
		return picture{}, fmt.Errorf("read tile %d/%d/%d of %s: %w", p.z, p.x, p.y, d.params.Get("layers"), err)
	}
	o := d.renderOptions(p.format)
	o.Bands, o.Rescale = []int{0, 1, 2}, c.rescale
	var out picture
	out.body, out.empty, err = s.encode(pixels, o.Bands, c.about, d, o)
	if err != nil {
		return picture{}, fmt.Errorf("draw tile %d/%d/%d of %s: %w", p.z, p.x, p.y, d.params.Get("layers"), err)
	}
	return out, nil
}

// pixels reads the layers and puts three of their bands together.
func (c *composite) pixels(ctx context.Context, d *drawing, p tilePlace, size int) (*raster.Raster, error) {
	if err := d.fits(p, size); err != nil {
		return nil, err
	}
	read := make([]*raster.Raster, len(c.parts))
	for i, part := range c.parts {
		var err error
		if read[i], err = part.read(ctx, part.of, d, p, size); err != nil {
			return nil, err
		}
	}
	out := &raster.Raster{Grid: read[0].Grid, SRID: read[0].SRID, Validity: make([]uint8, size*size)}
	for k, ch := range c.channels {
		from, band := read[ch.part], c.parts[ch.part].drawn[ch.place]
		out.Bands = append(out.Bands, from.Bands[band])
		markValid(out.Validity, from, band, 1<<k)
	}
	if p.format != render.TIFF {
		c.blacken(out)
	}
	mask(out, d.alpha)
	return out, nil
}

// markValid sets a bit where a band is valid.
func markValid(dst []uint8, r *raster.Raster, band int, bit uint8) {
	valid := r.ValidMask(band)
	for i := range dst {
		if valid == nil || valid[i] != 0 {
			dst[i] |= bit
		}
	}
}

// allBands are the bits of three bands.
const allBands = 1 | 2 | 4

// blacken gives the pixels at which a band alone is invalid the lower end of its
// range: what stands for nodata there is no colour.
func (c *composite) blacken(r *raster.Raster) {
	for k := range r.Bands {
		b := &r.Bands[k]
		low := c.rescale[min(k, len(c.rescale)-1)][0]
		var own raster.Pixels // the band's are shared
		for i, valid := range r.Validity {
			if valid == 0 || valid&(1<<k) != 0 {
				continue
			}
			if own == nil {
				own = raster.NewPixels(b.Type, b.Pixels.Len())
				copy(own.Bytes(), b.Pixels.Bytes())
			}
			own.Set(i, low)
		}
		if own != nil {
			b.Pixels = own
		}
	}
}

// mask makes validity of which bands are valid: a pixel is shown if any is, or
// with alpha if all are and not all are 0.
func mask(r *raster.Raster, alpha bool) {
	for i, valid := range r.Validity {
		shown := valid != 0
		if alpha {
			black := r.Bands[0].Pixels.At(i) == 0 && r.Bands[1].Pixels.At(i) == 0 && r.Bands[2].Pixels.At(i) == 0
			shown = valid == allBands && !black
		}
		r.Validity[i] = 0
		if shown {
			r.Validity[i] = 255
		}
	}
}
