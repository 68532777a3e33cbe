package server

import (
	"bytes"
	"encoding/json"
	"image/color"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	"github.com/rasterbase/rasterbase/render"
)

// reader reads a parameter into a drawing and gives its one spelling; empty: it
// says nothing but what holds anyway.
type reader func(d *drawing, name string, values []string) (canonical string, err error)

// readers are those of all parameters that change pictures.
var readers = map[string]reader{
	"legend":             readLegend,
	"store":              readStore,
	"colormap":           readColormap,
	"colormap_name":      readColormapName,
	"rescale":            readRescale,
	"scale":              readScale,
	"bidx":               readBands,
	"entries":            readShownEntries,
	"enhance_color":      readEnhance,
	"enhance_contrast":   readEnhance,
	"enhance_brightness": readEnhance,
	"enhance_sharpness":  readEnhance,
	"background":         readBackground,
	"compress":           readCompress,
	"resampling":         readResampling,
	"tilesize":           readTileSize,
	"unscale":            readSwitch,
	"aggregation":        readSwitch,
	"alpha":              readSwitch,
	"algorithm":          readAlgorithm,
	"algorithm_params":   readAlgorithmParams,
	"layers":             readLayers,
	"formula":            readFormula,
	"grid":               readGrid,
}

// invalid is the error of a parameter that is not as it should be; read names it.
func invalid(what, value, hint string) error {
	return rasterbase.Errorf(rasterbase.Invalid, "%s: %.60q", what, value).WithHint("%s", hint)
}

func readLegend(d *drawing, _ string, values []string) (string, error) {
	d.legend = strings.TrimSpace(values[0])
	return d.legend, nil
}

func readStore(d *drawing, _ string, values []string) (string, error) {
	switch v := strings.ToLower(values[0]); v {
	case "session":
		d.personal = true
		return v, nil
	case "database":
		return "", nil
	}
	return "", invalid("there is no such store of colormaps", values[0], "session: the colormaps that you keep; database: the legends")
}

func readColormap(d *drawing, _ string, values []string) (string, error) {
	lg, err := legend.ParseColormap([]byte(values[0]))
	if err != nil {
		return "", err
	}
	d.colormap = lg
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(values[0])); err != nil {
		return "", invalid("it is no JSON", values[0], `write {"4": "#654321"}`)
	}
	return compact.String(), nil
}

func readColormapName(d *drawing, _ string, values []string) (string, error) {
	name := strings.ToLower(strings.TrimSpace(values[0]))
	lg, err := namedColormap(name)
	if err != nil {
		return "", err
	}
	d.colormap, d.named = lg, name
	return name, nil
}

func readRescale(d *drawing, _ string, values []string) (string, error) {
	numbers, err := readNumbers(values)
	if err != nil {
		return "", err
	}
	if len(numbers)%2 != 0 || len(numbers) > 6 {
		return "", invalid("the ends of ranges come in pairs, of at most three bands", strings.Join(values, ","), "write rescale=0,1000, or one range for each band: rescale=0,10,0,20,0,30")
	}
	for pair := range slices.Chunk(numbers, 2) {
		if width := pair[1] - pair[0]; !(width > 0) || math.IsInf(width, 0) {
			return "", invalid("a range goes from a lower to a higher value", formatNumbers(pair), "write rescale=0,1000; a colormap whose name ends in _r turns the colours round")
		}
		d.rescale = append(d.rescale, [2]float64(pair))
	}
	return formatNumbers(numbers), nil
}

// readScale reads django-raster's range of all three bands: min,max, or max alone.
func readScale(d *drawing, name string, values []string) (string, error) {
	if len(values) == 1 && !strings.Contains(values[0], ",") {
		values = []string{"0," + values[0]}
	}
	d.rescale = nil // both are refused together, once all is read
	canonical, err := readRescale(d, name, values)
	if err == nil && len(d.rescale) > 1 {
		return "", invalid("it is one range for all bands", strings.Join(values, ","), "rescale takes one for each band")
	}
	return canonical, err
}

