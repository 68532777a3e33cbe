package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/fetch"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/s3"
)

// fetcher opens addresses, each kind with its client.
type fetcher struct {
	web *fetch.Client
	s3  *s3.Client
}

// newFetcher makes the clients as the settings say.
func newFetcher(c *config) (*fetcher, error) {
	o := fetch.Options{
		Allow:  c.AllowedHosts,
		Limits: fetch.Limits{Bytes: c.MaxSourceBytes, Time: c.fetchTimeout()},
	}
	region := os.Getenv("AWS_REGION")
	if region == "" {
		region = os.Getenv("AWS_DEFAULT_REGION")
	}
	objects, err := s3.New(s3.Options{Endpoint: c.S3Endpoint, Region: region, RequesterPays: c.S3RequesterPays, Fetch: o})
	if err != nil {
		return nil, fmt.Errorf("RASTER_S3_ENDPOINT_URL: %w", err)
	}
	return &fetcher{web: fetch.New(o), s3: objects}, nil
}

// Open is that of ingest.Fetcher.
func (f *fetcher) Open(ctx context.Context, address string) (name string, size int64, body io.ReadCloser, err error) {
	switch kind, _, _ := strings.Cut(address, "://"); strings.ToLower(kind) {
	case "http", "https":
		return f.web.Open(ctx, address)
	case "s3":
		return f.s3.Open(ctx, address)
	default:
		return "", 0, nil, rasterbase.Errorf(rasterbase.Unsupported, "addresses that begin with %s:// are not read", kind).
			WithHint("http://, https://, s3:// and postgis:// are; a file is named by its path").WithField("source")
	}
}

// CheckAddress is that of ingest.AddressChecker.
func (f *fetcher) CheckAddress(address string) error {
	if len(address) >= len("s3://") && strings.EqualFold(address[:len("s3://")], "s3://") {
		return s3.CheckAddress(address)
	}
	return fetch.CheckAddress(address)
}

// shown is a source as it may be printed: an address without its secrets.
func shown(source string) string {
	if isDatabase(source) {
		return masked(source)
	}
	return ingest.OriginOf(source)
}

// download makes the request for an address, and shows how its download goes
// until endDownload is called.
func (im *importer) download(r ingest.Request) ingest.Request {
	r.Origin = shown(r.Source)
	im.progress = &progress{w: im.app.stderr, name: baseOf(r.Source), bar: isTerminal(im.app.stderr)}
	r.Downloading = im.progress.downloading
	return r
}

func (im *importer) endDownload() {
	if im.progress != nil {
		im.progress.end()
	}
}

// baseOf is the last part of a path or an address.
func baseOf(source string) string {
	if address.MatchString(source) {
		return path.Base(shown(source))
	}
	return filepath.Base(source)
}

// downloading shows how far a download is, as show does it for a parse.
func (p *progress) downloading(done, size int64) {
	now := time.Now()
	if p.now != nil {
		now = p.now()
	}
	percent, of := 0.0, ""
	if size > 0 {
		percent = min(100, 100*float64(done)/float64(size))
		of = " of " + humanBytes(size)
	}
	if p.bar {
		p.draw(fmt.Sprintf("%s [%s] %3.0f%%  %s  %s%s", visible(p.name), bar(percent), percent, rasterbase.Downloading, humanBytes(done), of))
		return
	}
	step := int(percent) / progressStep
	if p.stage == rasterbase.Downloading && step == p.step && now.Sub(p.told) < progressPause {
		return
	}
	p.stage, p.step, p.told = rasterbase.Downloading, step, now
	fmt.Fprintf(p.w, "%s: %s (%s%s)\n", visible(p.name), rasterbase.Downloading, humanBytes(done), of)
}

// setAllowedHosts reads a list of hosts.
func setAllowedHosts(c *config, s string) (err error) {
	c.AllowedHosts, err = fetch.ParseHosts(strings.Split(s, ",")...)
	return err
}

func setEndpoint(c *config, s string) error {
	if _, err := s3.ParseEndpoint(s); err != nil {
		return err
	}
	c.S3Endpoint = s
	return nil
}
