package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/rasterbase/rasterbase"
)

// Part is an open answer with the bytes of a file from an offset to its end.
type Part struct {
	Body io.ReadCloser
	Size int64 // of the whole file; -1: not known
	// Tag names this state of the file, so that the rest of it can be asked for
	// later; empty: it cannot.
	Tag string
}

// Opener asks for the bytes of a file from an offset on. With an offset above 0
// the answer must be of the state that tag names. The context ends with the
// part. An error with code busy may be gone the next time.
type Opener func(ctx context.Context, from int64, tag string) (*Part, error)

// Download reads a file of which the parts come over a network that may break.
// Its errors can be shown; they begin with its label.
type Download struct {
	c      *Client
	label  string
	open   Opener
	ctx    context.Context // ends with the time that the download may take
	cancel context.CancelFunc

	part       *Part
	partCtx    context.Context
	cancelPart context.CancelCauseFunc
	idle       *time.Timer // cancels the part

	size    int64 // -1: not known
	got     int64
	tries   int   // to resume, since resumed
	resumed int64 // offset where the last try began
	err     error // of the next Read
}

// enough is how many bytes a resumed download must bring for the next break to
// count as the first one.
const enough = 1 << 20

// Stream opens a file and keeps its download going within the client's limits.
// The label names the file in errors. The caller closes the download.
func (c *Client) Stream(ctx context.Context, label string, open Opener) (*Download, error) {
	d := &Download{c: c, label: label, open: open}
	d.ctx, d.cancel = context.WithTimeoutCause(ctx, c.limits.Time, errTime)
	if err := d.openPart(""); err != nil {
		d.cancel()
		return nil, err
	}
	d.size = d.part.Size
	if d.size > c.limits.Bytes {
		_ = d.Close()
		return nil, tooManyBytes(label, c.limits.Bytes)
	}
	return d, nil
}

// Size is the file's size as it was announced; -1 without an announcement.
func (d *Download) Size() int64 { return d.size }

// Close ends the download. It never fails.
func (d *Download) Close() error {
	if d.err == nil {
		d.err = fs.ErrClosed
	}
	d.closePart()
	d.cancel()
	return nil
}

// Read gives the next bytes. It fails when the file is larger or takes longer
// than allowed, ends before its announced size, or has changed.
func (d *Download) Read(b []byte) (int, error) {
	for d.err == nil {
		d.idle.Reset(d.c.limits.Idle)
		n, err := d.part.Body.Read(b)
		d.idle.Stop()
		d.got += int64(n)
		switch {
		case d.got > d.c.limits.Bytes:
			d.err = tooManyBytes(d.label, d.c.limits.Bytes)
		case d.size >= 0 && d.got > d.size:
			d.err = rasterbase.Errorf(rasterbase.Invalid, "%s has more than the %d bytes that were announced", d.label, d.size).WithField("source")
		case errors.Is(err, io.EOF) && (d.size < 0 || d.got == d.size):
			d.err = io.EOF
		case err != nil:
			d.err = d.resume()
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, d.err
}

// openPart asks for what comes after the bytes that are there.
func (d *Download) openPart(tag string) error {
	ctx, cancel := context.WithCancelCause(d.ctx)
	part, err := d.open(ctx, d.got, tag)
	if err != nil {
		cancel(nil)
		if ended := d.ended(); ended != nil {
			return ended
		}
		return explain(d.label, err)
	}
	d.part, d.partCtx, d.cancelPart = part, ctx, cancel
	d.idle = time.AfterFunc(d.c.limits.Idle, func() { cancel(errIdle) })
	d.idle.Stop() // until something is read
	return nil
}

func (d *Download) closePart() {
	if d.part == nil {
		return
	}
	d.idle.Stop()
	d.cancelPart(nil)
	_ = d.part.Body.Close() // what was to be read is read, or given up
	d.part = nil
}

// ended is why nothing more may be asked for; nil while it may.
func (d *Download) ended() error {
	switch err := context.Cause(d.ctx); {
	case errors.Is(err, errTime):
		return tooMuchTime(d.label, d.c.limits.Time)
	case err != nil:
		return fmt.Errorf("%s: %w", d.label, err)
	}
	return nil
}

// resume goes on after the part has broken off, and says why if it cannot.
func (d *Download) resume() error {
	tag, size := d.part.Tag, d.size
	why := d.broken()
	d.closePart()
	if d.got-d.resumed >= enough {
		d.tries = 0
	}
	for pause := d.c.pause; ; pause *= 2 {
		if err := d.ended(); err != nil {
			return err
		}
		if tag == "" || d.tries == d.c.limits.Resumes {
			return why
		}
		d.tries++
		d.resumed = d.got
		select {
		case <-time.After(pause):
		case <-d.ctx.Done():
			continue
		}
		switch err := d.openPart(tag); {
		case err == nil && size >= 0 && d.part.Size >= 0 && d.part.Size != size:
			d.closePart()
			return changed(d.label)
		case err == nil:
			return nil
		case rasterbase.CodeOf(err) != rasterbase.Busy:
			return err
		default:
			why = err
		}
	}
}

// broken says how the part ended.
func (d *Download) broken() error {
	if errors.Is(context.Cause(d.partCtx), errIdle) {
		return stalled(d.label, d.c.limits.Idle, d.got)
	}
	of := ""
	if d.size >= 0 {
		of = fmt.Sprintf(" of %d", d.size)
	}
	return rasterbase.Errorf(rasterbase.Busy, "%s: the download broke off after %d%s bytes", d.label, d.got, of).
		WithHint("try again").WithField("source")
}
