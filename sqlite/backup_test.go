package sqlite_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/internal/testlayer"
	"github.com/rasterbase/rasterbase/sqlite"
	"github.com/rasterbase/rasterbase/store"
)

// spec is a small layer that has one value everywhere.
func spec(name string, value float64) testlayer.Spec {
	return testlayer.Spec{
		Layer:    rasterbase.Layer{Name: name, Visibility: rasterbase.Public},
		Datatype: rasterbase.Categorical, Bands: []rasterbase.Band{{PixelType: rasterbase.Uint8}},
		TileSize: 64, MaxZoom: 2, X: 30, Y: 40, Width: 150, Height: 130, Value: testlayer.Constant(value),
	}
}

// withSource gives a layer a source of its own.
func withSource(ctx context.Context, st store.Store, s testlayer.Spec, content string) (testlayer.Spec, error) {
	id, err := st.Sources().Create(ctx)
	if err != nil {
		return s, err
	}
	n, err := st.Sources().Put(ctx, id, "x.tif", strings.NewReader(content))
	if err == nil {
		_, err = st.Sources().Put(ctx, id, "x.tfw", strings.NewReader("side-car"))
	}
	s.Layer.Source = rasterbase.Source{ID: id, Name: "x.tif", Size: n}
	return s, err
}

