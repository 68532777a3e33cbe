package sqlite

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/rasterbase/rasterbase"
)

// smallDisk is a file on a disk that has room for so many bytes. What was
// written since the last Sync is lost when that fails, as on a disk that finds
// its room late.
type smallDisk struct {
	data    []byte
	room    int
	late    bool // only Sync tells
	durable int
}

func (d *smallDisk) Write(b []byte) (int, error) {
	if fits := d.room - len(d.data); len(b) > fits && !d.late {
		d.data = append(d.data, b[:fits]...)
		return fits, syscall.ENOSPC
	}
	d.data = append(d.data, b...)
	return len(b), nil
}

func (d *smallDisk) Sync() error {
	if len(d.data) > d.room {
		return syscall.ENOSPC
	}
	d.durable = len(d.data)
	return nil
}

func (d *smallDisk) Truncate(size int64) error {
	d.data = d.data[:size]
	return nil
}

// On a full disk what is durable stays, and nothing else.
func TestAppendToAFullDisk(t *testing.T) {
	const room = syncEvery + 1000
	for name, late := range map[string]bool{"Write tells": false, "Sync tells": true} {
		t.Run(name, func(t *testing.T) {
			d := &smallDisk{room: room, late: late}
			size, err := extend(d, 0, io.LimitReader(zeros{}, syncEvery+5000))
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("the error is %v", err)
			}
			want := int64(room)
			if late {
				want = syncEvery
			}
			if size != want || d.durable != int(want) || len(d.data) != int(want) {
				t.Errorf("%d bytes, %d of them durable, said to be %d; want %d", len(d.data), d.durable, size, want)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// The error of a full disk has a code and a hint, as that of Put.
func TestAppendTellsOfAFullDisk(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{})
	id, err := db.Sources().Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	size, err := db.Sources().Append(t.Context(), id, "a.tif", 0, io.MultiReader(strings.NewReader("some"), fullDisk{}))
	if size != 4 || rasterbase.CodeOf(err) != rasterbase.TooLarge || !strings.Contains(err.Error(), db.dir) {
		t.Errorf("%d bytes, %v", size, err)
	}
}

// A reader that breaks off leaves what came before, through the real file.
func TestAppendAcrossSyncs(t *testing.T) {
	db := openTest(t, t.TempDir(), Options{})
	id, err := db.Sources().Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("broken")
	r := io.MultiReader(io.LimitReader(zeros{}, 2*syncEvery), strings.NewReader("end"), iotest.ErrReader(cause))
	size, err := db.Sources().Append(t.Context(), id, "a.tif", 0, r)
	if size != 2*syncEvery+3 || !errors.Is(err, cause) {
		t.Fatal(size, err)
	}
	got, err := os.ReadFile(filepath.Join(db.dir, "sources", id, "a.tif"))
	if err != nil || len(got) != 2*syncEvery+3 || !bytes.HasSuffix(got, []byte("\x00end")) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// childOf names the source that a copy of this test's program adds to.
const childOf = "RASTERBASE_TEST_APPEND"

// The lock holds between processes, and dies with the one that has it.
func TestAppendLockDiesWithItsProcess(t *testing.T) {
	if where := os.Getenv(childOf); where != "" {
		appendForever(t, where)
		return
	}
	dir := t.TempDir()
	db := openTest(t, dir, Options{})
	id, err := db.Sources().Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	child.Env = append(os.Environ(), childOf+"="+dir+"|"+id)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 1)); err != nil { // it is reading under the lock
		t.Fatal(err)
	}
	size, err := db.Sources().Append(t.Context(), id, "a.tif", 0, strings.NewReader("x"))
	if rasterbase.CodeOf(err) != rasterbase.Conflict {
		t.Errorf("beside another process: %d, %v", size, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed
	info, err := os.Stat(filepath.Join(dir, "sources", id, "a.tif"))
	if err != nil {
		t.Fatal(err)
	}
	if size, err = db.Sources().Append(t.Context(), id, "a.tif", info.Size(), strings.NewReader("go on")); err != nil || size != info.Size()+5 {
		t.Errorf("after its death: %d, %v", size, err)
	}
}

// appendForever says a byte once it has the lock, and reads no end.
func appendForever(t *testing.T, where string) {
	dir, id, _ := strings.Cut(where, "|")
	db := openTest(t, dir, Options{})
	size, err := db.Sources().Append(context.Background(), id, "a.tif", 0, io.MultiReader(strings.NewReader("begun"), &announcing{}))
	t.Error(strconv.FormatInt(size, 10), err)
}

type announcing struct{ said bool }

func (a *announcing) Read([]byte) (int, error) {
	if !a.said {
		a.said = true
		_, err := os.Stdout.WriteString("!")
		return 0, err
	}
	time.Sleep(time.Hour) // until it is killed
	return 0, io.EOF
}
