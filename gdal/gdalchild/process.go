package gdalchild

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/tempdir"
)

// receiver makes memory for the raw part of an answer without error, or
// refuses the answer.
type receiver func(a answer, raw uint64) ([][]byte, error)

// pending is a request that has no answer yet.
type pending struct {
	request request
	receive receiver
	timer   *time.Timer
	done    chan struct{} // closed when err is set
	err     error
}

// process is a child with its pipes.
type process struct {
	o       Opener
	path    string
	temp    *tempdir.Dir
	cmd     *exec.Cmd
	answers *os.File
	stderr  *output
	started time.Time
	exited  chan struct{} // closed when the process has ended and dead is set

	writing  sync.Mutex // of requests
	requests *os.File

	mu     sync.Mutex
	next   uint64
	wait   map[uint64]*pending
	reason *rasterbase.Error // why we killed it
	closed bool
	dead   error // of every request after the end
	peak   int64 // bytes that it had in memory at most; known after close
}

// start starts a child that may see the file and nothing else.
func (o Opener) start(path string) (*process, error) {
	binary := o.Binary
	if binary == "" {
		var err error
		if binary, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
	}
	temp, err := tempdir.Make(o.TempDir, "rasterbase-gdal-")
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder: %w", err)
	}
	p := &process{
		o: o, path: path, temp: temp, stderr: &output{}, started: time.Now(),
		exited: make(chan struct{}), wait: map[uint64]*pending{},
	}
	if err := p.run(binary); err != nil {
		_ = temp.Remove() // there is an error already, and a rest is collected
		return nil, fmt.Errorf("start a GDAL child: %w", err)
	}
	o.Logger.Debug("GDAL child started", "pid", p.cmd.Process.Pid, "file", path)
	return p, nil
}

func (p *process) run(binary string) error {
	text, err := json.Marshal(setup{
		Source: p.path, TempDir: p.temp.Path, MemoryLimit: p.o.MemoryLimit, CacheBytes: p.o.CacheBytes,
		FileSizeLimit: p.o.FileSizeLimit, Limits: p.o.Limits,
	})
	if err != nil {
		return err
	}
	requestsRead, requestsWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	answersRead, answersWrite, err := os.Pipe()
	if err != nil {
		requestsRead.Close()
		requestsWrite.Close()
		return err
	}
	p.requests, p.answers = requestsWrite, answersRead
	p.cmd = exec.Command(binary, p.o.Args...)
	p.cmd.Dir = p.temp.Path
	p.cmd.Env = []string{marker + "=" + string(text), "TMPDIR=" + p.temp.Path, "CPL_TMPDIR=" + p.temp.Path, "HOME=" + p.temp.Path, "LC_ALL=C", "MALLOC_ARENA_MAX=2"}
	for _, name := range slices.Concat(dataVariables, []string{raceVariable}) {
		if v, ok := os.LookupEnv(name); ok {
			p.cmd.Env = append(p.cmd.Env, name+"="+v)
		}
	}
	p.cmd.Stderr = p.stderr
	p.cmd.ExtraFiles = []*os.File{requestsRead, answersWrite}
	// What the child started would keep its standard error open.
	p.cmd.WaitDelay = grace
	ownGroup(p.cmd)
	err = p.cmd.Start()
	requestsRead.Close()
	answersWrite.Close()
	if err != nil {
		requestsWrite.Close()
		answersRead.Close()
		return err
	}
	// The first message, with id 0, says that the child is one.
	p.wait[0] = p.newPending(request{Op: opHello}, func(_ answer, raw uint64) ([][]byte, error) {
		if raw != 0 {
			return nil, errors.New("the first message has pixels")
		}
		return nil, nil
	})
	go p.listen()
	return nil
}

func (p *process) newPending(q request, r receiver) *pending {
	w := &pending{request: q, receive: r, done: make(chan struct{})}
	w.timer = time.AfterFunc(p.o.Timeout, func() {
		p.kill(rasterbase.Errorf(rasterbase.TooLarge, "%s took more than %v and was stopped", q, p.o.Timeout))
	})
	return w
}

// call sends a request and waits for its answer. When the context is done it
// returns at once, with a channel that is closed when the answer has come.
func (p *process) call(ctx context.Context, q request, places []ingest.Place, r receiver) (<-chan struct{}, error) {
	p.mu.Lock()
	if p.dead != nil || p.closed {
		err := p.dead
		p.mu.Unlock()
		if err == nil {
			err = errClosed
		}
		return nil, err
	}
	p.next++
	id := p.next
	w := p.newPending(q, r)
	p.wait[id] = w
	p.mu.Unlock()
	if err := p.send(id, q, placeBytes(places)); err != nil {
		// The pipe breaks when the child dies; listen finds out of what.
		<-p.exited
	}
	select {
	case <-w.done:
		return nil, w.err
	case <-ctx.Done():
	}
	go p.send(id, request{Op: opCancel}, nil)
	return w.done, ctx.Err()
}

