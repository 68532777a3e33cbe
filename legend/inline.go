package legend

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// MaxColormapBytes is the largest colormap that [ParseColormap] reads.
const MaxColormapBytes = 1 << 20

// ParseColormap reads what the colormap parameter holds, JSON of one of these
// forms:
//
//	{"4": [101, 67, 33, 255], "x > 5": "#654321"}           entries, in the order written
//	[[[0, 10], [255, 0, 0, 255]], [[10, null], "blue"]]     intervals: (0 <= x) & (x < 10); null is open
//	{"continuous": true, "from": "red", "over": [0, 0, 0], "to": "#00F", "range": [0, 100]}
//	{"stops": [[0, "red"], {"at": 10, "color": "blue", "name": "deep"}], "interpolation": "linear"}
//	{"colormap_name": "viridis", "range": [0, 100]}
//
// and the array of entries that [ParseJSON] reads. The first four are those of
// django-raster and TiTiler. Keys that stand twice are two entries, painted in
// the order written. from is black and to is white where they are left out; over
// is the colour of the middle. Without range, the layer's own counts: see [Fit];
// each of its ends can be null. With a range, or "relative": true, stops stand at
// shares of it, 0 to 1.
//
// The legend is validated. Errors have the code invalid or too large and the
// field colormap, and name the key.
func ParseColormap(b []byte) (*rasterbase.Legend, error) {
	if len(b) > MaxColormapBytes {
		return nil, rasterbase.Errorf(rasterbase.TooLarge, "the colormap has %d bytes", len(b)).
			WithHint("at most %d are read; make a legend of it", MaxColormapBytes).WithField("colormap")
	}
	l, err := parseInline(b)
	if err != nil {
		return nil, rasterbase.Errorf(rasterbase.CodeOf(err), "colormap: %w", err).WithField("colormap")
	}
	return l, nil
}

func parseInline(b []byte) (*rasterbase.Legend, error) {
	v, err := readJSON(b)
	if err != nil {
		return nil, err
	}
	l := &rasterbase.Legend{}
	switch {
	case v.kind == jsonObject && isGradient(v):
		l.Gradient, err = parseGradient(v)
	case v.kind == jsonObject && len(v.keys) > 0:
		l.Entries, err = parseEntries(v)
	case v.kind == jsonArray && len(v.items) > 0 && v.items[0].kind == jsonObject:
		return ParseJSON("", b)
	case v.kind == jsonArray && len(v.items) > 0:
		l.Entries, err = parseIntervals(v)
	default:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "expected colours by value, found %s", v.describe()).
			WithHint(`write {"1": [255, 0, 0, 255], "x > 2": "#0000FF"}`)
	}
	switch {
	case err != nil:
		return nil, err
	case l.Gradient != nil:
		err = Validate(l)
	case len(l.Entries) > MaxEntries: // they were read one by one
		err = tooManyEntries(l)
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// parseEntries reads colours by expression.
func parseEntries(v jsonValue) ([]rasterbase.Entry, error) {
	entries := make([]rasterbase.Entry, len(v.keys))
	for i, key := range v.keys {
		c, err := v.items[i].color()
		if err != nil {
			return nil, atKey(key, err)
		}
		entries[i] = rasterbase.Entry{Semantics: rasterbase.Semantics{Name: key}, Expression: key, Color: c}
		if _, err := newRule(entries[i], false); err != nil {
			return nil, atKey(key, err)
		}
	}
	return entries, nil
}

func atKey(key string, err error) error {
	return rasterbase.Errorf(rasterbase.Invalid, "key %.60q: %w", key, err)
}

// parseIntervals reads TiTiler's [[[min, max], color], ...].
func parseIntervals(v jsonValue) ([]rasterbase.Entry, error) {
	entries := make([]rasterbase.Entry, len(v.items))
	for i, item := range v.items {
		e, err := parseInterval(item)
		if err != nil {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "interval %d: %w", i+1, err)
		}
		entries[i] = e
	}
	return entries, nil
}

