package server

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/coverage"
	"github.com/rasterbase/rasterbase/store"
)

// maxExporting is how many exports are made in requests at the same time.
const maxExporting = 4

// maxSending is how many files of such exports are on the disk at the same time.
const maxSending = 32

// exportWorkers is how many goroutines make an export in a request: others want
// their tiles meanwhile.
const exportWorkers = 2

// maxExportURL is the longest address that README.txt tells, in bytes.
const maxExportURL = 4000

// export answers with a file of layers or a formula, or makes it in the background
// for those who say that they prefer that.
func (s *Server) export(w http.ResponseWriter, r *http.Request) error {
	r, who, err := s.identified(r)
	if err != nil {
		return err
	}
	params, err := s.parametersIn(w, r)
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // not all can
	o, err := s.orderOf(r, who, params)
	if err != nil {
		return err
	}
	x, err := s.exports()
	if err != nil {
		return err
	}
	p, err := x.planNow(r.Context(), o)
	if err != nil {
		return err
	}
	p.caching(w.Header())
	if who.Name != "" && prefersAsync(r) {
		w.Header().Set("Preference-Applied", "respond-async")
		return s.exportLater(w, r, p, http.StatusAccepted)
	}
	if err := s.inRequest(p); err != nil {
		return err
	}
	w.Header().Set("ETag", p.etag)
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	if reading && matches(r.Header.Get("If-None-Match"), strings.TrimPrefix(p.etag, "W/")) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if r.Method == http.MethodHead {
		fileHeaders(w.Header(), p.media, p.name)
		return nil
	}
	return s.sendExport(w, r, x, p)
}

// caching says who may keep the answer.
func (p *exportPlan) caching(h http.Header) {
	private(h)
	if !p.private {
		h.Set("Cache-Control", "no-cache")
	}
}

// prefersAsync reports whether a request asks to be answered before the work.
func prefersAsync(r *http.Request) bool {
	for _, line := range r.Header.Values("Prefer") {
		for one := range strings.SplitSeq(line, ",") {
			one, _, _ = strings.Cut(one, ";")
			if strings.EqualFold(strings.TrimSpace(one), "respond-async") {
				return true
			}
		}
	}
	return false
}

// work is the pixels to make, of which those of long formulas count for several.
func (p *exportPlan) work() int64 {
	const usual = 32 // a cost that takes no longer than writing the pixels
	if f, ok := p.coverage.(*coverage.Formula); ok {
		return p.pixels * int64(max(1, f.Cost()/usual))
	}
	return p.pixels
}

// inRequest refuses what takes too long for one request.
func (s *Server) inRequest(p *exportPlan) error {
	if p.count != nil {
		return s.inRequestCount(p.count)
	}
	most := s.c.ExportRequestPixels
	if most == 0 {
		most = DefaultRequestPixels
	}
	if p.work() <= most {
		return nil
	}
	return rasterbase.Errorf(rasterbase.TooLarge, "an export of %d pixels is too large to be made while you wait: up to %d are", p.pixels, most).
		WithHint("make it in the background: POST /api/v1/exports with the same parameters, or send Prefer: respond-async; both need credentials. " +
			"Or choose a smaller bbox or a lower zoom")
}

// orderOf reads what is asked for and finds the layers, each of which the sender
// needs the right to read.
func (s *Server) orderOf(r *http.Request, who rasterbase.Principal, params url.Values) (exportOrder, error) {
	o := exportOrder{owner: who.Name}
	q, err := s.readExport(params)
	if err != nil {
		return o, err
	}
	// Layers are named by their ids from here on: a name can come to mean another.
	texts := make([]string, len(q.expression.inputs))
	for i, in := range q.expression.inputs {
		l, err := s.findAs(r.Context(), who, in.layer)
		if err != nil {
			return o, blame(err, "layers")
		}
		if q.single() {
			texts[i] = fmt.Sprintf("%s=%d", writtenName(params), l.ID)
			break
		}
		texts[i] = fmt.Sprintf("%s:%d=%d", in.name, in.band, l.ID)
	}
	q.params.Set("layers", strings.Join(texts, ","))
	if o.exportRequest, err = s.readExport(q.params); err != nil {
		return o, err
	}
	d, err := s.legendDrawing(o.colors)
	if err != nil {
		return o, err
	}
	if o.hidden, err = s.mayName(r.Context(), who, d); err != nil {
		return o, err
	}
	o.layers, err = s.mayExport(r, who, o.exportRequest)
	o.url = s.exportURL(r, o.exportRequest)
	return o, err
}

