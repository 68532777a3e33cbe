package ingest

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"path"
	"path/filepath"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// supply is where the source of a layer comes from, as far as it can be checked
// before it is there.
type supply struct {
	fetch  string            // the address or path that a worker fetches it from; empty: it is kept already
	upload string            // the id of the upload that it is
	source rasterbase.Source // what is known of it
}

// supplyOf checks where a source is to come from.
func (p *Parser) supplyOf(ctx context.Context, from rasterbase.SourceFrom) (*supply, error) {
	given := 0
	for _, s := range []string{from.Upload, from.Address, from.Path} {
		if s != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "a source is one of upload, address and path; %d are given", given).
			WithHint("give exactly one of them").WithField("source")
	case from.Upload != "":
		return p.uploaded(ctx, from.Upload)
	case from.Address != "":
		if err := p.checkAddress(from.Address); err != nil {
			return nil, err
		}
		origin := OriginOf(from.Address)
		return &supply{fetch: from.Address, source: rasterbase.Source{Name: nameIn(origin), Origin: origin}}, nil
	}
	file, err := p.allowedFile(from.Path)
	if err != nil {
		return nil, err
	}
	defer file.close()
	if err := file.check(p); err != nil {
		return nil, err
	}
	return &supply{fetch: file.path, source: rasterbase.Source{Name: file.name, Origin: file.path}}, nil
}

// uploaded finds an upload that is complete.
func (p *Parser) uploaded(ctx context.Context, id string) (*supply, error) {
	var u *rasterbase.Upload
	err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) (err error) {
		u, err = tx.Uploads().Get(ctx, id)
		return err
	})
	if err != nil {
		return nil, err
	}
	there := int64(0)
	switch f, err := p.c.Store.Sources().Open(ctx, u.Source, u.Name); {
	case err == nil:
		there = f.Size()
		_ = f.Close() // nothing was read
	case !errors.Is(err, store.ErrNotExist):
		return nil, err
	}
	switch {
	case there != u.Size:
		return nil, rasterbase.Errorf(rasterbase.Conflict, "the upload of %s is not complete: %d of %d bytes are there", u.Name, there, u.Size).
			WithHint("send the rest").WithField("source")
	case there == 0:
		return nil, rasterbase.Errorf(rasterbase.Invalid, "%s is empty", u.Name).WithField("source")
	case there > p.c.Limits.SourceBytes:
		return nil, p.tooLarge(u.Name, there)
	}
	return &supply{upload: id, source: rasterbase.Source{ID: u.Source, Name: u.Name, Size: u.Size, Origin: u.Name}}, nil
}

// take gives the source to a layer, in the transaction that saves it. An upload
// is no longer one then.
func (s *supply) take(ctx context.Context, tx store.Tx) (rasterbase.Source, error) {
	if s.upload != "" {
		if _, err := tx.Uploads().Get(ctx, s.upload); err != nil {
			return rasterbase.Source{}, err
		}
		if err := tx.Uploads().Delete(ctx, s.upload); err != nil {
			return rasterbase.Source{}, err
		}
	}
	return s.source, nil
}

// layerName is the name of a layer that was given none.
func (s *supply) layerName() string {
	name := rasterbase.Stem(s.source.Name)
	if name == "" {
		_, rest, _ := strings.Cut(s.source.Origin, "://")
		name, _, _ = strings.Cut(rest, "/")
	}
	name = strings.Map(func(r rune) rune {
		if rasterbase.Misleads(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	if r := []rune(name); len(r) > rasterbase.MaxLineLength {
		name = string(r[:rasterbase.MaxLineLength])
	}
	return cmp.Or(name, "raster")
}

// AddressChecker is a [Fetcher] that can tell what is wrong with an address
// without asking anybody. Errors have code invalid or unsupported, and name the
// address without its secrets.
type AddressChecker interface {
	CheckAddress(address string) error
}

// longestAddress is the most bytes of an address.
const longestAddress = 8 << 10

// checkAddress refuses addresses that cannot be fetched from.
func (p *Parser) checkAddress(address string) error {
	begin := strings.ToLower(scheme.FindString(address))
	problem := func(c rasterbase.Code, text string) *rasterbase.Error {
		return rasterbase.Errorf(c, "%s", text).WithHint("http://, https:// and s3://bucket/key are addresses").WithField("source")
	}
	switch {
	case begin == "":
		return problem(rasterbase.Invalid, "the address does not begin with http://, https:// or s3://")
	case begin != "http://" && begin != "https://" && begin != "s3://":
		return problem(rasterbase.Unsupported, "addresses that begin with "+begin+" are not fetched")
	case len(address) > longestAddress:
		return problem(rasterbase.Invalid, "the address is too long")
	case strings.ContainsFunc(address, rasterbase.Misleads):
		return problem(rasterbase.Invalid, "the address has control characters")
	case p.c.Fetcher == nil:
		return notDownloaded(address)
	}
	if begin != "s3://" {
		// Its error has the whole address.
		if u, err := url.Parse(address); err != nil || u.Hostname() == "" {
			return problem(rasterbase.Invalid, "the address cannot be read, or names no host")
		}
	}
	if c, ok := p.c.Fetcher.(AddressChecker); ok {
		return c.CheckAddress(address)
	}
	return nil
}

func notDownloaded(address string) error {
	return rasterbase.Errorf(rasterbase.Unsupported, "%s: addresses are not downloaded here", OriginOf(address)).
		WithHint("download the file and import it").WithField("source")
}

// nameIn is the file's name in an address without secrets; empty when it has
// none that a file can have.
func nameIn(origin string) string {
	begin := scheme.FindString(origin)
	_, at, ok := strings.Cut(origin[len(begin):], "/")
	if !ok || strings.HasSuffix(at, "/") {
		return ""
	}
	name := path.Base(at)
	if !strings.EqualFold(begin, "s3://") {
		if plain, err := url.PathUnescape(name); err == nil {
			name = plain
		}
	}
	if store.CheckFileName(name) != nil || strings.ContainsFunc(name, rasterbase.Misleads) {
		return ""
	}
	return filepath.Base(name)
}