func readBands(d *drawing, _ string, values []string) (string, error) {
	var texts []string
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(one))
			if err != nil || n < 1 || n > math.MaxUint16 {
				return "", invalid("that is no band", one, "bands count from 1: bidx=2, or bidx=3,2,1 for red, green and blue")
			}
			if len(d.bands) == 3 {
				return "", invalid("those are too many bands", strings.Join(values, ","), "one band is coloured, three are red, green and blue")
			}
			d.bands = append(d.bands, n-1)
			texts = append(texts, strconv.Itoa(n))
		}
	}
	if len(d.bands) == 2 {
		return "", invalid("a picture shows one band or three", strings.Join(values, ","), "one band is coloured, three are red, green and blue")
	}
	return strings.Join(texts, ","), nil
}

func readShownEntries(d *drawing, _ string, values []string) (string, error) {
	d.entries = strings.TrimSpace(values[0])
	return d.entries, nil
}

func readEnhance(d *drawing, name string, values []string) (string, error) {
	v, err := readNumber(values[0])
	if err != nil {
		return "", err
	}
	if math.Abs(v) > maxEnhance {
		return "", invalid("that factor is out of reach", values[0], "1 changes nothing, 0 and 2 are strong")
	}
	if v == 1 {
		return "", nil
	}
	switch name {
	case "enhance_color":
		d.enhance.Color = &v
	case "enhance_contrast":
		d.enhance.Contrast = &v
	case "enhance_brightness":
		d.enhance.Brightness = &v
	case "enhance_sharpness":
		d.enhance.Sharpness = &v
	}
	return formatNumbers([]float64{v}), nil
}

// maxEnhance is the strongest factor, far beyond what shows anything.
const maxEnhance = 1000

func readBackground(d *drawing, _ string, values []string) (string, error) {
	c, err := legend.ParseColor(values[0])
	if err != nil && !strings.HasPrefix(values[0], "#") { // # is awkward in addresses
		c, err = legend.ParseColor("#" + values[0])
	}
	if err != nil {
		return "", err
	}
	c.A = 255
	d.background = (*color.NRGBA)(&c)
	return c.String(), nil
}

func readCompress(d *drawing, _ string, values []string) (string, error) {
	v := strings.ToLower(values[0])
	if !slices.Contains([]string{"none", "packbits", "lzw", "deflate", "zstd", "jpeg"}, v) {
		return "", invalid("tiles are not compressed so", values[0], "one of none, PACKBITS, LZW, DEFLATE, ZSTD, JPEG")
	}
	d.compress = v
	return v, nil
}

func readResampling(d *drawing, _ string, values []string) (string, error) {
	r, err := rasterbase.ParseResampling(strings.ToLower(values[0]))
	if err != nil {
		return "", invalid("that is no resampling", values[0], "one of nearest, bilinear, cubic")
	}
	d.resampling = r
	return string(r), nil
}

func readTileSize(d *drawing, _ string, values []string) (string, error) {
	n, err := strconv.Atoi(values[0])
	if err != nil || n < minTileSize || n > maxTileSize {
		return "", invalid("tiles have no such size", values[0], "256 or 512 pixels a side; from 64 to 1024 is possible")
	}
	d.tileSize = n
	return strconv.Itoa(n), nil
}

// readSwitch reads true or false. django-raster's alpha says true by being there.
func readSwitch(d *drawing, name string, values []string) (string, error) {
	on := true
	if len(values) > 0 {
		switch strings.ToLower(values[0]) {
		case "true", "1", "yes", "on":
		case "false", "0", "no", "off":
			on = false
		default:
			return "", invalid("it is true or false", values[0], name+"=true")
		}
	}
	if !on {
		return "", nil
	}
	switch name {
	case "unscale":
		d.unscale = true
	case "aggregation":
		d.aggregation = true
	case "alpha":
		d.alpha = true
	}
	return "true", nil
}

// readNumbers reads numbers separated by commas, of all values.
func readNumbers(values []string) (out []float64, err error) {
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			n, err := readNumber(one)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
		}
	}
	return out, nil
}

// readNumber reads a finite number.
func readNumber(s string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || v-v != 0 {
		return 0, invalid("that is no number", s, "write a number such as 0.5")
	}
	return v + 0, nil
}

func formatNumbers(numbers []float64) string {
	texts := make([]string, len(numbers))
	for i, v := range numbers {
		texts[i] = strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strings.Join(texts, ",")
}

// renderOptions are what a drawing says to the encoder.
func (d *drawing) renderOptions(f render.Format) render.Options {
	o := render.Options{Format: f, Enhance: d.enhance}
	if d.background != nil {
		o.Background = *d.background
	}
	return o
}
