package server

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/crs"
	"github.com/rasterbase/rasterbase/store"
)

// askedPoints are what a body holds: places, and the form in which they came, which is
// that of the answer too.
type askedPoints struct {
	places []crs.Point // NaN: a row or a feature without a place
	srid   int         // that the body tells, or its form does; 0: neither
	said   bool        // the body tells the srid itself
	body   pointsBody
}

// pointsBody writes what came with values added to it.
type pointsBody interface {
	// writeJSON writes the document; it is GeoJSON if the body was one with features.
	writeJSON(out *outgoing, a *answeredPoints) error
	// writeCSV writes rows.
	writeCSV(out *outgoing, a *answeredPoints) error
	// media is the type of what writeJSON writes.
	media() string
}

// answeredPoints are the values at places.
type answeredPoints struct {
	*looked
	places []crs.Point
	pixels []coverage.Pixel
}

// points answers the values at many places.
func (s *Server) points(w http.ResponseWriter, r *http.Request) error {
	q, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	l, err := s.readLookup(q)
	if err != nil {
		return err
	}
	form, err := answerForm(r, q)
	if err != nil {
		return err
	}
	r, who, err := s.identified(r)
	if err != nil {
		return err
	}
	// Who may not, or asks for what there is not, need not send everything before.
	if _, err := s.openLookup(r.Context(), who, l, 3857, false); err != nil {
		return err
	}
	b, forget, err := s.receive(w, r, who, pointsBodyLimit(s.c.MaxPoints))
	defer forget()
	if err != nil {
		return err
	}
	release, err := s.admitWork(r)
	if err != nil {
		return err
	}
	defer release()
	p, err := readPoints(b, s.c.MaxPoints)
	if err == nil {
		err = p.agreesWith(l)
	}
	if err != nil {
		return err
	}
	a, err := s.valuesAt(r.Context(), who, l, p)
	if err != nil {
		return err
	}
	private(w.Header()) // nobody else asks the same
	if form == csvForm {
		return s.stream(w, r, csvMedia, func(out *outgoing) error { return p.body.writeCSV(out, a) })
	}
	return s.stream(w, r, p.body.media(), func(out *outgoing) error { return p.body.writeJSON(out, a) })
}

const (
	csvForm  = "csv"
	jsonForm = "json"
	csvMedia = "text/csv; charset=utf-8"
)

// answerForm tells whether JSON or CSV is wanted: f= says so, or else Accept does.
func answerForm(r *http.Request, q url.Values) (string, error) {
	switch f := strings.ToLower(q.Get("f")); f {
	case csvForm, jsonForm:
		return f, nil
	case "geojson":
		return jsonForm, nil
	case "":
	default:
		return "", blame(invalid("there are no answers of that format", f, "one of json and csv"), "f")
	}
	for one := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		media, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(one)), ";")
		switch media = strings.TrimSpace(media); {
		case media == "text/csv":
			return csvForm, nil
		case strings.HasSuffix(media, "json") || media == "*/*" || media == "application/*":
			return jsonForm, nil
		}
	}
	return jsonForm, nil
}

// agreesWith refuses a body that is in another CRS than the query says.
func (p *askedPoints) agreesWith(l *lookup) error {
	if p.said && l.srid != 0 && l.srid != p.srid {
		return rasterbase.Errorf(rasterbase.Invalid, "srid is %d, and the body says that it is in %d", l.srid, p.srid).
			WithHint("leave out one of them").WithField("srid")
	}
	return nil
}

// readPoints reads GeoJSON or CSV with at most so many places. What it gives refers to
// the body, which must not change any more.
func readPoints(b []byte, most int) (*askedPoints, error) {
	text := bytes.TrimPrefix(b, []byte("\ufeff")) // spreadsheets begin files so
	switch begin := bytes.TrimLeft(text, " \t\r\n"); {
	case len(begin) == 0:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the body is empty").WithHint("%s", pointsForms)
	case begin[0] == '{' || begin[0] == '[':
		return readPointsJSON(begin, most)
	}
	return readPointsCSV(text, most)
}