var errClosed = errors.New("the raster is closed")

func (p *process) send(id uint64, q request, raw []byte) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	return writeMessage(p.requests, id, q, raw)
}

// listen reads answers until the child ends, and then says why to all that
// wait.
func (p *process) listen() {
	in := bufio.NewReaderSize(p.answers, 1<<16)
	for {
		err := p.receive(in)
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
			p.kill(rasterbase.Errorf(rasterbase.Internal, "the GDAL child broke the protocol: %v", err))
		}
		break
	}
	// Nobody reads the answers now; a child that still writes gets an error.
	p.answers.Close()
	timer := time.AfterFunc(grace, func() { p.cmd.Process.Kill() })
	p.cmd.Wait()
	timer.Stop()
	p.end()
}

// receive reads one answer and gives it to whom it is for.
func (p *process) receive(in io.Reader) error {
	h, err := readHeader(in)
	if err != nil {
		return err
	}
	p.mu.Lock()
	w := p.wait[h.id]
	p.mu.Unlock()
	if w == nil {
		return fmt.Errorf("an answer to nothing, number %d", h.id)
	}
	var a answer
	if err := readControl(in, h, &a); err != nil {
		return unexpected(err)
	}
	var parts [][]byte
	switch {
	case a.Error != nil && h.raw != 0:
		return errors.New("an error has pixels")
	case a.Error != nil:
		err = p.explain(a.Error.err(p.path))
	default:
		var refused error
		if parts, refused = w.receive(a, h.raw); refused != nil {
			return refused
		}
	}
	for _, part := range parts {
		if _, err := io.ReadFull(in, part); err != nil {
			return unexpected(err)
		}
	}
	p.mu.Lock()
	delete(p.wait, h.id)
	p.mu.Unlock()
	w.finish(err)
	return nil
}

// explain says of which limit GDAL speaks when it was refused memory.
func (p *process) explain(err error) error {
	if rasterbase.CodeOf(err) == rasterbase.Unsupported || !noMemory.MatchString(err.Error()) {
		return err
	}
	return rasterbase.Errorf(rasterbase.TooLarge, "%w", err).
		WithHint("the GDAL child may have %d MiB in memory", p.o.MemoryLimit>>20)
}

// unexpected keeps the end of the pipe within a message apart from a broken
// protocol: the child has died.
func unexpected(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

func (w *pending) finish(err error) {
	w.timer.Stop()
	w.err = err
	close(w.done)
}

// kill ends the child. The first reason counts.
func (p *process) kill(reason *rasterbase.Error) {
	p.mu.Lock()
	if p.reason == nil && p.dead == nil && !p.closed {
		p.reason = reason
	}
	p.mu.Unlock()
	p.cmd.Process.Kill()
}

// end gives all that wait the reason of the child's end, and clears up.
func (p *process) end() {
	p.mu.Lock()
	p.dead = p.why()
	wait := p.wait
	p.wait = nil
	if p.closed {
		p.dead = errClosed
		p.o.Logger.Debug("GDAL child ended", "file", p.path, "peak", p.peak, "took", time.Since(p.started))
	} else {
		p.o.Logger.Warn("GDAL child died", "file", p.path, "took", time.Since(p.started), "reason", p.dead, "stderr", p.stderr.String())
	}
	dead := p.dead
	p.mu.Unlock()
	p.requests.Close()
	_ = p.temp.Remove() // a rest is collected
	close(p.exited)
	for _, w := range wait {
		w.finish(dead)
	}
}

// close ends the child and waits until it is gone.
func (p *process) close() {
	p.mu.Lock()
	first := !p.closed && p.dead == nil
	if first {
		p.peak = peakMemory(p.cmd.Process.Pid)
	}
	p.closed = true
	p.mu.Unlock()
	if first {
		// At the end of its requests the child exits by itself.
		p.requests.Close()
	}
	select {
	case <-p.exited:
	case <-time.After(grace):
		p.cmd.Process.Kill()
		<-p.exited
	}
}

// doing lists what the child was asked for and has not answered.
func (p *process) doing() string {
	var all []string
	for id, w := range p.wait {
		if id > 0 && !slices.Contains(all, w.request.String()) {
			all = append(all, w.request.String())
		}
	}
	if len(all) == 0 {
		return "doing nothing"
	}
	slices.Sort(all)
	if n := len(all); n > 3 {
		all = append(all[:3], fmt.Sprintf("%d more", n-3))
	}
	return strings.Join(all, ", ")
}
