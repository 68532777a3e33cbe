package server

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

const (
	// backgroundPixels is how many times as many pixels are read for counts in the
	// background as for those in a request.
	backgroundPixels = 100
	// countSteps is how finely the progress of a zone is told.
	countSteps = 1000
	// zonesFile is the file of zones of a count that waits or runs, beside which the
	// file of counts is put: no file of counts has its extension.
	zonesFile = "zones.geojson"
)

// countLater notes counts to be made, and tells where they are.
func (s *Server) countLater(w http.ResponseWriter, r *http.Request, who rasterbase.Principal, a *askedCount) error {
	form := strings.ToLower(cmp.Or(a.params.Get("format"), a.params.Get("f"), "json"))
	if form == "geojson" {
		form = "json"
	}
	a.params.Del("f")
	a.params.Set("format", form)
	o, err := s.orderOf(r, who, a.params)
	if err != nil {
		return blameLayer(err, r)
	}
	x, err := s.exports()
	if err != nil {
		return err
	}
	p, err := x.planNow(r.Context(), o)
	if err != nil {
		return blameLayer(err, r)
	}
	w.Header().Set("Preference-Applied", "respond-async")
	return s.exportLater(w, r, p, http.StatusAccepted)
}

// readCounts reads the parameters of an export that holds counts.
func (x *exportRequest) readCounts(s *Server, q url.Values) (err error) {
	if x.count, err = s.readCount(q); err != nil {
		return err
	}
	x.params, x.colors, x.expression = x.count.params, x.count.colors, x.count.expression
	return x.readTexts()
}

// planCounts plans a file of counts.
func (x *Exporter) planCounts(ctx context.Context, p *exportPlan) (err error) {
	r := p.requestFor(ctx)
	if p.counts, err = x.s.planCount(r, rasterbase.Principal{Name: p.owner}, p.count, true); err != nil {
		return err
	}
	p.planned = countSteps
	if z := p.count.zones; z != nil {
		p.planned *= int64(len(z.all))
	}
	p.private = p.private || p.counts.private
	p.etag = p.counts.etag
	return nil
}

// makeCounts counts, and writes what is counted into a file of a folder as it comes.
func (x *Exporter) makeCounts(ctx context.Context, p *exportPlan, dir string, o countLimits) (*exportFile, error) {
	const name = "counts"
	f, err := os.Create(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("make a file of counts: %w", err)
	}
	to := bufio.NewWriterSize(f, 1<<16)
	err = p.counts.writeAll(ctx, to, o)
	if err == nil {
		err = to.Flush()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return openFile(dir, name)
}

// writeAll counts and writes.
func (p *countPlan) writeAll(ctx context.Context, to io.Writer, l countLimits) error {
	w, err := p.newCountWriter(to)
	if err != nil {
		return err
	}
	err = p.count(ctx, l, func(from int, some []zoneAnswer) error {
		for i := range some {
			if err := w.write(from+i, &some[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.end()
}

// countLimitsOf bounds counts that are made in a request or in the background.
func (x *Exporter) countLimitsOf(p *exportPlan, workers int, progress func(done int64)) countLimits {
	l := countLimits{pixels: x.s.c.CountMaxPixels, rows: maxCountRows, workers: workers}
	if progress != nil { // in the background
		l.pixels, l.rows = l.pixels*backgroundPixels, 0
		l.progress = func(share float64) { progress(int64(share * float64(p.planned))) }
	}
	return l
}

// kept are the parameters as the record of the export has them: with a note in place of
// zones.
func (p *exportPlan) kept() url.Values {
	if p.count == nil || p.count.zones == nil {
		return p.params
	}
	out := maps.Clone(p.params)
	out["zones"] = []string{fmt.Sprintf("%d zones", len(p.count.zones.all))}
	return out
}

// keepZones puts the zones of an export into a source, which becomes that of its file;
// empty where there are none.
func (s *Server) keepZones(ctx context.Context, p *exportPlan) (source string, err error) {
	if p.count == nil || p.count.zones == nil {
		return "", nil
	}
	sources := s.c.Store.Sources()
	if source, err = sources.Create(ctx); err != nil {
		return "", fmt.Errorf("keep the zones of an export: %w", err)
	}
	if _, err = sources.Put(ctx, source, zonesFile, strings.NewReader(p.params.Get("zones"))); err != nil {
		s.dropZones(ctx, source)
		return "", fmt.Errorf("keep the zones of an export: %w", err)
	}
	return source, nil
}

// dropZones deletes the zones of an export that was not noted, whatever has become of
// the context.
func (s *Server) dropZones(ctx context.Context, source string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), finalTime)
	defer cancel()
	if err := s.c.Store.Sources().Delete(ctx, source); err != nil {
		// The collector of garbage takes what nothing refers to.
		s.c.Log.WarnContext(ctx, "the zones of an export could not be deleted", "source", source, "error", err)
	}
}

// withZones gives the parameters of an export with the zones that were kept beside it.
func (x *Exporter) withZones(ctx context.Context, e *rasterbase.Export, params url.Values) error {
	if e.Source == "" || !params.Has("zones") {
		return nil
	}
	f, err := x.s.c.Store.Sources().Open(ctx, e.Source, zonesFile)
	if errors.Is(err, store.ErrNotExist) {
		return rasterbase.Errorf(rasterbase.NotFound, "the zones of the export are gone").WithHint("ask for it again")
	}
	if err != nil {
		return fmt.Errorf("open the zones of export %d: %w", e.ID, err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		return fmt.Errorf("read the zones of export %d: %w", e.ID, err)
	}
	params.Set("zones", string(text))
	return nil
}

// requestOf gives what an export was asked for.
func (x *Exporter) requestOf(ctx context.Context, e *rasterbase.Export) (*exportRequest, error) {
	var params url.Values
	if err := json.Unmarshal(e.Request, &params); err != nil {
		return nil, fmt.Errorf("read the request of export %d: %w", e.ID, err)
	}
	if err := x.withZones(ctx, e, params); err != nil {
		return nil, err
	}
	return x.s.readExport(params)
}
