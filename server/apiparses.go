package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

func (s *Server) parseOperations(a *api) {
	register(a, operation{
		id: "reparse-layer", method: http.MethodPost, path: "/layers/{layer}/reparse", tag: tagParses, summary: "Parse a layer again",
		detail: "One that is queued or running already goes on instead.", access: member, parses: true, works: true,
		answers: map[int]response{202: queuedAnswer, 200: parsedAnswer}, errors: []int{409},
	}, s.apiReparse)
	register(a, operation{
		id: "reparse-layers", method: http.MethodPost, path: "/layers/reparse", tag: tagParses, summary: "Parse many layers again",
		detail: "Those that are named, or those that the sender may change whose tiles were made with other settings, or from another file, than are in force now. One that cannot be parsed is told of in the answer and does not keep the others from it.",
		access: editor, parses: true, works: true,
		answers: map[int]response{202: {text: "What was queued", kind: reparsedJSON{}}, 200: {text: "The answer waited for the parses, which may have failed", kind: reparsedJSON{}}}, errors: []int{404, 409},
		example: reparseBody{Layers: []string{"land-cover", "12"}},
	}, s.apiReparseMany)
	register(a, operation{
		id: "cancel-parse", method: http.MethodPost, path: "/layers/{layer}/cancel", tag: tagParses, summary: "Cancel a layer's parse",
		detail: "Where there is none under way, nothing happens. A worker takes some seconds to stop.", access: member, parses: true,
		answers: map[int]response{200: {text: "The layer as it is", kind: metadataJSON{}, tagged: true}}, errors: []int{409},
	}, s.apiCancel)
	register(a, operation{
		id: "get-log", method: http.MethodGet, path: "/layers/{layer}/log", tag: tagParses, summary: "Read the log of the newest parse",
		detail: "One JSON document a line. It can name paths and addresses, so it is told to those who may change the layer.", access: member,
		answers: map[int]response{200: {text: "Lines", kind: logLineJSON{}, media: "application/x-ndjson"}}, errors: []int{400, 409},
	}, s.apiLog)
	register(a, operation{
		id: "get-events", method: http.MethodGet, path: "/layers/{layer}/events", tag: tagParses, summary: "Follow the newest parse",
		detail: "Server-sent events: `parse` with the state of the parse whenever it changes, `log` with a line of its log, and `end` when it has ended, after which the stream is closed. " +
			"Lines of the log, and why a parse failed, are told to those who may change the layer. " +
			"The id of an event says how far the log was sent, as parse-line; a client that sends it as Last-Event-ID goes on there.",
		answers: map[int]response{200: {text: "Events", media: "text/event-stream"}, 204: {text: "The client has all events of a parse that has ended, and need not come back"}},
		errors:  []int{400, 409, 429, 503},
	}, s.apiEvents)
}

// patient lets an answer take long.
func patient(w http.ResponseWriter) {
	c := http.NewResponseController(w)
	_ = c.SetWriteDeadline(time.Time{}) // not all can
	_ = c.SetReadDeadline(time.Time{})
}

// answerParsed answers with a layer whose parse was queued, with done when there
// is nothing to be parsed. With ParseInRequest it works on the parse before: to
// its end, whether the client waits or not, or until the server is closed.
func (s *Server) answerParsed(w http.ResponseWriter, r *http.Request, t rasterbase.Ticket, done int) error {
	status := http.StatusAccepted
	if t.Parse == 0 || s.c.ParseInRequest {
		status = done
	}
	// What was done is answered, also where the client does not listen any more.
	ctx := context.WithoutCancel(r.Context())
	if t.Parse != 0 && s.c.ParseInRequest {
		patient(w)
		if err := s.finish(ctx, t); err != nil {
			return err
		}
	}
	k, err := s.reread(ctx, t.Layer)
	if err != nil {
		return err
	}
	return s.writeLayer(w, r, k, status)
}

// finish works on a parse until it has ended or the server is closed.
func (s *Server) finish(ctx context.Context, t rasterbase.Ticket) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.running, cancel)()
	err := s.c.Parser.Finish(ctx, t)
	if err != nil && s.running.Err() != nil {
		return rasterbase.Errorf(rasterbase.Busy, "the server stops: the parse of layer %d is left to be taken up again", t.Layer)
	}
	return err
}

// reread reads what is known of a layer now.
func (s *Server) reread(ctx context.Context, id rasterbase.LayerID) (k known, err error) {
	err = s.view(ctx, func(tx store.Tx) error {
		l, err := tx.Layers().Get(ctx, id)
		if err != nil {
			return err
		}
		k, err = read(ctx, tx, l)
		return err
	})
	return k, err
}

func (s *Server) apiReparse(w http.ResponseWriter, r *http.Request, in *layerInput) error {
	l, err := s.editable(r, in.Layer)
	if err != nil {
		return err
	}
	t, err := s.c.Parser.Reparse(r.Context(), l.ID)
	if err != nil {
		return err
	}
	return s.answerParsed(w, r, t, http.StatusOK)
}

type reparseInput struct {
	Body reparseBody
}

// reparseBody says which layers are to be parsed again.
type reparseBody struct {
	Layers   []string `json:"layers,omitempty" maxItems:"1000" doc:"Ids, slugs or source file names"`
	Outdated bool     `json:"outdated,omitempty" doc:"All whose tiles were made with other settings, or from another file, than are in force now"`
}

// reparsedJSON says what became of each layer.
type reparsedJSON struct {
	Items []reparsedLayerJSON `json:"items"`
}