// writtenName is the name of the one layer, with its band where that is written.
func writtenName(params url.Values) string {
	name, _, _ := strings.Cut(params.Get("layers"), "=")
	return strings.TrimSpace(name)
}

// mayExport gives the layers that an export reads, all of which the sender may read.
func (s *Server) mayExport(r *http.Request, who rasterbase.Principal, q *exportRequest) ([]rasterbase.LayerID, error) {
	o, err := s.openExpression(r.Context(), who, q.expression, true)
	if err != nil {
		return nil, err
	}
	var ids []rasterbase.LayerID
	for _, l := range o.layers {
		ids = append(ids, l.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// exportURL is the address at which the same can be asked for again; empty when it
// would be too long for one.
func (s *Server) exportURL(r *http.Request, q *exportRequest) string {
	u := s.root(r) + "/export?" + q.params.Encode()
	if len(u) > maxExportURL {
		return ""
	}
	return u
}

// sendExport makes an export and sends it.
func (s *Server) sendExport(w http.ResponseWriter, r *http.Request, x *Exporter, p *exportPlan) error {
	// A file stays on the disk until the client has taken it, however slowly.
	end, err := s.sending.begin("files of exports")
	if err != nil {
		return err
	}
	defer end()
	f, err := s.makeNow(w, r, x, p)
	if err != nil {
		return err
	}
	defer func() {
		if err := f.close(); err != nil {
			s.c.Log.WarnContext(r.Context(), "a temporary folder of an export stays", "error", err)
		}
	}()
	fileHeaders(w.Header(), p.media, p.name)
	w.Header().Set("Content-Length", strconv.FormatInt(f.size, 10))
	s.sendFile(w, r, f.read())
	return nil
}

// makeNow makes the file of an export, once more if the layers were parsed anew or
// coloured otherwise meanwhile. It stops when the client leaves.
func (s *Server) makeNow(w http.ResponseWriter, r *http.Request, x *Exporter, p *exportPlan) (*exportFile, error) {
	release, err := s.admitWork(r)
	if err != nil {
		return nil, err
	}
	defer release()
	end, err := s.exporting.begin("exports")
	if err != nil {
		return nil, err
	}
	defer end()
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // it may take longer than other answers
	f, err := x.make(r.Context(), p, exportWorkers, nil)
	if !errors.Is(err, store.ErrRevisionGone) && !errors.Is(err, errExportChanged) {
		return f, err
	}
	again, err := x.planNow(r.Context(), p.exportOrder)
	if err != nil {
		return nil, err
	}
	*p = *again
	p.caching(w.Header())
	w.Header().Set("ETag", p.etag)
	return x.make(r.Context(), p, exportWorkers, nil)
}

// fileHeaders say that an answer is a file to be kept.
func fileHeaders(h http.Header, media, name string) {
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}

// sendEvery is how much is sent before the time is set anew that a client has for
// the next part.
const (
	sendEvery = 1 << 20
	sendTime  = 2 * time.Minute
)

// sendFile sends a file as long as the client takes it. A file that breaks off is
// shorter than its Content-Length says.
func (s *Server) sendFile(w http.ResponseWriter, r *http.Request, f io.Reader) {
	control := http.NewResponseController(w)
	for {
		_ = control.SetWriteDeadline(time.Now().Add(sendTime)) // not all can
		_, err := io.CopyN(w, f, sendEvery)
		switch {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			if r.Context().Err() == nil {
				s.c.Log.WarnContext(r.Context(), "a file was not sent to its end", "path", r.URL.Path, "error", err)
			}
			panic(http.ErrAbortHandler) // half a file must not look like a whole one
		}
	}
}
