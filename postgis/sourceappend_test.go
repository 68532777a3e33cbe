package postgis_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/postgis"
)

// Connections that are lost while a file grows cost no byte that Append said to
// be there, and no byte is there twice.
func TestLostConnectionsWhileAFileGrows(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	victim := victimStore(t, db)
	// Every third piece ends the connection that writes it.
	execute(t, newPool(t, db.url), `CREATE SEQUENCE public.pieces`, `CREATE FUNCTION public.interrupt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
			IF current_setting('application_name') = 'victim' AND nextval('public.pieces') % 3 = 0 THEN
				PERFORM pg_terminate_backend(pg_backend_pid());
			END IF;
			RETURN NEW;
		END $$`,
		`CREATE TRIGGER interrupting BEFORE INSERT ON rasterbase.source_pieces FOR EACH ROW EXECUTE FUNCTION public.interrupt()`)
	id, err := victim.Sources().Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	content := make([]byte, 9<<20+4321)
	if _, err := rand.NewChaCha8([32]byte{1}).Read(content); err != nil {
		t.Fatal(err)
	}
	var size int64
	lost := 0
	for size < int64(len(content)) {
		end := min(size+5<<18, int64(len(content)))
		if size, err = victim.Sources().Append(t.Context(), id, "a.tif", size, bytes.NewReader(content[size:end])); err == nil {
			continue
		}
		if lost++; rasterbase.CodeOf(err) != rasterbase.Busy {
			t.Fatalf("a lost connection is %v", err)
		}
	}
	if lost < 3 {
		t.Errorf("the connection was lost %d times", lost)
	}
	f, err := db.Sources().Open(t.Context(), id, "a.tif")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the file has %d bytes, not those %d, %v", len(got), len(content), err)
	}
}

// The removal of files that were never finished leaves those alone that grow,
// however long ago that was.
func TestFilesThatGrowAreNotUnfinished(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, postgis.Options{})
	id, err := db.Sources().Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Sources().Append(t.Context(), id, "a.tif", 0, bytes.NewReader([]byte("begun"))); err != nil {
		t.Fatal(err)
	}
	execute(t, newPool(t, db.url), `UPDATE rasterbase.source_files SET touched = touched - interval '30 days'`)
	if _, err := db.Sources().Create(t.Context()); err != nil { // takes the opportunity
		t.Fatal(err)
	}
	if size, err := db.Sources().Append(t.Context(), id, "a.tif", 5, bytes.NewReader([]byte(" and ended"))); err != nil || size != 15 {
		t.Errorf("%d bytes, %v", size, err)
	}
}
