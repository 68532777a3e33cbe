package tempdir_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase/internal/tempdir"
)

const asOwner = "RASTERBASE_TEST_OWNER"

// TestMain lets this program be another process that has a folder.
func TestMain(m *testing.M) {
	if parent := os.Getenv(asOwner); parent != "" {
		d, err := tempdir.Make(parent, "mine-")
		if err == nil {
			err = os.WriteFile(filepath.Join(d.Path, "file"), make([]byte, 1000), 0o600)
		}
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(d.Path)
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Folders of a process that was killed are removed, those of a living one and
// others' files are not.
func TestCollect(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders are not locked here")
	}
	parent := t.TempDir()
	start := func() (*exec.Cmd, string) {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), asOwner+"="+parent)
		if _, err := cmd.StdinPipe(); err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return cmd, strings.TrimSpace(line)
	}
	killed, left := start()
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait()
	living, used := start()
	defer func() {
		_ = living.Process.Kill()
		_ = living.Wait()
	}()
	mine, err := tempdir.Make(parent, "mine-")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"theirs-1", "mine-link"} {
		if name == "mine-link" {
			err = os.Symlink(parent, filepath.Join(parent, name))
		} else {
			err = os.Mkdir(filepath.Join(parent, name), 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(parent, "mine-file"), make([]byte, 500), 0o600); err != nil {
		t.Fatal(err)
	}
	prefixes := []string{"mine-"}
	c, err := tempdir.Collect(parent, prefixes, time.Now().Add(-time.Hour))
	if err != nil || c != (tempdir.Collected{}) {
		t.Errorf("before their time, %+v were removed, %v", c, err)
	}
	c, err = tempdir.Collect(parent, prefixes, time.Now().Add(time.Second))
	if want := (tempdir.Collected{Entries: 2, Bytes: 1500}); err != nil || c != want {
		t.Errorf("removed were %+v, want %+v, %v", c, want, err)
	}
	for path, want := range map[string]bool{left: false, used: true, mine.Path: true,
		filepath.Join(parent, "theirs-1"): true, filepath.Join(parent, "mine-link"): true, filepath.Join(parent, "mine-file"): false} {
		if _, err := os.Lstat(path); (err == nil) != want {
			t.Errorf("%s: there %v, want %v", filepath.Base(path), err == nil, want)
		}
	}
	for range 2 {
		if err := mine.Remove(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(mine.Path); !os.IsNotExist(err) {
		t.Error("the folder is still there")
	}
}

func TestCollectWhereNothingIs(t *testing.T) {
	c, err := tempdir.Collect(filepath.Join(t.TempDir(), "none"), []string{"mine-"}, time.Now())
	if err != nil || c.Entries != 0 {
		t.Errorf("removed were %+v, %v", c, err)
	}
}
