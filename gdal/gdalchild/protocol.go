package gdalchild

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/vector"
)

// A message is a header, a control part in JSON and a raw part, whose lengths
// stand in the header. Numbers are little-endian, raw pixels and coordinates in
// the machine's byte order, since both ends are the same machine.
//
//	magic "RBG1"  uint32 length of control  uint64 length of raw  uint64 id
const (
	magic      = 0x31474252
	headerSize = 24
	// maxControl bounds a control part. The largest is the description of a
	// file with hundreds of bands that have colour tables.
	maxControl = 64 << 20
)

type header struct {
	control uint32
	raw     uint64
	id      uint64
}

func writeHeader(w io.Writer, h header) error {
	var b [headerSize]byte
	binary.LittleEndian.PutUint32(b[0:], magic)
	binary.LittleEndian.PutUint32(b[4:], h.control)
	binary.LittleEndian.PutUint64(b[8:], h.raw)
	binary.LittleEndian.PutUint64(b[16:], h.id)
	_, err := w.Write(b[:])
	return err
}

func readHeader(r io.Reader) (header, error) {
	var b [headerSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return header{}, err
	}
	if binary.LittleEndian.Uint32(b[0:]) != magic {
		return header{}, errors.New("a message does not begin as it must")
	}
	h := header{binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint64(b[8:]), binary.LittleEndian.Uint64(b[16:])}
	if h.control > maxControl {
		return header{}, fmt.Errorf("a message has a control part of %d bytes", h.control)
	}
	return h, nil
}

// writeMessage writes a message whose raw part is the parts in order.
func writeMessage(w io.Writer, id uint64, control any, parts ...[]byte) error {
	c, err := json.Marshal(control)
	if err != nil {
		return fmt.Errorf("write a control part: %w", err)
	}
	h := header{control: uint32(len(c)), id: id}
	if len(c) > maxControl {
		return fmt.Errorf("a control part of %d bytes is too long", len(c))
	}
	for _, p := range parts {
		h.raw += uint64(len(p))
	}
	if err := writeHeader(w, h); err != nil {
		return err
	}
	if _, err := w.Write(c); err != nil {
		return err
	}
	for _, p := range parts {
		if _, err := w.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// readControl reads the control part, growing as bytes arrive so that a false
// length costs nothing.
func readControl(r io.Reader, h header, into any) error {
	c, err := io.ReadAll(io.LimitReader(r, int64(h.control)))
	if err != nil {
		return err
	}
	if len(c) < int(h.control) {
		return io.ErrUnexpectedEOF
	}
	if err := json.Unmarshal(c, into); err != nil {
		return fmt.Errorf("read a control part: %w", err)
	}
	return nil
}

// The requests.
const (
	opHello  = "hello" // is never sent; its answer is the first message
	opOpen   = "open"
	opRead   = "read"
	opTo     = "to mercator"
	opFrom   = "from mercator"
	opTile   = "tile"
	opVector = "open features"
	opNext   = "next features"
	opCancel = "cancel" // of the request with the same id; has no answer
)

// request is the control part of a request. Its raw part, for the two
// transformations, is pairs of float64.
type request struct {
	Op      string              `json:"op"`
	Path    string              `json:"path,omitempty"`
	Options *ingest.OpenOptions `json:"options,omitempty"`
	Window  ingest.Window       `json:"window"`
	Bands   []int               `json:"bands,omitempty"` // indices into Info.Bands; none: all
	Tile    *ingest.TileOptions `json:"tile,omitempty"`
	Vector  *vector.Options     `json:"vector,omitempty"`
	Count   int                 `json:"count,omitempty"` // features that are asked for, at most
}

// String says what is being done, for messages.
func (r request) String() string {
	switch r.Op {
	case opHello:
		return "starting the GDAL child"
	case opOpen, opVector:
		return "opening the file"
	case opNext:
		return "reading features"
	case opTile:
		return "making a tiled copy"
	case opRead:
		return fmt.Sprintf("reading %d x %d pixels at column %d, row %d", r.Window.Width, r.Window.Height, r.Window.X, r.Window.Y)
	}
	return "transforming coordinates"
}

// How many masks follow the bands in the raw part of an answer.
const (
	noMask   = "none"
	oneMask  = "one" // the same for all bands
	allMasks = "all" // one for each band
)

// answer is the control part of an answer. The raw part is that of the request
// again for transformations, bands and then masks for windows, and features as
// appendFeature writes them.
type answer struct {
	Error *failure     `json:"error,omitempty"`
	Info  *ingest.Info `json:"info,omitempty"`
	Masks string       `json:"masks,omitempty"`
	// Parallel, in the answers to opening and to tiling, is how many requests the
	// child answers at a time.
	Parallel int               `json:"parallel,omitempty"`
	Tiled    *ingest.TiledPart `json:"tiled,omitempty"`
	Vector   *vector.Info      `json:"vector,omitempty"`
}

// failure carries an error over the pipe.
type failure struct {
	Code      rasterbase.Code     `json:"code"`
	Message   string              `json:"message"`
	Hint      string              `json:"hint,omitempty"`
	Field     string              `json:"field,omitempty"`
	Cancelled bool                `json:"cancelled,omitempty"`
	Rasters   []ingest.Subdataset `json:"rasters,omitempty"`
	Layers    []vector.Layer      `json:"layers,omitempty"`
}

func failureOf(err error) *failure {
	if several, ok := errors.AsType[*ingest.SeveralRasters](err); ok {
		return &failure{Code: rasterbase.Invalid, Rasters: several.Rasters}
	}
	if several, ok := errors.AsType[*vector.SeveralLayers](err); ok {
		return &failure{Code: rasterbase.Invalid, Layers: several.Layers}
	}
	f := &failure{Code: rasterbase.CodeOf(err), Message: err.Error()}
	f.Cancelled = errors.Is(err, context.Canceled)
	if e, ok := errors.AsType[*rasterbase.Error](err); ok {
		f.Hint, f.Field = e.Hint, e.Field
		if any(err) == any(e) {
			bare := *e
			bare.Hint = ""
			f.Message = bare.Error()
		} else {
			f.Hint = "" // part of the message already
		}
	}
	return f
}

func (f *failure) err(path string) error {
	switch {
	case len(f.Rasters) > 0:
		return &ingest.SeveralRasters{Path: path, Rasters: f.Rasters}
	case len(f.Layers) > 0:
		return &vector.SeveralLayers{Path: path, Layers: f.Layers}
	case f.Cancelled:
		return context.Canceled
	}
	return &rasterbase.Error{Code: f.Code, Message: f.Message, Hint: f.Hint, Field: f.Field}
}
