package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/internal/rastertest"
	"github.com/rasterbase/rasterbase/sqlite"
)

// smallDisk mounts a disk of some bytes and runs a test on it. Where this
// process may not mount, it starts itself again in a namespace where it may.
func smallDisk(t *testing.T, bytes int, fn func(t *testing.T, dir string)) {
	const inside = "RASTERBASE_TEST_INSIDE"
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes))
	if err == nil {
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		})
		fn(t, dir)
		return
	}
	if os.Getenv(inside) != "" {
		t.Fatalf("mount in a namespace of its own: %v", err)
	}
	self, err2 := os.Executable()
	if err2 != nil {
		t.Fatal(err2)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err2 := cmd.CombinedOutput()
	switch _, ran := errors.AsType[*exec.ExitError](err2); {
	case err2 == nil:
	case ran && !strings.Contains(string(out), "mount in a namespace"):
		t.Fatalf("on a small disk: %v\n%s", err2, out)
	case mustMount():
		t.Fatalf("a small disk cannot be mounted: %v; %v\n%s", err, err2, out)
	default:
		t.Skipf("a small disk cannot be mounted: %v; %v", err, err2)
	}
}

func mustMount() bool {
	for _, s := range strings.Split(os.Getenv("RASTERBASE_TEST_REQUIRE"), ",") {
		if s == "mount" {
			return true
		}
	}
	return false
}

// A disk that is full ends a parse with a reason that names it, as soon as there
// is room to write the reason; what was there before is still served, and the
// store goes on working.
func TestFullDisk(t *testing.T) {
	smallDisk(t, 12<<20, func(t *testing.T, dir string) {
		// Noise does not compress.
		noise := wavy(rasterbase.Float32, 1, 2200, 2200, nil, 100)
		noise.Value = func(_, col, row int) float64 { return float64(noiseAt(col, row)) }
		o := &rastertest.Opener{Sources: map[string]rastertest.Source{"small.syn": wavy(rasterbase.Uint8, 1, 100, 100, nil, 5), "large.syn": noise}}
		st, err := sqlite.Open(t.Context(), filepath.Join(dir, "data"), sqlite.Options{Heartbeat: 20 * time.Millisecond, Poll: 20 * time.Millisecond, Backoff: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := st.Close(); err != nil {
				t.Error(err)
			}
		}()
		p := ingest.New(ingest.Config{Store: st, Opener: o, WorkDir: t.TempDir()})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		small, err := p.Import(ctx, ingest.Request{Source: fileNamed(t, "small.syn")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := contents(t, st, small.ID)
		// The disk is full at different moments of a parse.
		for _, room := range []int64{8 << 20, 3 << 20, 1 << 20, 500 << 10, 200 << 10, 60 << 10} {
			filler := fill(t, dir, room)
			fullDisk(ctx, t, p, st)
			if after := contents(t, st, small.ID); !reflect.DeepEqual(before, after) {
				t.Error("what was there before has changed")
			}
			keys, err := st.Tiles().Revisions(ctx)
			if err != nil || len(keys) != 1 {
				t.Errorf("stored are %v, %v", keys, err)
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			again, err := p.Import(ctx, ingest.Request{Source: fileNamed(t, "small.syn")}, nil)
			if err != nil {
				t.Fatalf("with room again: %v", err)
			}
			if err := p.Delete(ctx, again.ID); err != nil {
				t.Fatal(err)
			}
		}
		filler := fill(t, dir, 200<<10)
		waiting := make(chan struct{})
		go func() {
			defer close(waiting)
			fullDisk(ctx, t, p, st)
		}()
		time.Sleep(300 * time.Millisecond)
		if after := contents(t, st, small.ID); !reflect.DeepEqual(before, after) {
			t.Error("what was there before is not served from the full disk")
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		<-waiting
	})
}

// fill leaves so much room on a disk.
func fill(t *testing.T, dir string, room int64) (filler string) {
	t.Helper()
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		t.Fatal(err)
	}
	free := int64(s.Bavail) * s.Bsize
	t.Logf("%d of %d bytes are left free", min(room, free), free)
	filler = filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, max(0, free-room)), 0o600); err != nil {
		t.Fatal(err)
	}
	return filler
}

func fullDisk(ctx context.Context, t *testing.T, p *ingest.Parser, st *sqlite.DB) {
	t.Helper()
	layer, err := p.Import(ctx, ingest.Request{Source: fileNamed(t, "large.syn")}, nil)
	if err == nil {
		t.Error("the disk was not full")
		return
	}
	if text := err.Error(); !strings.Contains(text, "disk is full") && !strings.Contains(text, "no space left") {
		t.Errorf("the reason does not name the disk: %v", err)
	}
	if layer == nil { // not even the record of the layer had room
		return
	}
	parse, _ := latest(t, st, layer.ID)
	if parse.Status != rasterbase.Failed || parse.Error == "" {
		t.Errorf("the parse is %s: %q", parse.Status, parse.Error)
	}
}

func noiseAt(col, row int) uint32 {
	h := uint64(col)*0x9e3779b97f4a7c15 ^ uint64(row)*0xbf58476d1ce4e5b9
	h ^= h >> 31
	h *= 0xd6e8feb86659fd93
	return uint32(h>>32) & 0xffffff
}
