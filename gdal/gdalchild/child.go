package gdalchild

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"unsafe"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/gdal"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/vector"
)

// marker is the environment variable that makes a process a child; its value
// is a [setup] in JSON.
const marker = "RASTERBASE_GDAL_CHILD"

// setup is what a child is told before it reads requests.
type setup struct {
	Source        string // the file
	TempDir       string // of the child alone
	MemoryLimit   int64
	CacheBytes    int64
	FileSizeLimit int64
	Limits        gdal.Limits
	Confined      bool // the file system is confined already; begin to serve
}

// The ends of the pipes in the child.
const (
	requestFD = 3
	answerFD  = 4
)

// Main serves requests and exits if this process is a child, and returns at
// once otherwise. Call it first in main, before anything is started.
func Main() {
	text, ok := os.LookupEnv(marker)
	if !ok {
		return
	}
	if err := childMain(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func childMain(text string) error {
	var s setup
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return fmt.Errorf("read %s: %w", marker, err)
	}
	if !s.Confined {
		s.Confined = true
		if err := confine(s); err != nil {
			return err
		}
	}
	if err := limitMemory(s); err != nil {
		return err
	}
	// Not before the program was executed for the last time: that is denied too.
	if err := filterCalls(); err != nil {
		return err
	}
	debug.SetMemoryLimit(s.MemoryLimit / 4)
	requests, answers := os.NewFile(requestFD, "requests"), os.NewFile(answerFD, "answers")
	if requests == nil || answers == nil {
		return errors.New("the pipes to the parent process are missing")
	}
	v := &service{setup: s, out: bufio.NewWriterSize(answers, 1<<16), running: map[uint64]context.CancelFunc{}}
	if err := v.send(0, answer{}); err != nil {
		return err
	}
	return v.serve(bufio.NewReaderSize(requests, 1<<16))
}

// service answers the requests of one parent about one file.
type service struct {
	setup   setup
	mu      sync.Mutex // of what follows
	data    ingest.Dataset
	zones   vector.Source
	out     *bufio.Writer
	running map[uint64]context.CancelFunc
}

// serve reads requests until the parent closes the pipe or dies.
func (v *service) serve(in io.Reader) error {
	for {
		h, err := readHeader(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		var q request
		if err := readControl(in, h, &q); err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		if h.raw > maxPlaces*uint64(unsafe.Sizeof(ingest.Place{})) {
			return fmt.Errorf("a request has %d bytes", h.raw)
		}
		places := make([]ingest.Place, h.raw/uint64(unsafe.Sizeof(ingest.Place{})))
		if _, err := io.ReadFull(in, placeBytes(places)); err != nil {
			return fmt.Errorf("read a request: %w", err)
		}
		v.start(h.id, q, places)
	}
}

func (v *service) start(id uint64, q request, places []ingest.Place) {
	if q.Op == opCancel {
		v.mu.Lock()
		if cancel := v.running[id]; cancel != nil {
			cancel()
		}
		v.mu.Unlock()
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	v.mu.Lock()
	v.running[id] = cancel
	v.mu.Unlock()
	// Never in this goroutine, which must notice the end of the parent.
	go func() {
		v.answer(ctx, id, q, places)
		cancel()
		v.mu.Lock()
		delete(v.running, id)
		v.mu.Unlock()
	}()
}

func (v *service) answer(ctx context.Context, id uint64, q request, places []ingest.Place) {
	a, parts, err := v.do(ctx, q, places)
	if err != nil {
		a, parts = answer{Error: failureOf(err)}, nil
	}
	if err := v.send(id, a, parts...); err != nil {
		fmt.Fprintln(os.Stderr, "write an answer:", err)
		os.Exit(1)
	}
}

func (v *service) send(id uint64, a answer, parts ...[]byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err := writeMessage(v.out, id, a, parts...); err != nil {
		return err
	}
	return v.out.Flush()
}

func (v *service) do(ctx context.Context, q request, places []ingest.Place) (answer, [][]byte, error) {
	switch q.Op {
	case opOpen:
		return v.open(ctx, q)
	case opVector:
		return v.openVector(ctx, q)
	case opNext:
		return v.nextFeatures(ctx, q.Count)
	}
	v.mu.Lock()
	data := v.data
	v.mu.Unlock()
	if data == nil {
		return answer{}, nil, errors.New("no raster is open")
	}
	var err error
	switch q.Op {
	case opRead:
		return read(ctx, data, q.Window, q.Bands)
	case opTile:
		return tile(ctx, data, q.Tile)
	case opTo:
		err = data.ToMercator(ctx, places)
	case opFrom:
		err = data.FromMercator(ctx, places)
	default:
		err = fmt.Errorf("unknown request %q", q.Op)
	}
	return answer{}, [][]byte{placeBytes(places)}, err
}

func (v *service) open(ctx context.Context, q request) (answer, [][]byte, error) {
	if q.Options == nil {
		return answer{}, nil, errors.New("opening needs options")
	}
	// In its temporary folder alone the child may write.
	o := gdal.Opener{Limits: v.setup.Limits, CacheBytes: v.setup.CacheBytes, TempDir: v.setup.TempDir}
	d, err := o.Open(ctx, q.Path, *q.Options)
	if err != nil {
		return answer{}, nil, err
	}
	v.mu.Lock()
	v.data = d
	v.mu.Unlock()
	info := d.Info()
	return answer{Info: &info, Parallel: parallelOf(d)}, nil, nil
}

func parallelOf(d ingest.Dataset) int {
	if p, ok := d.(interface{ Parallel() int }); ok {
		return p.Parallel()
	}
	return 1
}

func tile(ctx context.Context, data ingest.Dataset, o *ingest.TileOptions) (answer, [][]byte, error) {
	t, ok := data.(ingest.Tiler)
	if !ok || o == nil {
		return answer{}, nil, errors.New("no tiled copy of this raster can be made")
	}
	part, err := t.Tile(ctx, *o)
	if err != nil {
		return answer{}, nil, err
	}
	return answer{Tiled: &part, Parallel: parallelOf(data)}, nil, nil
}

func read(ctx context.Context, data ingest.Dataset, w ingest.Window, bands []int) (answer, [][]byte, error) {
	b, err := data.Read(ctx, w, bands)
	if err != nil {
		return answer{}, nil, err
	}
	a := answer{Masks: noMask}
	var parts [][]byte
	for _, p := range b.Bands {
		parts = append(parts, p.Bytes())
	}
	if b.Masks != nil {
		a.Masks = oneMask
		for _, m := range b.Masks[1:] {
			if &m[0] != &b.Masks[0][0] {
				a.Masks = allMasks
			}
		}
		if a.Masks == oneMask {
			parts = append(parts, b.Masks[0])
		} else {
			parts = append(parts, b.Masks...)
		}
	}
	return a, parts, nil
}

// maxPlaces is how many places one request carries; longer lists are split.
const maxPlaces = 1 << 16

func placeBytes(p []ingest.Place) []byte {
	if len(p) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(p))), len(p)*int(unsafe.Sizeof(p[0])))
}

// isChild is the error of opening a file in a child: the program behind it has
// not called Main, and would start itself without an end.
func isChild() error {
	if _, ok := os.LookupEnv(marker); !ok {
		return nil
	}
	return rasterbase.Errorf(rasterbase.Internal, "this process was started as a GDAL child, but its main function does not call gdalchild.Main first")
}
