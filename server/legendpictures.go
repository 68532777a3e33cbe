package server

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
	pictures "github.com/rasterbase/rasterbase/legend/picture"
)

// pictureSecurity is for those who open an SVG by itself.
const pictureSecurity = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

// pictureOptions takes what a query asks of the picture of a legend out of it.
func pictureOptions(q url.Values) (o pictures.Options, err error) {
	text, err := single(q, "scale")
	if err != nil {
		return o, err
	}
	if text != "" {
		o.Scale, err = strconv.ParseFloat(text, 64)
		if err != nil || !(o.Scale >= 1 && o.Scale <= pictures.MaxScale) {
			return o, rasterbase.Errorf(rasterbase.Invalid, "scale is %.40q", text).
				WithHint("1 to %d: dots a pixel", pictures.MaxScale).WithField("scale")
		}
	}
	transparent, err := single(q, "transparent")
	if err != nil {
		return o, err
	}
	background, err := single(q, "background")
	if err != nil {
		return o, err
	}
	switch strings.ToLower(transparent) {
	case "", "false", "0":
	case "true", "1":
		if background == "" {
			background = "transparent"
		}
	default:
		return o, rasterbase.Errorf(rasterbase.Invalid, "transparent is %.40q", transparent).WithHint("true or false").WithField("transparent")
	}
	if o.Background, err = pictureColor("background", background); err != nil {
		return o, err
	}
	text, err = single(q, "color")
	if err == nil {
		o.Text, err = pictureColor("color", text)
	}
	for _, name := range []string{"scale", "transparent", "background", "color", "layer"} {
		q.Del(name)
	}
	return o, err
}

// pictureColor reads a colour of a picture; empty: nil.
func pictureColor(name, text string) (*color.NRGBA, error) {
	if text == "" {
		return nil, nil
	}
	if strings.EqualFold(text, "none") {
		text = "transparent"
	}
	c, err := legend.ParseColor(text)
	if err != nil {
		return nil, blame(err, name)
	}
	out := color.NRGBA(c)
	return &out, nil
}

// writePictureOf answers the picture of a legend, with a band that it is drawn
// with or without one.
func (s *Server) writePictureOf(w http.ResponseWriter, r *http.Request, lg *rasterbase.Legend, band *rasterbase.Band, form string, isPrivate bool) error {
	o, err := pictureOptions(r.URL.Query())
	if err != nil {
		return err
	}
	shown, err := pictures.Of(lg, band)
	if err != nil {
		return fmt.Errorf("show legend %d: %w", lg.ID, err)
	}
	return s.writePicture(w, r, shown, o, form, isPrivate)
}

// writePicture draws a legend. As with tiles, only some are drawn at once.
func (s *Server) writePicture(w http.ResponseWriter, r *http.Request, shown pictures.Legend, o pictures.Options, form string, isPrivate bool) error {
	select {
	case s.drawing <- struct{}{}:
	case <-r.Context().Done():
		return context.Cause(r.Context())
	}
	body, err := func() ([]byte, error) {
		defer func() { <-s.drawing }()
		if form == ".svg" {
			return pictures.SVG(shown, o)
		}
		return pictures.PNG(shown, o)
	}()
	if err != nil {
		return err
	}
	if form == ".svg" {
		w.Header().Set("Content-Security-Policy", pictureSecurity)
	}
	return answer{contentType: legendForms[form], body: body, private: isPrivate}.write(w, r)
}

// layerLegendPicture answers a picture of the colours that a layer is drawn in,
// as the tiles with the same parameters are.
func (s *Server) layerLegendPicture(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	ref, err := layerOfQuery(q)
	if err != nil {
		return err
	}
	o, err := pictureOptions(q)
	if err != nil {
		return err
	}
	ignore(q, tileRoute)
	d, err := s.drawingOf(q, tileRoute)
	if err != nil {
		return err
	}
	form := path.Ext(r.URL.Path)
	r, who, err := s.identified(r)
	if err != nil {
		return err
	}
	hidden, err := s.mayName(r.Context(), who, d)
	if err != nil {
		return err
	}
	l, err := s.resolve(r, asked{layer: ref, drawing: d})
	if err != nil {
		if k, also := s.readLayer(r, ref); also == nil && k.about == nil && k.legend != nil && len(d.params) == 0 {
			return s.writePictureOf(w, r, k.legend, nil, form, k.private)
		}
		return err
	}
	shown, err := l.shown()
	if err != nil {
		return err
	}
	return s.writePicture(w, r, shown, o, form, l.hidden || hidden)
}

// shown is what explains the colours of a layer's tiles.
func (l *resolved) shown() (pictures.Legend, error) {
	st := l.style
	if len(st.about) == 0 {
		return pictures.Legend{}, errors.New("a style is about no band")
	}
	band := st.about[0]
	switch {
	case st.algorithm.encodes():
		return pictures.Legend{Title: l.layer.Name, Notes: []string{"Heights, as colours that programs read"}}, nil
	case st.legend != nil:
		lg := *st.legend
		if lg.Title == "" || lg.ID == 0 {
			lg.Title = l.layer.Name
		}
		if len(band.Histogram.Values) > 0 && lg.Gradient == nil {
			if present := legend.Present(&lg, band.Histogram.Values); len(present.Entries) > 0 {
				lg = *present
			}
		}
		return pictures.Of(&lg, &band)
	case st.grey != nil:
		return greyShown(l.layer.Name, *st.grey, band), nil
	case len(st.drawn) == 3:
		out := pictures.Legend{Title: l.layer.Name}
		for i, c := range []rasterbase.Color{{R: 0xff, A: 0xff}, {G: 0xff, A: 0xff}, {B: 0xff, A: 0xff}} {
			name := []string{"Red", "Green", "Blue"}[i]
			if text := strings.TrimSpace(st.about[i].Description); text != "" && !strings.EqualFold(text, name) {
				name += ": " + text
			}
			out.Swatches = append(out.Swatches, pictures.Swatch{Color: c, Name: name, Other: []string{"Red", "Green", "Blue"}[i]})
		}
		return out, nil
	}
	return pictures.Legend{Title: l.layer.Name, Notes: []string{"In its own colours"}}, nil
}

// greyShown explains grey.
func greyShown(title string, own stretch, band rasterbase.Band) pictures.Legend {
	out := pictures.Legend{Title: title, Unit: band.Unit}
	low, high := pictures.Unscaled(band, own.low), pictures.Unscaled(band, own.high)
	switch {
	case band.Count == 0 && own.low == own.high:
		out.Notes = []string{"No valid pixels"}
	case own.low == own.high:
		out.Notes = []string{strings.TrimSpace("Every pixel is " + pictures.Number(low) + " " + band.Unit)}
		out.Unit = ""
	default:
		out.Bar = &pictures.Bar{
			Low: low, High: high, More: own.cut || own.low > band.Min || own.high < band.Max,
			Color: func(share float64) rasterbase.Color {
				v := uint8(255*share + 0.5)
				return rasterbase.Color{R: v, G: v, B: v, A: 0xff}
			},
		}
	}
	return out
}
