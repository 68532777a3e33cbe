package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// ready makes sure that the source is kept, and what its checksum is.
func (r *run) ready(ctx context.Context) error {
	if r.parse.Fetch != "" {
		if err := r.fetch(ctx); err != nil {
			return err
		}
	}
	if err := r.enter(ctx, rasterbase.Inspecting); err != nil {
		return err
	}
	if r.layer.Source.ID == "" || r.layer.Source.Checksum != "" {
		return nil
	}
	return r.checksum(ctx)
}

// enter begins a parse, or an attempt of it, with a status.
func (r *run) enter(ctx context.Context, s rasterbase.Status) error {
	return r.change(ctx, func(p *rasterbase.Parse) {
		p.Status, p.Error = s, ""
		if p.Started.IsZero() {
			p.Started = time.Now()
		}
	})
}

// fetch gets the source from where it is, and makes it the layer's. What is
// fetched is kept before anything else is done with it, so that it is not
// fetched again.
func (r *run) fetch(ctx context.Context) error {
	if err := r.enter(ctx, rasterbase.Downloading); err != nil {
		return err
	}
	start, from := time.Now(), r.parse.Fetch
	verb, past := "downloading", "downloaded"
	if !isAddress(from) {
		verb, past = "copying", "copied"
	}
	src, err := r.p.fetchFrom(ctx, from, func(size int64) error {
		if size < 0 {
			return r.logf(ctx, "%s %s, of unknown size", verb, OriginOf(from))
		}
		return r.logf(ctx, "%s %s: %d bytes", verb, OriginOf(from), size)
	})
	if err != nil {
		return err
	}
	return r.adopt(ctx, src,
		fmt.Sprintf("%s %s: %d bytes in %s", past, src.Name, src.Size, time.Since(start).Round(time.Millisecond)),
		"checksum "+src.Checksum)
}

// fetchFrom keeps what an address or a path names.
func (p *Parser) fetchFrom(ctx context.Context, from string, begun func(size int64) error) (rasterbase.Source, error) {
	if isAddress(from) {
		if err := p.checkAddress(from); err != nil {
			return rasterbase.Source{}, err
		}
		return p.fetchAddress(ctx, from, begun, nil)
	}
	file, err := p.allowedFile(from)
	if err != nil {
		return rasterbase.Source{}, err
	}
	defer file.close()
	if err := file.check(p); err != nil {
		return rasterbase.Source{}, err
	}
	info, err := file.root.Stat(file.name)
	if err != nil {
		return rasterbase.Source{}, unreadable(file.path, err)
	}
	if err := p.checkDisk(file.path, info.Size()); err != nil {
		return rasterbase.Source{}, err
	}
	if begun != nil {
		if err := begun(info.Size()); err != nil {
			return rasterbase.Source{}, err
		}
	}
	return p.keepFrom(ctx, file, file.name, file.path)
}

// adopt makes a source that was fetched the layer's, in place of the one before,
// which is deleted. One that cannot be the layer's is deleted itself.
func (r *run) adopt(ctx context.Context, src rasterbase.Source, lines ...string) error {
	var layer *rasterbase.Layer
	err := r.store().Catalog().Update(ctx, func(tx store.Tx) error {
		parse, err := r.current(ctx, tx)
		if err != nil {
			return err
		}
		if layer, err = tx.Layers().Get(ctx, r.layer.ID); err != nil {
			return err
		}
		if err := enqueueSourceDeletion(ctx, tx, layer.Source.ID); err != nil {
			return err
		}
		layer.Source, parse.Fetch = src, ""
		if err := errors.Join(tx.Layers().Update(ctx, layer), tx.Parses().Update(ctx, parse)); err != nil {
			return err
		}
		for _, l := range lines {
			if err := tx.Parses().Log(ctx, parse.ID, l); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		r.p.deleteUnused(ctx, r.layer.ID, src.ID)
		return fmt.Errorf("keep the source: %w", err)
	}
	r.layer, r.parse.Fetch = layer, ""
	return nil
}

// deleteUnused deletes a source unless it is the layer's: a transaction may have
// been kept although its end was not heard of.
func (p *Parser) deleteUnused(ctx context.Context, id rasterbase.LayerID, source string) {
	ctx = context.WithoutCancel(ctx)
	used := true
	err := p.c.Store.Catalog().View(ctx, func(tx store.Tx) error {
		layer, err := tx.Layers().Get(ctx, id)
		used = err == nil && layer.Source.ID == source
		if errors.Is(err, store.ErrNotExist) {
			return nil
		}
		return err
	})
	if err == nil && !used {
		p.deleteSource(ctx, source)
	}
}

// checksum reads the source once, to know it again.
func (r *run) checksum(ctx context.Context) error {
	src := r.layer.Source
	f, err := r.store().Sources().Open(ctx, src.ID, src.Name)
	if err != nil {
		return fmt.Errorf("read the source of layer %d: %w", r.layer.ID, err)
	}
	defer f.Close()
	sum := sha256.New()
	if src.Size, err = io.Copy(sum, &ctxReader{ctx, f}); err != nil {
		return fmt.Errorf("read the source of layer %d: %w", r.layer.ID, err)
	}
	src.Checksum = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	var layer *rasterbase.Layer
	err = r.store().Catalog().Update(ctx, func(tx store.Tx) error {
		if _, err := r.current(ctx, tx); err != nil {
			return err
		}
		if layer, err = tx.Layers().Get(ctx, r.layer.ID); err != nil {
			return err
		}
		if layer.Source.ID != src.ID {
			return errEnded // it has another one now, and so another parse
		}
		layer.Source.Size, layer.Source.Checksum = src.Size, src.Checksum
		if err := tx.Layers().Update(ctx, layer); err != nil {
			return err
		}
		return tx.Parses().Log(ctx, r.parse.ID, fmt.Sprintf("%s: %d bytes, checksum %s", src.Name, src.Size, src.Checksum))
	})
	if err == nil {
		r.layer = layer
	}
	return err
}

// withoutSecrets takes what an address keeps secret out of an error's text.
// Fetchers leave it out themselves; the text is shown to many.
func withoutSecrets(err error, address string) error {
	if err == nil {
		return nil
	}
	pairs := []string{address, OriginOf(address)}
	if u, e := url.Parse(address); e == nil && !strings.HasPrefix(strings.ToLower(address), "s3:") {
		password, _ := u.User.Password()
		user, typed := userOf(address)
		_, escaped, _ := strings.Cut(u.User.String(), ":")
		for _, s := range []string{u.User.String(), password, typed, escaped, u.RawQuery, u.Fragment, u.RawFragment} {
			if len(s) > 2 {
				pairs = append(pairs, s, "…")
			}
		}
		if user != "" { // a token, often, and a word of any text otherwise
			pairs = append(pairs, user+":", "…:", user+"@", "…@")
		}
	}
	return rewritten(err, strings.NewReplacer(pairs...))
}

// userOf gives the user and the password of an address as they are written there.
func userOf(address string) (user, password string) {
	host := address[len(scheme.FindString(address)):]
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	user, password, _ = strings.Cut(host[:max(0, strings.LastIndex(host, "@"))], ":")
	return user, password
}

// rewritten is an error with another text. Code and field stay.
func rewritten(err error, r *strings.Replacer) error {
	text := r.Replace(err.Error())
	if text == err.Error() {
		return err
	}
	if e, ok := errors.AsType[*rasterbase.Error](err); ok {
		return &rasterbase.Error{Code: e.Code, Message: text, Field: e.Field}
	}
	return &cleanError{text, err}
}