func parseInterval(v jsonValue) (rasterbase.Entry, error) {
	var e rasterbase.Entry
	if v.kind != jsonArray || len(v.items) != 2 {
		return e, rasterbase.Errorf(rasterbase.Invalid, "expected [[min, max], colour], found %s", v.describe())
	}
	from, to, err := v.items[0].ends()
	if err != nil {
		return e, err
	}
	if e.Color, err = v.items[1].color(); err != nil {
		return e, err
	}
	switch {
	case from == nil && to == nil:
		return e, rasterbase.Errorf(rasterbase.Invalid, "both ends are open")
	case from == nil:
		e.Expression = "x < " + formatNumber(*to)
		e.Semantics.Name = e.Expression
	case to == nil:
		e.Expression = "x >= " + formatNumber(*from)
		e.Semantics.Name = e.Expression
	case *from >= *to:
		return e, rasterbase.Errorf(rasterbase.Invalid, "%v is not below %v", *from, *to)
	default:
		e.Expression = fmt.Sprintf("(%s <= x) & (x < %s)", formatNumber(*from), formatNumber(*to))
		e.Semantics.Name = formatNumber(*from) + " to " + formatNumber(*to)
	}
	return e, nil
}

// ends reads [min, max], where null is nil.
func (v jsonValue) ends() (low, high *float64, err error) {
	if v.kind != jsonArray || len(v.items) != 2 {
		return nil, nil, rasterbase.Errorf(rasterbase.Invalid, "expected [min, max], found %s", v.describe())
	}
	var ends [2]*float64
	for i, item := range v.items {
		if item.kind == jsonNull {
			continue
		}
		n, err := item.number()
		if err != nil {
			return nil, nil, err
		}
		ends[i] = &n
	}
	return ends[0], ends[1], nil
}

// gradientKeys are the keys of an object that is a gradient.
const gradientKeys = " continuous from over to range stops interpolation colormap_name relative "

func isGradientKey(key string) bool {
	return key != "" && !strings.Contains(key, " ") && strings.Contains(gradientKeys, " "+key+" ")
}

func isGradient(v jsonValue) bool { return slices.ContainsFunc(v.keys, isGradientKey) }

// parseGradient reads the object of a gradient.
func parseGradient(v jsonValue) (*rasterbase.Gradient, error) {
	p := gradientParser{seen: map[string]jsonValue{}}
	for i, key := range v.keys {
		if !isGradientKey(key) {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "key %.60q has no place in a gradient", key).
				WithHint("its keys are %s", strings.TrimSpace(gradientKeys))
		}
		if _, ok := p.seen[key]; ok {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "key %q stands twice", key)
		}
		p.seen[key] = v.items[i]
	}
	for _, key := range v.keys {
		if err := p.read(key, p.seen[key]); err != nil {
			return nil, atKey(key, err)
		}
	}
	return p.finish()
}

// gradientParser collects the parts of a gradient.
type gradientParser struct {
	seen           map[string]jsonValue
	g              rasterbase.Gradient
	from, over, to *rasterbase.Color
}

func (p *gradientParser) has(key string) bool { _, ok := p.seen[key]; return ok }

func (p *gradientParser) read(key string, v jsonValue) (err error) {
	color := func(to **rasterbase.Color) error {
		c, err := v.color()
		*to = &c
		return err
	}
	switch key {
	case "from":
		err = color(&p.from)
	case "over":
		err = color(&p.over)
	case "to":
		err = color(&p.to)
	case "range":
		p.g.Min, p.g.Max, err = v.ends()
	case "stops":
		p.g.Stops, err = v.stops()
	case "interpolation":
		p.g.Interpolation = rasterbase.Interpolation(strings.ToLower(v.text))
	case "colormap_name":
		if p.g.Colormap = v.text; v.kind != jsonString || v.text == "" {
			err = rasterbase.Errorf(rasterbase.Invalid, "expected a name, found %s", v.describe())
		}
	case "relative":
		if v.kind != jsonBool {
			err = rasterbase.Errorf(rasterbase.Invalid, "expected true or false, found %s", v.describe())
		}
	}
	return err
}

func (p *gradientParser) finish() (*rasterbase.Gradient, error) {
	g := &p.g
	if g.Interpolation == "" {
		g.Interpolation = rasterbase.Linear
	}
	if p.has("from") || p.has("over") || p.has("to") || p.isContinuous() {
		if err := p.continuous(); err != nil {
			return nil, err
		}
	}
	if len(g.Stops) > 0 {
		g.Relative = g.Relative || p.has("range") || p.seen["relative"].text == "true"
		if g.Relative && p.seen["relative"].text == "false" {
			return nil, rasterbase.Errorf(rasterbase.Invalid, `key "range" has no meaning for stops that are not relative`)
		}
	}
	return g, nil
}

// isContinuous reports whether continuous is there, and anything but false, and
// nothing says how.
func (p *gradientParser) isContinuous() bool {
	v, ok := p.seen["continuous"]
	return ok && v.text != "false" && v.kind != jsonNull && !p.has("stops") && !p.has("colormap_name")
}