// reparsedLayerJSON is one layer that was to be parsed again.
type reparsedLayerJSON struct {
	Layer rasterbase.LayerID `json:"layer"`
	Parse *parseJSON         `json:"parse,omitempty"`
	Error string             `json:"error,omitempty"` // why it cannot be parsed
}

func (s *Server) apiReparseMany(w http.ResponseWriter, r *http.Request, in *reparseInput) error {
	layers, err := s.toReparse(r, in.Body)
	if err != nil {
		return err
	}
	out := reparsedJSON{Items: []reparsedLayerJSON{}}
	status := http.StatusAccepted
	if s.c.ParseInRequest {
		status = http.StatusOK
		patient(w)
	}
	ctx := context.WithoutCancel(r.Context()) // half of the list would help nobody
	for _, l := range layers {
		item, err := s.reparse(ctx, l.ID)
		if err != nil {
			return err
		}
		out.Items = append(out.Items, item)
	}
	body, err := marshal(out)
	if err != nil {
		return fmt.Errorf("write what is parsed as JSON: %w", err)
	}
	return answer{contentType: "application/json", body: append(body, '\n'), status: status, private: true}.write(w, r)
}

// reparse parses a layer again and says what became of it.
func (s *Server) reparse(ctx context.Context, id rasterbase.LayerID) (reparsedLayerJSON, error) {
	item := reparsedLayerJSON{Layer: id}
	t, err := s.c.Parser.Reparse(ctx, id)
	if err == nil && s.c.ParseInRequest {
		err = s.finish(ctx, t)
	}
	if e, ok := asError(err); ok && e.Code != rasterbase.Internal && e.Code != rasterbase.Busy {
		item.Error = e.Error()
		return item, nil
	}
	if err != nil {
		return item, err
	}
	err = s.view(ctx, func(tx store.Tx) error {
		p, err := tx.Parses().Get(ctx, t.Parse)
		if err != nil {
			return err
		}
		doc := parseDocument(p, true)
		item.Parse = &doc
		return nil
	})
	return item, err
}

// toReparse finds the layers that are meant. Nothing is done unless the sender
// may change all of those that are named.
func (s *Server) toReparse(r *http.Request, b reparseBody) (out []*rasterbase.Layer, err error) {
	switch {
	case b.Outdated == (len(b.Layers) > 0):
		return nil, rasterbase.Errorf(rasterbase.Invalid, "say which layers are to be parsed again").
			WithHint(`{"layers": [...]} or {"outdated": true}`).WithField("layers")
	case b.Outdated:
		return s.outdated(r)
	}
	seen := map[rasterbase.LayerID]bool{}
	for _, ref := range b.Layers {
		l, err := s.editable(r, ref)
		if err != nil {
			return nil, blame(err, "layers")
		}
		if !seen[l.ID] {
			seen[l.ID] = true
			out = append(out, l)
		}
	}
	return out, nil
}

// outdated are the layers that a parse would change and that the sender may.
func (s *Server) outdated(r *http.Request) (out []*rasterbase.Layer, err error) {
	ctx := r.Context()
	who, err := s.principal(r)
	if err != nil {
		return nil, err
	}
	var old []*rasterbase.Layer
	err = s.view(ctx, func(tx store.Tx) (err error) {
		old, err = store.Outdated(ctx, tx, s.c.TileSize)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, l := range old {
		edits, err := s.mayEdit(ctx, who, l)
		if err != nil {
			return nil, err
		}
		if edits {
			out = append(out, l)
		}
	}
	return out, nil
}

func (s *Server) apiCancel(w http.ResponseWriter, r *http.Request, in *layerInput) error {
	l, err := s.editable(r, in.Layer)
	if err != nil {
		return err
	}
	if err := s.c.Parser.Cancel(r.Context(), l.ID); err != nil {
		return err
	}
	k, err := s.reread(r.Context(), l.ID)
	if err != nil {
		return err
	}
	return s.writeLayer(w, r, k, http.StatusOK)
}

// logLineJSON is a line of the log of a parse.
type logLineJSON struct {
	Seq  int64     `json:"seq"`
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}

func lineDocument(l rasterbase.LogLine) logLineJSON {
	return logLineJSON{Seq: l.Seq, Time: l.Time.UTC(), Text: l.Text}
}

type logInput struct {
	Layer string `path:"layer" doc:"Id, slug, or source file name of a layer"`
	After int64  `query:"after" minimum:"0" default:"0" doc:"Lines after this seq; 0: all"`
}

func (s *Server) apiLog(w http.ResponseWriter, r *http.Request, in *logInput) error {
	l, err := s.editable(r, in.Layer)
	if err == nil {
		err = neverParsed(l)
	}
	if err != nil {
		return err
	}
	var lines []rasterbase.LogLine
	err = s.view(r.Context(), func(tx store.Tx) error {
		lines = nil
		p, err := tx.Parses().Latest(r.Context(), l.ID)
		if errors.Is(err, store.ErrNotExist) {
			return nil
		}
		if err == nil {
			lines, err = tx.Parses().Lines(r.Context(), p.ID, in.After)
		}
		return err
	})
	if err != nil {
		return err
	}
	var body bytes.Buffer
	for _, line := range lines {
		if err := json.NewEncoder(&body).Encode(lineDocument(line)); err != nil {
			return fmt.Errorf("write line %s of a log: %w", strconv.FormatInt(line.Seq, 10), err)
		}
	}
	return answer{contentType: "application/x-ndjson", body: body.Bytes(), private: true}.write(w, r)
}
