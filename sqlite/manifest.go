package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// manifestName is the file of a backup that lists the others.
const manifestName = "backup.json"

// manifestFormat is the version of the form of a backup.
const manifestFormat = 1

// manifest lists the files of a backup.
type manifest struct {
	Format  int            `json:"format"`
	Created time.Time      `json:"created"` // the moment of the catalog
	Schema  int64          `json:"schema"`  // of the catalog
	Files   []manifestFile `json:"files"`   // by path
}

// manifestFile is one file of a backup.
type manifestFile struct {
	Path   string `json:"path"` // below the folder, with slashes
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// finish takes away what the catalog does not refer to any more, checks what is
// there, and lists it.
func (b *backup) finish(ctx context.Context, s *moment) error {
	b.at(CheckingBackup)
	if err := b.prune(s); err != nil {
		return err
	}
	m := &manifest{Format: manifestFormat, Created: s.at.UTC().Truncate(time.Microsecond), Schema: s.schema}
	for _, p := range slices.Sorted(maps.Keys(b.listed)) {
		m.Files = append(m.Files, b.listed[p])
	}
	if err := checkBackup(ctx, b.partial, m, &b.report); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("listing the files: %w", err)
	}
	_, err = writeFile(ctx, bytes.NewReader(append(text, '\n')), filepath.Join(b.partial, manifestName), func(int64) {})
	if err != nil {
		return fmt.Errorf("listing the files: %w", err)
	}
	return syncFolders(b.partial)
}

// prune deletes from the partial folder what was copied and is of no use any
// more.
func (b *backup) prune(s *moment) error {
	used := map[string]bool{}
	for _, k := range slices.Concat(s.published, s.building) {
		used[path.Join(tilesFolder, tileFileName(k))] = true
	}
	refers := s.refersTo()
	entries, err := os.ReadDir(filepath.Join(b.partial, sourcesFolder))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !refers[e.Name()] {
			if err := os.RemoveAll(filepath.Join(b.partial, sourcesFolder, e.Name())); err != nil {
				return err
			}
		}
	}
	for p := range b.listed {
		of, name, _ := strings.Cut(p, "/")
		id, _, _ := strings.Cut(name, "/")
		switch {
		case of == tilesFolder && !used[p]:
			if err := os.Remove(filepath.Join(b.partial, filepath.FromSlash(p))); err != nil {
				return err
			}
			delete(b.listed, p)
		case of == sourcesFolder && !refers[id]:
			delete(b.listed, p)
		}
	}
	return nil
}

// syncFolders makes the names in a folder and those below durable.
func syncFolders(dir string) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncDir(p)
	})
}

// readManifest reads the list of a backup.
func readManifest(dir string) (*manifest, error) {
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if errors.Is(err, fs.ErrNotExist) {
		e := rasterbase.Errorf(rasterbase.NotFound, "there is no backup in %s", dir)
		if strings.HasSuffix(dir, partialSuffix) {
			return nil, e.WithHint("it is one that was broken off")
		}
		return nil, e.WithHint("name a folder that `rasterbase backup` has made")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the list of the backup: %w", err)
	}
	m := &manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, rasterbase.Errorf(rasterbase.Invalid, "the list %s of the backup is damaged: %w", manifestName, err)
	}
	if m.Format != manifestFormat {
		return nil, rasterbase.Errorf(rasterbase.Unsupported, "the backup has format %d, and this rasterbase knows format %d", m.Format, manifestFormat).
			WithHint("use the newer rasterbase that made it")
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Path)) || f.Path == manifestName {
			return nil, rasterbase.Errorf(rasterbase.Invalid, "the list %s of the backup is damaged: it names %q", manifestName, f.Path)
		}
	}
	return m, nil
}

// damaged is the error of a backup in which something is not as it should be.
func damaged(format string, args ...any) error {
	return rasterbase.Errorf(rasterbase.Invalid, "the backup is damaged: "+format, args...).
		WithHint("use another backup; this one cannot be trusted")
}