func update(t testing.TB, st store.Store, fn func(store.Tx) error) {
	t.Helper()
	if err := st.Catalog().Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// filled is a store with one of everything, and its folder.
func filled(t *testing.T) (*sqlite.DB, string) {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	db := openFolder(t, dir, sqlite.Options{}).DB
	land := must[testlayer.Spec](t)(withSource(ctx, db, spec("Land", 3), "pixels"))
	first := must[*rasterbase.Layer](t)(testlayer.Add(ctx, db, land))
	must[*rasterbase.Layer](t)(testlayer.Add(ctx, db, spec("Other", 4)))
	many := spec("Seven bands", 5)
	many.Bands = slices.Repeat([]rasterbase.Band{{PixelType: rasterbase.Uint8}}, 7)
	must[*rasterbase.Layer](t)(testlayer.Add(ctx, db, many))
	upload := must[string](t)(db.Sources().Create(ctx))
	must[int64](t)(db.Sources().Append(ctx, upload, "big.tif", 0, strings.NewReader("half of it")))
	building := &rasterbase.Revision{Layer: first.ID, TileSize: 64}
	update(t, db, func(tx store.Tx) error {
		user := &rasterbase.User{Name: "ann", Role: rasterbase.Administrator}
		parse := &rasterbase.Parse{Layer: first.ID, Status: rasterbase.Tiling}
		if err := errors.Join(tx.Users().Create(ctx, user), tx.Revisions().Create(ctx, building)); err != nil {
			return err
		}
		parse.Revision = building.ID
		err := errors.Join(tx.Parses().Create(ctx, parse), tx.Parses().Log(ctx, parse.ID, "größe"),
			tx.Tokens().Create(ctx, &rasterbase.Token{User: user.ID, Name: "t", Hash: strings.Repeat("a", 64)}),
			tx.Uploads().Create(ctx, &rasterbase.Upload{ID: "u", Source: upload, Name: "big.tif", Size: 100}),
			tx.Legends().Create(ctx, &rasterbase.Legend{Title: "L", Entries: []rasterbase.Entry{{Semantics: rasterbase.Semantics{Name: "a"}, Expression: "1"}}}),
			tx.Jobs().Enqueue(ctx, &store.Job{Kind: "later", Args: []byte(`{"a":1}`)}),
			tx.Exports().Create(ctx, &rasterbase.Export{Owner: "ann", Status: rasterbase.Queued}),
			tx.Layers().Create(ctx, &rasterbase.Layer{Name: "Formula", Formula: &rasterbase.LayerFormula{Text: "a",
				Inputs: []rasterbase.FormulaInput{{Name: "a", Layer: first.ID}}}}))
		return err
	})
	if err := db.Tiles().Create(ctx, building); err != nil {
		t.Fatal(err)
	}
	key := store.TileKey{RevisionKey: store.RevisionKey{Layer: first.ID, Revision: building.ID}, Kind: rasterbase.Base}
	base := must[[]*rasterTile](t)(tilesOf(ctx, db, store.RevisionKey{Layer: first.ID, Revision: first.Published}))
	if err := db.Tiles().Put(ctx, []store.Tile{{TileKey: key, Raster: base[0].Raster}}); err != nil {
		t.Fatal(err)
	}
	return db, dir
}

type rasterTile = store.Tile

// tilesOf reads all tiles of a revision.
func tilesOf(ctx context.Context, st store.Store, k store.RevisionKey) (all []*rasterTile, err error) {
	for _, p := range []store.ListParams{{RevisionKey: k, Kind: rasterbase.Base}, {RevisionKey: k, Kind: rasterbase.Pyramid},
		{RevisionKey: k, Kind: rasterbase.Pyramid, Z: 1}, {RevisionKey: k, Kind: rasterbase.Pyramid, Z: 2}} {
		for tile, err := range st.Tiles().List(ctx, p) {
			if err != nil {
				return nil, err
			}
			all = append(all, &tile)
		}
	}
	return all, nil
}

// contents is everything that a store holds, in a form that can be compared.
func contents(t *testing.T, st store.Store) map[string]any {
	t.Helper()
	ctx, all := t.Context(), map[string]any{}
	err := st.Catalog().View(ctx, func(tx store.Tx) error {
		put := func(name string, v any, err error) error {
			all[name] = v
			return err
		}
		layers, _, err := tx.Layers().Find(ctx, store.LayerFilter{})
		revisions, err2 := tx.Revisions().List(ctx, 0)
		jobs, err3 := tx.Jobs().List(ctx, nil, 0)
		legends, err4 := tx.Legends().List(ctx)
		users, err5 := tx.Users().List(ctx)
		tokens, err6 := tx.Tokens().List(ctx, 0)
		uploads, err7 := tx.Uploads().List(ctx)
		exports, err8 := tx.Exports().List(ctx, "")
		err = errors.Join(err, err2, err3, err4, err5, err6, err7, err8, put("layers", layers, nil), put("revisions", revisions, nil),
			put("jobs", jobs, nil), put("legends", legends, nil), put("users", users, nil), put("tokens", tokens, nil), put("uploads", uploads, nil), put("exports", exports, nil))
		for _, l := range layers {
			p, e := tx.Parses().Latest(ctx, l.ID)
			if errors.Is(e, store.ErrNotExist) {
				continue
			}
			lines, e2 := tx.Parses().Lines(ctx, p.ID, 0)
			err = errors.Join(err, e, e2, put(fmt.Sprint("parse of ", l.ID), p, nil), put(fmt.Sprint("log of ", l.ID), lines, nil))
		}
		for _, r := range revisions {
			for depth := range 2 {
				for page, e := range tx.Revisions().Summaries(ctx, store.SummaryQuery{Revision: r.ID, Kind: rasterbase.Base, Depth: depth}) {
					err = errors.Join(err, e, put(fmt.Sprint("summaries of ", r.ID, depth, page.X, page.Y), page, nil))
				}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all["revisions"].([]*rasterbase.Revision) {
		if r.State == rasterbase.Retired {
			continue
		}
		tiles, err := tilesOf(ctx, st, store.RevisionKey{Layer: r.Layer, Revision: r.ID})
		if err != nil {
			t.Fatal(err)
		}
		for _, tile := range tiles {
			all[fmt.Sprintf("tile %+v", tile.TileKey)] = *tile.Raster
		}
	}
	for _, s := range must[[]store.StoredSource](t)(st.Sources().List(ctx)) {
		for _, name := range must[[]string](t)(st.Sources().Files(ctx, s.ID)) {
			f := must[store.SourceFile](t)(st.Sources().Open(ctx, s.ID, name))
			sum := sha256.New()
			must[int64](t)(io.Copy(sum, f))
			all["file "+s.ID+"/"+name] = sum.Sum(nil)
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return all
}

// same compares two stores.
func same(t *testing.T, a, b map[string]any) {
	t.Helper()
	for k := range a {
		if !reflect.DeepEqual(a[k], b[k]) {
			t.Errorf("%s differs:\n%+v\n%+v", k, a[k], b[k])
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			t.Errorf("%s is new", k)
		}
	}
}

// An export that has finished can be made again: it is left out with its file.
func TestBackupLeavesFinishedExportsOut(t *testing.T) {
	t.Parallel()
	db, dir := filled(t)
	made := must[string](t)(db.Sources().Create(t.Context()))
	must[int64](t)(db.Sources().Put(t.Context(), made, "x.tif", strings.NewReader("pixels")))
	want := contents(t, db)
	for name := range want {
		if strings.HasPrefix(name, "file "+made) {
			delete(want, name)
		}
	}
	update(t, db, func(tx store.Tx) error {
		return tx.Exports().Create(t.Context(), &rasterbase.Export{Owner: "ann", Status: rasterbase.Finished, Source: made})
	})
	dest, restored := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "new")
	must[*sqlite.BackupReport](t)(sqlite.Backup(t.Context(), dir, dest, sqlite.BackupOptions{}))
	must[*sqlite.BackupReport](t)(sqlite.Restore(t.Context(), dest, restored, sqlite.BackupOptions{}))
	same(t, want, contents(t, openFolder(t, restored, sqlite.Options{})))
}

// What a backup has, is in the restored store, bit by bit.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	db, dir := filled(t)
	dest, restored := filepath.Join(t.TempDir(), "a", "backup"), filepath.Join(t.TempDir(), "new")
	var stages []sqlite.BackupStage
	var last sqlite.BackupProgress
	made, err := sqlite.Backup(t.Context(), dir, dest, sqlite.BackupOptions{Progress: func(p sqlite.BackupProgress) {
		if !slices.Contains(stages, p.Stage) {
			stages = append(stages, p.Stage)
		}
		if p.Done < last.Done || p.Done > p.Planned {
			t.Errorf("progress %+v after %+v", p, last)
		}
		last = p
	}})
	if err != nil {
		t.Fatal(err)
	}
	if made.Layers != 4 || made.Revisions != 4 || made.Sources != 2 || made.Files != 8 || made.Bytes == 0 || len(stages) != 3 {
		t.Errorf("the report is %+v, the stages were %v", made, stages)
	}
	if _, err := os.Stat(dest + ".partial"); err == nil {
		t.Error("the partial folder is still there")
	}
	got, err := sqlite.Restore(t.Context(), dest, restored, sqlite.BackupOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got.Bytes != made.Bytes || got.Layers != 4 || got.Created.After(made.Created) {
		t.Errorf("the report is %+v", got)
	}
	back := openFolder(t, restored, sqlite.Options{})
	same(t, contents(t, db), contents(t, back))
	// It is a store like any other: ids go on, an upload and a revision as well.
	before := must[*rasterbase.Layer](t)(testlayer.Add(t.Context(), db, spec("after", 1)))
	after := must[*rasterbase.Layer](t)(testlayer.Add(t.Context(), back, spec("after", 1)))
	if before.ID != after.ID || before.Published != after.Published {
		t.Errorf("ids go on with %d, %d instead of %d, %d", after.ID, after.Published, before.ID, before.Published)
	}
	var upload *rasterbase.Upload
	update(t, back, func(tx store.Tx) (err error) { upload, err = tx.Uploads().Get(t.Context(), "u"); return err })
	must[int64](t)(back.Sources().Append(t.Context(), upload.Source, "big.tif", 10, strings.NewReader(" and the rest")))
}

// Jobs that ran are waiting in the restored store, as if they had not begun.
func TestRunningJobsWaitInABackup(t *testing.T) {
	t.Parallel()
	db, dir := filled(t)
	running := make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	var worker sync.WaitGroup
	worker.Go(func() {
		err := db.Queue().Work(ctx, store.WorkOptions{Handlers: map[string]store.Handler{"later": func(ctx context.Context, _ *store.Job) error {
			close(running)
			<-ctx.Done()
			return ctx.Err()
		}}})
		if err != nil {
			t.Error(err)
		}
	})
	<-running
	dest, restored := filepath.Join(t.TempDir(), "backup"), t.TempDir()
	must[*sqlite.BackupReport](t)(sqlite.Backup(t.Context(), dir, dest, sqlite.BackupOptions{}))
	stop()
	worker.Wait()
	must[*sqlite.BackupReport](t)(sqlite.Restore(t.Context(), dest, restored, sqlite.BackupOptions{}))
	err := openFolder(t, restored, sqlite.Options{}).Catalog().View(t.Context(), func(tx store.Tx) error {
		list, err := tx.Jobs().List(t.Context(), nil, 0)
		if len(list) != 1 || list[0].State != store.JobWaiting || list[0].Attempt != 0 {
			t.Errorf("the jobs are %+v", list[0])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestBackupRefusals(t *testing.T) {
	t.Parallel()
	_, dir := filled(t)
	used, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	for _, f := range []string{filepath.Join(used, "x"), file} {
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	running := filepath.Join(t.TempDir(), "b")
	if err := os.Mkdir(running+".partial", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, to string
		code     rasterbase.Code
	}{
		{t.TempDir(), filepath.Join(t.TempDir(), "b"), rasterbase.NotFound},
		{dir, used, rasterbase.Conflict},
		{dir, running, rasterbase.Conflict},
		{dir, file, rasterbase.Invalid},
		{dir, dir, rasterbase.Invalid},
		{dir, filepath.Join(dir, "backups", "today"), rasterbase.Invalid},
	} {
		_, err := sqlite.Backup(t.Context(), c.from, c.to, sqlite.BackupOptions{})
		if rasterbase.CodeOf(err) != c.code {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
	backup := filepath.Join(t.TempDir(), "b")
	must[*sqlite.BackupReport](t)(sqlite.Backup(t.Context(), dir, backup, sqlite.BackupOptions{}))
	for _, c := range []struct {
		from, to string
		code     rasterbase.Code
	}{
		{t.TempDir(), t.TempDir(), rasterbase.NotFound},
		{dir, t.TempDir(), rasterbase.NotFound},
		{backup, used, rasterbase.Conflict},
		{backup, dir, rasterbase.Conflict},
		{backup, file, rasterbase.Invalid},
	} {
		_, err := sqlite.Restore(t.Context(), c.from, c.to, sqlite.BackupOptions{})
		if rasterbase.CodeOf(err) != c.code {
			t.Errorf("%s to %s: %v", c.from, c.to, err)
		}
	}
}

// A backup that was changed, wherever, is not restored, and nothing is left.
func TestDamagedBackups(t *testing.T) {
	t.Parallel()
	_, dir := filled(t)
	good := filepath.Join(t.TempDir(), "b")
	must[*sqlite.BackupReport](t)(sqlite.Backup(t.Context(), dir, good, sqlite.BackupOptions{}))
	var files []string
	err := filepath.WalkDir(good, func(p string, d os.DirEntry, err error) error {
		if !d.IsDir() && d.Name() != "backup.json" {
			rel, relErr := filepath.Rel(good, p)
			files, err = append(files, rel), errors.Join(err, relErr)
		}
		return err
	})
	if err != nil || len(files) != 8 {
		t.Fatal(files, err)
	}
	damages := map[string]func(path string) error{
		"missing": os.Remove,
		"shorter": func(path string) error { return os.Truncate(path, 3) },
		"one bit": func(path string) error {
			b, err := os.ReadFile(path)
			b[len(b)/2] ^= 1
			return errors.Join(err, os.WriteFile(path, b, 0o600))
		},
		"empty list": func(path string) error {
			return os.WriteFile(filepath.Join(path[:strings.LastIndex(path, "bad")], "bad", "backup.json"), []byte("{"), 0o600)
		},
		"list of others": func(path string) error {
			return os.WriteFile(filepath.Join(path[:strings.LastIndex(path, "bad")], "bad", "backup.json"),
				[]byte(`{"format":1,"files":[{"path":"../../x"}]}`), 0o600)
		},
	}
	for name, damage := range damages {
		for _, f := range files {
			bad, to := filepath.Join(t.TempDir(), "bad"), filepath.Join(t.TempDir(), "new")
			if err := os.CopyFS(bad, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(bad, f)); err != nil {
				t.Fatal(err)
			}
			_, err := sqlite.Restore(t.Context(), bad, to, sqlite.BackupOptions{})
			if rasterbase.CodeOf(err) != rasterbase.Invalid || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("%s, %s: %v", f, name, err)
			}
			if _, err := os.Stat(to); err == nil {
				t.Errorf("%s, %s: something was restored", f, name)
			}
		}
	}
}

// Whenever a backup or a restore is broken off, nothing is left of it.
func TestBrokenOff(t *testing.T) {
	t.Parallel()
	_, dir := filled(t)
	parent := t.TempDir()
	good := filepath.Join(parent, "good")
	must[*sqlite.BackupReport](t)(sqlite.Backup(t.Context(), dir, good, sqlite.BackupOptions{}))
	for name, run := range map[string]func(ctx context.Context, o sqlite.BackupOptions) error{
		"backup": func(ctx context.Context, o sqlite.BackupOptions) error {
			_, err := sqlite.Backup(ctx, dir, filepath.Join(parent, "broken"), o)
			return err
		},
		"restore": func(ctx context.Context, o sqlite.BackupOptions) error {
			_, err := sqlite.Restore(ctx, good, filepath.Join(parent, "broken"), o)
			return err
		},
	} {
		broken := 0
		for at := 1; ; at++ {
			ctx, cancel := context.WithCancel(t.Context())
			steps := 0
			err := run(ctx, sqlite.BackupOptions{Progress: func(sqlite.BackupProgress) {
				if steps++; steps == at {
					cancel()
				}
			}})
			cancel()
			if err == nil {
				break
			}
			broken++
			if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 || !errors.Is(ctx.Err(), context.Canceled) {
				t.Fatalf("%s broken off at step %d leaves %v, %v", name, at, entries, err)
			}
		}
		if err := os.RemoveAll(filepath.Join(parent, "broken")); err != nil || broken < 5 {
			t.Errorf("%s was broken off %d times, %v", name, broken, err)
		}
	}
}

// A folder into which a restore was killed is not served, and restored into
// again.
func TestRestoreAfterAKill(t *testing.T) {
	t.Parallel()
	db, dir := filled(t)
	parent := t.TempDir()
	backup, to := filepath.Join(parent, "backup"), filepath.Join(parent, "store")
	must[*sqlite.BackupReport](t)(sqlite.Backup(t.Context(), dir, backup, sqlite.BackupOptions{}))
	if err := os.CopyFS(to, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "restoring"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), to, sqlite.Options{}); rasterbase.CodeOf(err) != rasterbase.Conflict {
		t.Errorf("it was opened: %v", err)
	}
	must[*sqlite.BackupReport](t)(sqlite.Restore(t.Context(), backup, to, sqlite.BackupOptions{}))
	same(t, contents(t, db), contents(t, openFolder(t, to, sqlite.Options{})))
}