// continuous makes the stops of django-raster's form.
func (p *gradientParser) continuous() error {
	if p.has("stops") || p.has("colormap_name") {
		return rasterbase.Errorf(rasterbase.Invalid, "from, over and to cannot stand beside stops or colormap_name")
	}
	if p.from == nil {
		p.from = &rasterbase.Color{A: 0xff}
	}
	if p.to == nil {
		p.to = &rasterbase.Color{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
	}
	p.g.Relative = true
	p.g.Stops = []rasterbase.Stop{{At: 0, Color: *p.from}}
	if p.over != nil {
		p.g.Stops = append(p.g.Stops, rasterbase.Stop{At: 0.5, Color: *p.over})
	}
	p.g.Stops = append(p.g.Stops, rasterbase.Stop{At: 1, Color: *p.to})
	return nil
}

// stops reads an array of stops.
func (v jsonValue) stops() ([]rasterbase.Stop, error) {
	if v.kind != jsonArray {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "expected an array of stops, found %s", v.describe())
	}
	stops := make([]rasterbase.Stop, len(v.items))
	for i, item := range v.items {
		s, err := item.stop()
		if err != nil {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "stop %d: %w", i+1, err)
		}
		stops[i] = s
	}
	return stops, nil
}

// stop reads [at, color], [at, color, name] or an object of them.
func (v jsonValue) stop() (s rasterbase.Stop, err error) {
	var at, c, name jsonValue
	switch {
	case v.kind == jsonArray && (len(v.items) == 2 || len(v.items) == 3):
		at, c = v.items[0], v.items[1]
		if len(v.items) == 3 {
			name = v.items[2]
		}
	case v.kind == jsonObject:
		for i, key := range v.keys {
			switch key {
			case "at":
				at = v.items[i]
			case "color":
				c = v.items[i]
			case "name":
				name = v.items[i]
			default:
				return s, rasterbase.Errorf(rasterbase.Invalid, "key %.60q has no place in a stop", key).
					WithHint("its keys are at, color and name")
			}
		}
	default:
		return s, rasterbase.Errorf(rasterbase.Invalid, "expected [value, colour], found %s", v.describe())
	}
	if s.At, err = at.place(); err != nil {
		return s, err
	}
	if s.Color, err = c.color(); err != nil {
		return s, err
	}
	if s.Name = name.text; name.kind != jsonString && name.kind != jsonNull {
		err = rasterbase.Errorf(rasterbase.Invalid, "expected a name, found %s", name.describe())
	}
	return s, err
}

// place reads a number, or "inf" as [rasterbase.Float] writes it.
func (v jsonValue) place() (float64, error) {
	if v.kind == jsonString && v.text == "inf" {
		return strconv.ParseFloat(v.text, 64)
	}
	return v.number()
}

// MarshalColormap writes a legend in a form that [ParseColormap] reads: colours
// by expression, in the order in which they are painted, or the object of a
// gradient. Names, codes and meanings of entries are left out.
func MarshalColormap(l *rasterbase.Legend) ([]byte, error) {
	if l.Gradient != nil {
		return encodeJSON(gradientForm(l.Gradient))
	}
	var out bytes.Buffer
	out.WriteByte('{')
	for i, e := range Order(l).Entries {
		if i > 0 {
			out.WriteByte(',')
		}
		key, err := encodeJSON(e.Expression)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%s:[%d,%d,%d,%d]", key, e.Color.R, e.Color.G, e.Color.B, e.Color.A)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// gradientJSON is the object of a gradient.
type gradientJSON struct {
	Title         string       `json:"title,omitempty"`
	Colormap      string       `json:"colormap_name,omitempty"`
	Stops         []stopJSON   `json:"stops,omitempty"`
	Interpolation string       `json:"interpolation,omitempty"`
	Relative      bool         `json:"relative,omitempty"`
	Range         *[2]*float64 `json:"range,omitempty"`
}

type stopJSON struct {
	At    rasterbase.Float `json:"at"`
	Color rasterbase.Color `json:"color"`
	Name  string           `json:"name,omitempty"`
}

func gradientForm(g *rasterbase.Gradient) gradientJSON {
	out := gradientJSON{Colormap: g.Colormap, Interpolation: string(g.Interpolation), Relative: g.Relative && g.Colormap == ""}
	for _, s := range g.Stops {
		out.Stops = append(out.Stops, stopJSON{rasterbase.Float(s.At), s.Color, s.Name})
	}
	if relative(g) && (g.Min != nil || g.Max != nil) {
		out.Range = &[2]*float64{g.Min, g.Max}
	}
	return out
}

// encodeJSON writes JSON in which expressions keep their < and &.
func encodeJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write the legend as JSON: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
