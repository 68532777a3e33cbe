package storetest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Sources tests the contract of store.Sources.
func Sources(t *testing.T, open func(t *testing.T) store.Store) {
	suite(t, open, map[string]func(*testing.T, store.Store){
		"RoundTrip": sourcesRoundTrip, "WholeOrNotAtAll": sourcesWhole, "Names": sourcesNames,
		"Missing": sourcesMissing, "Delete": sourcesDelete, "OtherProcess": sourcesOtherProcess,
		"AppendAnySize": appendsAnySize, "AppendConflict": appendsConflict, "AppendBroken": appendsBroken,
		"AppendCancelled": appendsCancelled, "AppendAtOnce": appendsAtOnce, "AppendSlowAndFast": appendsSlowAndFast,
		"AppendOtherProcess": appendsOtherProcess, "AppendSeen": appendsSeen, "AppendReplaced": appendsReplaced,
		"Changed": sourcesChanged,
	})
}

func newSource(t *testing.T, s store.Store) string {
	t.Helper()
	id, err := s.Sources().Create(t.Context())
	must(t, err)
	return id
}

func sourcesRoundTrip(t *testing.T, s store.Store) {
	ctx := t.Context()
	id := newSource(t, s)
	content := bytes.Repeat([]byte("raster "), 30000)
	n, err := s.Sources().Put(ctx, id, "land cover.tif", bytes.NewReader(content))
	must(t, err)
	wantEqual(t, "size", n, int64(len(content)))
	_, err = s.Sources().Put(ctx, id, "LAND.tfw", strings.NewReader("10"))
	must(t, err)
	_, err = s.Sources().Put(ctx, id, "größe 土地.xml", strings.NewReader(""))
	must(t, err)
	names, err := s.Sources().Files(ctx, id)
	must(t, err)
	if !slices.Equal(names, []string{"LAND.tfw", "größe 土地.xml", "land cover.tif"}) {
		t.Errorf("files %q", names)
	}

	f, err := s.Sources().Open(ctx, id, "land cover.tif")
	must(t, err)
	wantEqual(t, "Size", f.Size(), int64(len(content)))
	part := make([]byte, 6)
	_, err = f.ReadAt(part, 7*1000)
	must(t, err)
	wantEqual(t, "a part", string(part), "raster")
	_, err = f.Seek(-7, io.SeekEnd)
	must(t, err)
	rest, err := io.ReadAll(f)
	must(t, err)
	wantEqual(t, "the end", string(rest), "raster ")
	must(t, f.Close())

	dir, release, err := s.Sources().Local(ctx, id)
	must(t, err)
	local, err := os.ReadFile(filepath.Join(dir, "land cover.tif"))
	must(t, err)
	if !bytes.Equal(local, content) {
		t.Error("the local file differs")
	}
	release()

	_, err = s.Sources().Put(ctx, id, "LAND.tfw", strings.NewReader("20"))
	must(t, err)
	wantEqual(t, "a replaced file", readSource(t, s, id, "LAND.tfw"), "20")
}

func readSource(t *testing.T, s store.Store, id, name string) string {
	t.Helper()
	f, err := s.Sources().Open(t.Context(), id, name)
	must(t, err)
	b, err := io.ReadAll(f)
	must(t, err)
	must(t, f.Close())
	return string(b)
}

func sourcesWhole(t *testing.T, s store.Store) {
	id := newSource(t, s)
	_, err := s.Sources().Put(t.Context(), id, "a.tif", strings.NewReader("old"))
	must(t, err)
	broken := errors.New("the upload broke off")
	for _, name := range []string{"a.tif", "b.tif"} {
		r := io.MultiReader(strings.NewReader("half"), failing{broken})
		_, err := s.Sources().Put(t.Context(), id, name, r)
		wantIs(t, err, broken)
	}
	if _, err := s.Sources().Put(cancelledContext(t), id, "c.tif", strings.NewReader("x")); err == nil {
		t.Error("a file was written with a context that is done")
	}
	names, err := s.Sources().Files(t.Context(), id)
	must(t, err)
	if !slices.Equal(names, []string{"a.tif"}) {
		t.Errorf("files %q", names)
	}
	wantEqual(t, "the file", readSource(t, s, id, "a.tif"), "old")
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func sourcesNames(t *testing.T, s store.Store) {
	id := newSource(t, s)
	for _, name := range []string{"", ".", "..", "../x", "a/b", `a\b`, "/etc/passwd", "a\x00b", strings.Repeat("n", 300)} {
		_, err := s.Sources().Put(t.Context(), id, name, strings.NewReader("x"))
		wantCode(t, err, rasterbase.Invalid)
		_, err = s.Sources().Append(t.Context(), id, name, 0, strings.NewReader("x"))
		wantCode(t, err, rasterbase.Invalid)
		if f, err := s.Sources().Open(t.Context(), id, name); err == nil {
			t.Errorf("%q could be opened", name)
			must(t, f.Close())
		}
	}
	names, err := s.Sources().Files(t.Context(), id)
	must(t, err)
	wantEqual(t, "number of files", len(names), 0)
}

func sourcesMissing(t *testing.T, s store.Store) {
	id := newSource(t, s)
	_, err := s.Sources().Open(t.Context(), id, "none.tif")
	wantNotExist(t, err)
	for _, no := range []string{"", "nothere", "..", ".", "../" + id, id + "/../" + id} {
		_, err := s.Sources().Open(t.Context(), no, "a.tif")
		wantNotExist(t, err)
		_, err = s.Sources().Put(t.Context(), no, "a.tif", strings.NewReader("x"))
		wantNotExist(t, err)
		_, err = s.Sources().Append(t.Context(), no, "a.tif", 0, strings.NewReader("x"))
		wantNotExist(t, err)
		_, err = s.Sources().Files(t.Context(), no)
		wantNotExist(t, err)
		_, _, err = s.Sources().Local(t.Context(), no)
		wantNotExist(t, err)
		must(t, s.Sources().Delete(t.Context(), no))
	}
	wantSources(t, s, id)
}

// wantSources checks which sources are listed.
func wantSources(t *testing.T, s store.Store, want ...string) {
	t.Helper()
	list, err := s.Sources().List(t.Context())
	must(t, err)
	var ids []string
	for _, l := range list {
		ids = append(ids, l.ID)
	}
	if !slices.Equal(ids, want) {
		t.Errorf("sources %q, not %q", ids, want)
	}
}

func sourcesDelete(t *testing.T, s store.Store) {
	a, b := newSource(t, s), newSource(t, s)
	if a == b {
		t.Fatal("two sources have one id")
	}
	for _, id := range []string{a, b} {
		_, err := s.Sources().Put(t.Context(), id, "x.tif", strings.NewReader(id))
		must(t, err)
	}
	for range 2 {
		must(t, s.Sources().Delete(t.Context(), a))
		_, err := s.Sources().Open(t.Context(), a, "x.tif")
		wantNotExist(t, err)
	}
	wantEqual(t, "the other source", readSource(t, s, b, "x.tif"), b)
	wantSources(t, s, b)
}

func sourcesOtherProcess(t *testing.T, s store.Store) {
	other := again(t, s)
	id := newSource(t, s)
	_, err := other.Sources().Put(t.Context(), id, "x.tif", strings.NewReader("shared"))
	must(t, err)
	wantEqual(t, "the file", readSource(t, s, id, "x.tif"), "shared")
}