// checkBackup makes sure that everything is there that the catalog of a backup
// refers to, and counts it. Checksums are not looked at.
func checkBackup(ctx context.Context, dir string, m *manifest, r *BackupReport) (err error) {
	listed := map[string]manifestFile{}
	r.Files, r.Bytes = len(m.Files), 0
	for _, f := range m.Files {
		listed[f.Path] = f
		r.Bytes += f.Size
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(f.Path)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return damaged("%s is missing", f.Path)
		case err != nil:
			return err
		case info.Size() != f.Size:
			return damaged("%s has %d bytes, not %d", f.Path, info.Size(), f.Size)
		}
	}
	if _, ok := listed[catalogName]; !ok {
		return damaged("it has no catalog")
	}
	// A database that nobody writes is read without locks and leaves nothing
	// beside it.
	db, conn, err := openStill(ctx, filepath.Join(dir, catalogName))
	if err != nil {
		return fmt.Errorf("reading the catalog: %w", err)
	}
	defer func() { err = errors.Join(err, closeDatabase(db, conn)) }()
	var verdict string
	if err := conn.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&verdict); err != nil || verdict != "ok" {
		return errors.Join(damaged("SQLite says of the catalog: %s", verdict), err)
	}
	s := &moment{conn: conn, begun: map[store.RevisionKey]bool{}}
	if err := s.read(ctx, dir); err != nil {
		return err
	}
	r.Layers, r.Sources = s.layers, len(s.sources)+len(s.uploads)
	if err := checkTiles(ctx, dir, s, listed, r); err != nil {
		return err
	}
	return checkFiles(ctx, s, listed)
}

// openStill opens a database file that nobody writes.
func openStill(ctx context.Context, file string) (*sql.DB, *sql.Conn, error) {
	db, err := sql.Open("sqlite", dsn(file, "ro", "query_only(1)")+"&immutable=1")
	if err != nil {
		return nil, nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, conn, nil
}

// checkTiles looks for the tiles of each revision. Those that are recorded are
// at least as many as places have a tile: bands beyond the fourth have more.
func checkTiles(ctx context.Context, dir string, s *moment, listed map[string]manifestFile, r *BackupReport) error {
	r.Revisions = 0
	for _, k := range s.published {
		name := path.Join(tilesFolder, tileFileName(k))
		if _, ok := listed[name]; !ok {
			return damaged("the tiles of revision %d of layer %d are missing", k.Revision, k.Layer)
		}
		var want int64
		err := s.conn.QueryRowContext(ctx, `SELECT coalesce(json_extract(CAST(document AS TEXT), '$.base_tiles'), 0) +
			coalesce(json_extract(CAST(document AS TEXT), '$.pyramid_tiles'), 0) FROM revisions WHERE id = ?`, k.Revision).Scan(&want)
		if err != nil {
			return fmt.Errorf("reading revision %d: %w", k.Revision, err)
		}
		have, version, err := countTiles(ctx, filepath.Join(dir, filepath.FromSlash(name)))
		switch {
		case err != nil:
			return errors.Join(damaged("%s cannot be read", name), err)
		case version != fileSealed:
			return damaged("%s was not finished", name)
		case have < want:
			return damaged("%s has %d tiles, not %d", name, have, want)
		}
		r.Revisions++
	}
	for _, k := range s.building {
		_, ok := listed[path.Join(tilesFolder, tileFileName(k))]
		if !ok && s.begun[k] {
			return damaged("the tiles of revision %d of layer %d, which is being built, are missing", k.Revision, k.Layer)
		}
		if ok {
			r.Revisions++
		}
	}
	return nil
}

func countTiles(ctx context.Context, file string) (n int64, version int, err error) {
	db, conn, err := openStill(ctx, file)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, closeDatabase(db, conn)) }()
	return n, version, conn.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM tiles), user_version FROM pragma_user_version`).Scan(&n, &version)
}

// checkFiles looks for the source of each layer.
func checkFiles(ctx context.Context, s *moment, listed map[string]manifestFile) error {
	type source struct {
		layer    rasterbase.LayerID
		id, name string
		size     int64
	}
	all, err := collectRows(ctx, s.conn, `SELECT id, source_id, source_name, source_size FROM layers WHERE source_id <> '' ORDER BY id`,
		func(rows *sql.Rows) (f source, err error) { return f, rows.Scan(&f.layer, &f.id, &f.name, &f.size) })
	if err != nil {
		return fmt.Errorf("reading the sources: %w", err)
	}
	for _, f := range all {
		have, ok := listed[path.Join(sourcesFolder, f.id, f.name)]
		switch {
		case !ok:
			return damaged("the source %s of layer %d is missing", f.name, f.layer)
		case f.size != 0 && have.Size != f.size: // it may not be known
			return damaged("the source %s of layer %d has %d bytes, not %d", f.name, f.layer, have.Size, f.size)
		}
	}
	return nil
}
