package ingest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/jobs"
	"github.com/rasterbase/rasterbase/store"
)

// fetched is a Fetcher made of a function.
type fetched func(ctx context.Context, address string) (string, int64, io.ReadCloser, error)

func (f fetched) Open(ctx context.Context, address string) (string, int64, io.ReadCloser, error) {
	return f(ctx, address)
}

// always is a Fetcher that gives the same file each time.
func always(name, contents string) fetched {
	return func(context.Context, string) (string, int64, io.ReadCloser, error) {
		return name, int64(len(contents)), io.NopCloser(strings.NewReader(contents)), nil
	}
}

// synContents is what a file has that a synthetic opener takes for a raster.
const synContents = "not looked at"

// synFolder is a folder with a raster and a side-car, free of links.
func synFolder(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"raster.syn": synContents, "raster.prj": "a side-car", "other.txt": "not its own"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// upload makes an upload of which so many bytes are there.
func upload(t testing.TB, st store.Store, name, contents string, there int) string {
	t.Helper()
	ctx := context.Background()
	src, err := st.Sources().Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if there > 0 {
		if _, err := st.Sources().Append(ctx, src, name, 0, strings.NewReader(contents[:there])); err != nil {
			t.Fatal(err)
		}
	}
	u := &rasterbase.Upload{ID: fmt.Sprintf("upload-%s-%d", src, there), Owner: "ada", Source: src, Name: name, Size: int64(len(contents)), Expires: time.Now().Add(time.Hour)}
	if err := st.Catalog().Update(ctx, func(tx store.Tx) error { return tx.Uploads().Create(ctx, u) }); err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func uploads(t testing.TB, st store.Store) (list []*rasterbase.Upload) {
	t.Helper()
	err := st.Catalog().View(context.Background(), func(tx store.Tx) (err error) {
		list, err = tx.Uploads().List(context.Background())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func layerOf(t testing.TB, st store.Store, id rasterbase.LayerID) (l *rasterbase.Layer) {
	t.Helper()
	err := st.Catalog().View(context.Background(), func(tx store.Tx) (err error) {
		l, err = tx.Layers().Get(context.Background(), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func parseOf(t testing.TB, st store.Store, id rasterbase.ParseID) (p *rasterbase.Parse) {
	t.Helper()
	err := st.Catalog().View(context.Background(), func(tx store.Tx) (err error) {
		p, err = tx.Parses().Get(context.Background(), id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func logOf(t testing.TB, st store.Store, id rasterbase.ParseID) string {
	t.Helper()
	var b strings.Builder
	err := st.Catalog().View(context.Background(), func(tx store.Tx) error {
		lines, err := tx.Parses().Lines(context.Background(), id, 0)
		b.Reset()
		for _, l := range lines {
			b.WriteString(l.Text + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sources lists what is kept once the jobs that are due are done.
func sources(t testing.TB, st store.Store) (ids []string) {
	t.Helper()
	r := jobs.NewRunner(st, nil)
	ingest.New(ingest.Config{Store: st, InRequest: true}).Register(r)
	if err := r.RunDue(context.Background(), "delete source"); err != nil {
		t.Fatal(err)
	}
	list, err := st.Sources().List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids
}

func small() ingest.Opener { return opener(wavy(rasterbase.Uint8, 1, 120, 130, nil, 5)) }

// Whatever a source comes from, the layer is there at once and its parse makes
// the file the layer's own.
func TestCreate(t *testing.T) {
	sum := sha256.Sum256([]byte(synContents))
	checksum := "sha256:" + hex.EncodeToString(sum[:])
	places(t, func(t *testing.T, place string) {
		st, dir := at(t, place), synFolder(t)
		p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64, Fetcher: always("raster.syn", synContents), AllowedPaths: []string{dir}})
		for _, c := range []struct {
			name   string
			from   rasterbase.SourceFrom
			layer  rasterbase.Layer
			origin string
			kept   bool // before the parse
			files  []string
			log    []string
		}{
			{"upload", rasterbase.SourceFrom{Upload: upload(t, st, "raster.syn", synContents, len(synContents))}, rasterbase.Layer{}, "raster.syn", true,
				[]string{"raster.syn"}, []string{"raster.syn: 13 bytes, checksum " + checksum}},
			{"address", rasterbase.SourceFrom{Address: "https://user:secret@example.org/data/a%20dem.tif?token=secret"},
				rasterbase.Layer{Visibility: rasterbase.Private, Settings: rasterbase.Settings{Datatype: rasterbase.Categorical, MaxZoom: intPtr(3)}},
				"https://example.org/data/a%20dem.tif", false, []string{"raster.syn"},
				[]string{"downloading https://example.org/data/a%20dem.tif: 13 bytes", "downloaded raster.syn: 13 bytes in ", "checksum " + checksum}},
			{"path", rasterbase.SourceFrom{Path: dir + "/x/../raster.syn"}, rasterbase.Layer{Name: "Mine", Slug: "own-slug", Description: "two\nlines"},
				dir + "/raster.syn", false, []string{"raster.prj", "raster.syn"},
				[]string{"copying " + dir + "/raster.syn: 13 bytes", "copied raster.syn: 13 bytes in ", "checksum " + checksum}},
		} {
			t.Run(c.name, func(t *testing.T) {
				l := c.layer
				ticket, err := p.Create(t.Context(), &l, c.from)
				if err != nil {
					t.Fatal(err)
				}
				before := layerOf(t, st, ticket.Layer)
				if l.ID != ticket.Layer || l.Slug == "" || l.Created.IsZero() || (before.Source.ID != "") != c.kept || before.Source.Origin != c.origin {
					t.Errorf("made %+v, stored %+v", l, before)
				}
				if parse := parseOf(t, st, ticket.Parse); parse.Status != rasterbase.Queued || (parse.Fetch == "") != c.kept {
					t.Errorf("the parse is %+v", parse)
				}
				if err := p.Finish(t.Context(), ticket); err != nil {
					t.Fatal(err)
				}
				if parse := parseOf(t, st, ticket.Parse); parse.Status != rasterbase.Finished || parse.Fetch != "" {
					t.Errorf("the parse is %+v", parse)
				}
				after := layerOf(t, st, ticket.Layer)
				want := rasterbase.Source{ID: after.Source.ID, Name: "raster.syn", Origin: c.origin, Size: 13, Checksum: checksum}
				if after.Source != want || after.Published == 0 {
					t.Errorf("the layer is %+v", after)
				}
				files, err := st.Sources().Files(t.Context(), after.Source.ID)
				if err != nil || !slices.Equal(files, c.files) {
					t.Errorf("kept are %q, %v", files, err)
				}
				log := logOf(t, st, ticket.Parse)
				for _, part := range c.log {
					if !strings.Contains(log, part) {
						t.Errorf("%q is not in the log:\n%s", part, log)
					}
				}
				if strings.Contains(log, "secret") || strings.Contains(fmt.Sprintf("%+v %+v", before, after), "secret") {
					t.Errorf("a secret is shown: %+v\n%s", after, log)
				}
			})
		}
		if left := uploads(t, st); len(left) > 0 {
			t.Errorf("uploads are left: %+v", left[0])
		}
	})
}

func TestNamesOfNewLayers(t *testing.T) {
	st, dir := swift(t), synFolder(t)
	p := ingest.New(ingest.Config{Store: st, Fetcher: always("given.tif", "x"), AllowedPaths: []string{dir}})
	for want, from := range map[string]rasterbase.SourceFrom{
		"raster":      {Path: dir + "/raster.syn"},
		"land cover":  {Address: "https://example.org/a/land%20cover.tif.zip?x#y"},
		"example.org": {Address: "https://example.org/?file=dem.tif"},
		"example.net": {Address: "https://example.net"},
		"host":        {Address: "https://host/a/b/"},
		"scene":       {Address: "s3://bucket/folder/scene.tif"},
		"a%20b":       {Address: "s3://bucket/a%20b.tif"},
		"strange":     {Upload: upload(t, st, "str\u202eange.tif", "x", 1)},
	} {
		l := &rasterbase.Layer{}
		if _, err := p.Create(t.Context(), l, from); err != nil || l.Name != want {
			t.Errorf("%+v: %q, want %q, %v", from, l.Name, want, err)
		}
	}
}

// What is wrong before anything is fetched leaves nothing behind.
func TestCreateRefuses(t *testing.T) {
	st, dir := swift(t), synFolder(t)
	half, none := upload(t, st, "half.tif", "0123456789", 5), upload(t, st, "none.tif", "0123456789", 0)
	empty, big := upload(t, st, "empty.tif", "", 0), upload(t, st, "big.tif", strings.Repeat("x", 2000), 2000)
	good := rasterbase.SourceFrom{Path: dir + "/raster.syn"}
	fetch := always("x.tif", "x")
	for _, c := range []struct {
		name    string
		from    rasterbase.SourceFrom
		layer   rasterbase.Layer
		fetcher ingest.Fetcher
		code    rasterbase.Code
		field   string
		part    string
	}{
		{"no source", rasterbase.SourceFrom{}, rasterbase.Layer{}, fetch, rasterbase.Invalid, "source", "0 are given"},
		{"two sources", rasterbase.SourceFrom{Upload: half, Path: "/x"}, rasterbase.Layer{}, fetch, rasterbase.Invalid, "source", "2 are given"},
		{"unknown upload", rasterbase.SourceFrom{Upload: "nobody's"}, rasterbase.Layer{}, fetch, rasterbase.NotFound, "", ""},
		{"half an upload", rasterbase.SourceFrom{Upload: half}, rasterbase.Layer{}, fetch, rasterbase.Conflict, "source", "half.tif is not complete: 5 of 10 bytes"},
		{"none of an upload", rasterbase.SourceFrom{Upload: none}, rasterbase.Layer{}, fetch, rasterbase.Conflict, "source", "0 of 10 bytes"},
		{"empty upload", rasterbase.SourceFrom{Upload: empty}, rasterbase.Layer{}, fetch, rasterbase.Invalid, "source", "empty.tif is empty"},
		{"large upload", rasterbase.SourceFrom{Upload: big}, rasterbase.Layer{}, fetch, rasterbase.TooLarge, "source", "2000 bytes"},
		{"another scheme", rasterbase.SourceFrom{Address: "ftp://example.org/secret.tif"}, rasterbase.Layer{}, fetch, rasterbase.Unsupported, "source", "ftp://"},
		{"no scheme", rasterbase.SourceFrom{Address: "example.org/secret.tif"}, rasterbase.Layer{}, fetch, rasterbase.Invalid, "source", "does not begin with"},
		{"no host", rasterbase.SourceFrom{Address: "https:///secret.tif"}, rasterbase.Layer{}, fetch, rasterbase.Invalid, "source", "no host"},
		{"not an address", rasterbase.SourceFrom{Address: "https://secret@exa mple.org:x/%zz"}, rasterbase.Layer{}, fetch, rasterbase.Invalid, "source", "cannot be read"},
		{"two lines", rasterbase.SourceFrom{Address: "https://example.org/\nsecret"}, rasterbase.Layer{}, fetch, rasterbase.Invalid, "source", "control"},
		{"long address", rasterbase.SourceFrom{Address: "https://example.org/" + strings.Repeat("x", 9000)}, rasterbase.Layer{}, fetch, rasterbase.Invalid, "source", "too long"},
		{"nobody fetches", rasterbase.SourceFrom{Address: "https://u:secret@example.org/x?secret"}, rasterbase.Layer{}, nil, rasterbase.Unsupported, "source", "not downloaded here"},
		{"the fetcher refuses", rasterbase.SourceFrom{Address: "https://example.org/bad"}, rasterbase.Layer{}, picky{fetch}, rasterbase.Unsupported, "source", "picky"},
		{"long name", good, rasterbase.Layer{Name: strings.Repeat("x", 501)}, fetch, rasterbase.Invalid, "name", "501"},
		{"bad attribution", good, rasterbase.Layer{Attribution: "a\x1bb"}, fetch, rasterbase.Invalid, "attribution", "control"},
		{"unknown visibility", good, rasterbase.Layer{Visibility: "secret"}, fetch, rasterbase.Invalid, "visibility", "visibility"},
		{"unknown legend", good, rasterbase.Layer{Legend: 77}, fetch, rasterbase.Invalid, "legend", "77"},
		{"bad settings", good, rasterbase.Layer{Settings: rasterbase.Settings{TileSize: 7}}, fetch, rasterbase.Invalid, "tilesize", "7 pixels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := ingest.New(ingest.Config{Store: st, Fetcher: c.fetcher, AllowedPaths: []string{dir}, Limits: ingest.Limits{SourceBytes: 1000}})
			_, err := p.Create(t.Context(), &c.layer, c.from)
			e, _ := errors.AsType[*rasterbase.Error](err)
			if e == nil || e.Code != c.code || c.field != e.Field || !strings.Contains(err.Error(), c.part) {
				t.Errorf("%+v", err)
			}
			if c.code == rasterbase.NotFound && !errors.Is(err, store.ErrNotExist) {
				t.Errorf("%v does not match ErrNotExist", err)
			}
			if c.name != "unknown visibility" && strings.Contains(fmt.Sprint(err), "secret") {
				t.Errorf("a secret is shown: %v", err)
			}
		})
	}
	err := st.Catalog().View(t.Context(), func(tx store.Tx) error {
		_, n, err := tx.Layers().Find(t.Context(), store.LayerFilter{})
		if n > 0 {
			t.Errorf("%d layers are left", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	noJobLeft(t, st)
	if n := len(uploads(t, st)); n != 4 {
		t.Errorf("%d uploads are left", n)
	}
}

// picky is a Fetcher that knows what it does not like.
type picky struct{ ingest.Fetcher }

func (picky) CheckAddress(string) error {
	return rasterbase.Errorf(rasterbase.Unsupported, "picky").WithField("source")
}

// An upload becomes one layer's, however many want it.
func TestUploadIsTakenOnce(t *testing.T) {
	places(t, func(t *testing.T, place string) {
		st := at(t, place)
		p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64})
		id := upload(t, st, "raster.syn", synContents, len(synContents))
		var wg sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Upload: id})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, store.ErrNotExist) || rasterbase.CodeOf(err) != rasterbase.NotFound:
				t.Error(err)
			}
		}
		if won != 1 {
			t.Errorf("%d layers have it", won)
		}
	})
}

// An upload may be a zip file, as a file that is imported may.
func TestUploadOfAZip(t *testing.T) {
	st := swift(t)
	o := opener(wavy(rasterbase.Uint8, 1, 120, 130, nil, 5))
	o.Sources["other.syn"] = wavy(rasterbase.Float32, 1, 120, 130, nil, 5)
	p := ingest.New(ingest.Config{Store: st, Opener: o, TileSize: 64, WorkDir: t.TempDir()})
	both, err := os.ReadFile(zipped(t, "both.zip", entry{"readme.txt", "x"}, entry{"a/raster.syn", "x"}, entry{"b/other.syn", "x"}))
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Upload: upload(t, st, "both.zip", string(both), len(both))})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Finish(t.Context(), ticket); err != nil {
		t.Fatalf("a failed parse is an error: %v", err)
	}
	parse := parseOf(t, st, ticket.Parse)
	if parse.Status != rasterbase.Failed || !strings.Contains(parse.Error, "a/raster.syn") || !strings.Contains(parse.Error, "b/other.syn") {
		t.Errorf("%+v", parse)
	}
	_, ticket, err = p.Change(t.Context(), ticket.Layer, nil, func(l *rasterbase.Layer) error {
		l.Settings.Subdataset = "b/other.syn"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	layer, err := p.Run(t.Context(), ticket, nil)
	if err != nil || layer.Name != "both" {
		t.Errorf("%+v, %v", layer, err)
	}
}

// A program that parses in the request registers no parses, and Finish works on
// the one it is asked for, whatever becomes of it.
func TestInRequest(t *testing.T) {
	st := swift(t)
	p := ingest.New(ingest.Config{Store: st, Opener: small(), TileSize: 64, InRequest: true})
	create := func(name string) rasterbase.Ticket {
		ticket, err := p.Create(t.Context(), &rasterbase.Layer{}, rasterbase.SourceFrom{Upload: upload(t, st, name, "x", 1)})
		if err != nil {
			t.Fatal(err)
		}
		return ticket
	}
	good, bad, left := create("raster.syn"), create("bad.syn"), create("raster.syn")
	r := jobs.NewRunner(st, nil)
	p.Register(r)
	if err := r.RunDue(t.Context(), "parse", "parse chunk", "drop", "delete source"); err != nil {
		t.Fatal(err)
	}
	if s := parseOf(t, st, good.Parse).Status; s != rasterbase.Queued {
		t.Errorf("the server has begun the parse: it is %s", s)
	}
	for ticket, want := range map[rasterbase.Ticket]rasterbase.Status{good: rasterbase.Finished, bad: rasterbase.Failed} {
		if err := p.Finish(t.Context(), ticket); err != nil {
			t.Error(err)
		}
		if parse := parseOf(t, st, ticket.Parse); parse.Status != want {
			t.Errorf("it is %+v, want %s", parse, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Finish(ctx, left); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if s := parseOf(t, st, left.Parse).Status; s != rasterbase.Queued {
		t.Errorf("it is %s", s)
	}
	if err := p.Delete(t.Context(), left.Layer); err != nil {
		t.Fatal(err)
	}
	if err := p.Finish(t.Context(), left); err != nil {
		t.Errorf("finishing what was deleted: %v", err)
	}
	if err := p.Finish(t.Context(), rasterbase.Ticket{Layer: good.Layer}); err != nil {
		t.Errorf("finishing nothing: %v", err)
	}
	unable := ingest.New(ingest.Config{Store: st, InRequest: true})
	if _, err := unable.Reparse(t.Context(), good.Layer); rasterbase.CodeOf(err) != rasterbase.Unsupported {
		t.Errorf("a parse is queued that nobody will do: %v", err)
	}
}

// A server that opens no files takes layers for workers that do.
func TestCreateWithoutAnOpener(t *testing.T) {
	st := swift(t)
	ticket, err := ingest.New(ingest.Config{Store: st}).Create(t.Context(), &rasterbase.Layer{},
		rasterbase.SourceFrom{Upload: upload(t, st, "raster.syn", "x", 1)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ingest.New(ingest.Config{Store: st, Opener: small()}).Run(t.Context(), ticket, nil); err != nil {
		t.Error(err)
	}
}

// Preview tells what would be made, and leaves nothing.
func TestPreview(t *testing.T) {
	st, dir := swift(t), synFolder(t)
	p := ingest.New(ingest.Config{Store: st, Opener: small(), Fetcher: always("raster.syn", synContents), AllowedPaths: []string{dir}})
	id := upload(t, st, "raster.syn", synContents, len(synContents))
	var plans []*rasterbase.Plan
	for _, from := range []rasterbase.SourceFrom{{Upload: id}, {Address: "https://example.org/x"}, {Path: dir + "/raster.syn"}} {
		plan, err := p.Preview(t.Context(), from, rasterbase.Settings{MaxZoom: intPtr(4), TileSize: 128})
		if err != nil || plan.MaxZoom != 4 || plan.TileSize != 128 || plan.Grid.Width != 120 || plan.BaseTiles != 2 {
			t.Errorf("%+v: %+v, %v", from, plan, err)
		}
		plans = append(plans, plan)
	}
	if len(plans) == 3 && (plans[0].Bytes != plans[1].Bytes || plans[1].Bytes != plans[2].Bytes) {
		t.Errorf("the plans differ: %+v", plans)
	}
	for _, bad := range []rasterbase.SourceFrom{{}, {Path: dir + "/other.txt"}, {Path: "/etc/passwd"}, {Upload: "x"}} {
		if _, err := p.Preview(t.Context(), bad, rasterbase.Settings{}); err == nil || strings.Contains(err.Error(), os.TempDir()+"/raster") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := p.Preview(t.Context(), rasterbase.SourceFrom{Upload: id}, rasterbase.Settings{SRID: -1}); rasterbase.CodeOf(err) != rasterbase.Invalid {
		t.Errorf("%v", err)
	}
	if ids := sources(t, st); len(ids) != 1 || len(uploads(t, st)) != 1 {
		t.Errorf("sources %q are left of previews", ids)
	}
	if b, err := io.ReadAll(opened(t, st, uploads(t, st)[0].Source)); err != nil || !bytes.Equal(b, []byte(synContents)) {
		t.Errorf("the upload is %q, %v", b, err)
	}
	noJobLeft(t, st)
}

func opened(t *testing.T, st store.Store, source string) io.Reader {
	t.Helper()
	f, err := st.Sources().Open(t.Context(), source, "raster.syn")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
