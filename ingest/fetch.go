package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
)

// Fetcher opens what an address names, such as https://example.org/scene.tif or
// s3://bucket/scene.tif. It gives the name of the file, without folders, its
// size, -1 when that is not known, and its bytes, which the caller closes.
// Errors, of reading too, name the address without its secrets.
type Fetcher interface {
	Open(ctx context.Context, address string) (name string, size int64, body io.ReadCloser, err error)
}

// scheme matches the beginning of an address; one letter is a drive.
var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+://`)

// isAddress tells whether a source is an address and not a path.
func isAddress(source string) bool { return scheme.MatchString(source) }

// OriginOf is a source as it is kept and shown. An address is without the user,
// the password and the query, which may hold secrets; the key of an s3://
// address is taken as it stands, a question mark belongs to it. A path stays.
func OriginOf(source string) string {
	begin := scheme.FindString(source)
	if begin == "" {
		return source
	}
	rest := source[len(begin):]
	if !strings.EqualFold(begin, "s3://") {
		if i := strings.IndexAny(rest, "?#"); i >= 0 {
			rest = rest[:i]
		}
	}
	host, path, hasPath := strings.Cut(rest, "/")
	host = host[strings.LastIndex(host, "@")+1:]
	if hasPath {
		host += "/"
	}
	return begin + host + path
}

// admit makes sure that a source can be parsed, and keeps it.
func (p *Parser) admit(ctx context.Context, r Request) (rasterbase.Source, error) {
	if !isAddress(r.Source) {
		if _, err := p.Plan(ctx, r); err != nil {
			return rasterbase.Source{}, err
		}
		return p.keepSource(ctx, r.Source)
	}
	if err := errors.Join(p.checkOpener(), CheckSettings(r.Settings)); err != nil { // before anything is downloaded
		return rasterbase.Source{}, err
	}
	src, err := p.fetchSource(ctx, r)
	if err != nil {
		return src, err
	}
	if _, err := p.planSource(ctx, src, r.Settings); err != nil {
		p.deleteSource(ctx, src.ID)
		return src, err
	}
	return src, nil
}

// planSource is the plan of a source that the store keeps.
func (p *Parser) planSource(ctx context.Context, src rasterbase.Source, s rasterbase.Settings) (*Plan, error) {
	dir, release, err := p.c.Store.Sources().Local(ctx, src.ID)
	if err != nil {
		return nil, fmt.Errorf("read the source: %w", err)
	}
	defer release()
	pl, err := p.planAt(ctx, filepath.Join(dir, src.Name), s, true)
	return pl, rasterFile{dir: dir}.clean(err)
}

// fetchSource downloads a source into the store, without a copy elsewhere.
func (p *Parser) fetchSource(ctx context.Context, r Request) (src rasterbase.Source, err error) {
	if p.c.Fetcher == nil {
		return src, notDownloaded(r.Source)
	}
	return p.fetchAddress(ctx, r.Source, nil, r.Downloading)
}

// fetchAddress downloads what an address names into the store. Begun is called
// with the size, -1 when it is not known, before the bytes come; nil: nobody
// asks. Errors do not have the address's secrets.
func (p *Parser) fetchAddress(ctx context.Context, address string, begun func(size int64) error, tell func(done, size int64)) (src rasterbase.Source, err error) {
	defer func() { err = withoutSecrets(err, address) }()
	src.Origin = OriginOf(address)
	name, size, body, err := p.c.Fetcher.Open(ctx, address)
	if err != nil {
		return src, err
	}
	defer body.Close()
	src.Name = name
	if size > p.c.Limits.SourceBytes {
		return src, p.tooLarge(src.Origin, size)
	}
	if begun != nil {
		if err := begun(size); err != nil {
			return src, err
		}
	}
	sources := p.c.Store.Sources()
	if src.ID, err = sources.Create(ctx); err != nil {
		return src, fmt.Errorf("keep the source: %w", err)
	}
	defer func() {
		if err != nil {
			p.deleteSource(ctx, src.ID)
		}
	}()
	sum := sha256.New()
	in := &sourceReader{p: p, r: body, origin: src.Origin, size: size, tell: tell}
	src.Size, err = sources.Put(ctx, src.ID, name, io.TeeReader(in, sum))
	switch {
	case in.err != nil: // the reason, without what the store was doing
		return src, in.err
	case err != nil:
		return src, fmt.Errorf("keep %s: %w", name, err)
	case src.Size == 0:
		return src, rasterbase.Errorf(rasterbase.Invalid, "%s is empty", src.Origin).WithField("source")
	}
	in.told = time.Time{}
	in.progress()
	src.Checksum = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return src, nil
}

// sourceReader reads a download within the limits, and tells how far it is.
type sourceReader struct {
	p       *Parser
	r       io.Reader
	origin  string
	size    int64 // -1: not known
	done    int64
	checked int64 // of done, when the disk was looked at; 0: not yet
	tell    func(done, size int64)
	told    time.Time
	err     error // that ended the download
}

// diskStep is how many bytes are downloaded before the disk is looked at again.
const diskStep = 64 << 20

// Read reads no byte more than allowed.
func (s *sourceReader) Read(b []byte) (n int, err error) {
	if s.err != nil {
		return 0, s.err
	}
	if s.done == 0 || s.done-s.checked >= diskStep {
		s.checked = s.done
		if s.err = s.p.checkDisk(s.origin, max(0, s.size-s.done)); s.err != nil {
			return 0, s.err
		}
	}
	n, err = s.r.Read(b)
	s.done += int64(n)
	if s.done > s.p.c.Limits.SourceBytes {
		s.err = s.p.tooLarge(s.origin, 0)
		return 0, s.err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	s.progress()
	return n, err
}

// progress tells how far the download is, five times a second at most.
func (s *sourceReader) progress() {
	if now := time.Now(); s.tell != nil && now.Sub(s.told) >= 200*time.Millisecond {
		s.told = now
		s.tell(s.done, s.size)
	}
}

// tooLarge is the error of a source of so many bytes; 0 when it is not known
// how many.
func (p *Parser) tooLarge(source string, size int64) error {
	has := "more"
	if size > 0 {
		has = fmt.Sprintf("%d bytes, more", size)
	}
	return rasterbase.Errorf(rasterbase.TooLarge, "%s has %s than the %d bytes allowed", source, has, p.c.Limits.SourceBytes).
		WithHint("the operator can raise RASTER_MAX_SOURCE_BYTES").WithField("source")
}

// checkDisk makes sure that so many bytes of a source leave enough of the disk
// free.
func (p *Parser) checkDisk(source string, bytes int64) error {
	if p.c.FreeDisk == nil {
		return nil
	}
	free, err := p.c.FreeDisk()
	if err != nil {
		return fmt.Errorf("look how much of the disk is free: %w", err)
	}
	if free-bytes >= p.c.Limits.FreeDisk {
		return nil
	}
	need := ""
	if bytes > 0 {
		need = fmt.Sprintf("%d bytes are needed, ", bytes)
	}
	return rasterbase.Errorf(rasterbase.TooLarge, "%s: there is no room on the disk: %s%d bytes are free, of which %d stay free", source, need, free, p.c.Limits.FreeDisk).
		WithHint("free some space, or keep the data on another disk").WithField("source")
}

// checkOpener fails in builds that open no files.
func (p *Parser) checkOpener() error {
	if p.c.Opener == nil {
		return rasterbase.Errorf(rasterbase.Unsupported, "this build cannot open raster files").
			WithHint("build it with cgo and libgdal-dev installed")
	}
	return nil
}