// pointsForms is the way out of a body that is neither.
const pointsForms = "send GeoJSON with points, or CSV with columns x and y, or lon and lat"

func tooManyPoints(most int) error {
	return rasterbase.Errorf(rasterbase.TooLarge, "the body has more than %d points", most).
		WithHint("send it in parts; max_points says how many there may be")
}

// valuesAt looks the values at places up, again when the layer was parsed anew
// meanwhile.
func (s *Server) valuesAt(ctx context.Context, who rasterbase.Principal, l *lookup, p *askedPoints) (*answeredPoints, error) {
	srid := 3857
	if p.srid != 0 {
		srid = p.srid
	}
	for attempt := 0; ; attempt++ {
		o, err := s.openLookup(ctx, who, l, srid, attempt > 0)
		if err != nil {
			return nil, err
		}
		pixels, err := coverage.ValuesAt(ctx, o.cov, coverage.PointsRequest{
			Points: p.places, CRS: o.crs, Level: o.level, Bands: []int{o.band}, Transformer: s.c.Transformer,
		})
		if errors.Is(err, store.ErrRevisionGone) && attempt == 0 {
			continue
		}
		if err != nil {
			return nil, err
		}
		return &answeredPoints{looked: o, places: p.places, pixels: pixels}, nil
	}
}

// stream sends a document while it is written, compressed where the client takes that.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, media string, write func(out *outgoing) error) error {
	h := w.Header()
	h.Set("Content-Type", media)
	h.Add("Vary", "Accept, Accept-Encoding")
	if r.Method == http.MethodHead {
		return nil
	}
	var to io.Writer = &taking{ResponseWriter: w, control: http.NewResponseController(w), from: time.Now()}
	var z *gzip.Writer
	if takesGzip(r) {
		h.Set("Content-Encoding", "gzip")
		z = gzip.NewWriter(to)
		to = z
	}
	out := bufio.NewWriterSize(to, 32<<10)
	err := write(&outgoing{out})
	if err == nil {
		err = out.Flush()
	}
	if err == nil && z != nil {
		err = z.Close()
	}
	if err != nil && r.Context().Err() == nil {
		s.c.Log.ErrorContext(r.Context(), "an answer was not sent whole", "path", r.URL.Path, "error", err)
		panic(http.ErrAbortHandler) // the client must not take it for the whole
	}
	return nil
}

// outgoing is a document that is being written. What cannot be written is told at its
// end.
type outgoing struct{ to *bufio.Writer }

func (o *outgoing) text(s string)               { _, _ = o.to.WriteString(s) }
func (o *outgoing) bytes(b []byte)              { _, _ = o.to.Write(b) }
func (o *outgoing) Write(b []byte) (int, error) { return o.to.Write(b) }

// nowhere is the place of what has none.
var nowhere = crs.Point{X: math.NaN(), Y: math.NaN()}

// writeValue writes a number as JSON, or null.
func writeValue(out *outgoing, v *float64) {
	if v == nil {
		out.text("null")
		return
	}
	out.text(formatNumber(*v))
}

// writePoints writes {"points": [...]}: what is answered for places that came without
// features.
func writePoints(out *outgoing, a *answeredPoints) error {
	layers, err := marshal(a.readLayersOf())
	if err != nil {
		return err
	}
	zoom := ""
	if a.lookup.zoom != nil {
		zoom = fmt.Sprintf(`"zoom":%d,`, *a.lookup.zoom)
	}
	out.text(fmt.Sprintf(`{"srid":%d,%s"layers":%s,"version":%q,"points":[`, a.crs.SRID, zoom, layers, a.version))
	for i, p := range a.places {
		if i > 0 {
			out.text(",")
		}
		out.text("\n" + `{"x":`)
		writeCoordinate(out, p.X)
		out.text(`,"y":`)
		writeCoordinate(out, p.Y)
		out.text(`,"value":`)
		writeValue(out, a.valueOf(a.pixels[i]))
		out.text("}")
	}
	out.text("]}\n")
	return nil
}

func writeCoordinate(out *outgoing, v float64) {
	if math.IsNaN(v) {
		out.text("null")
		return
	}
	out.text(formatNumber(v))
}
