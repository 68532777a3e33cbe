package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A parse stays within its memory whatever the raster's size: the program and
// its GDAL child together. RASTERBASE_TEST_SIDE=20000 tries it on a raster of
// 1.6 GB (make memory).
func TestAParseStaysWithinItsMemory(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	side := 4000
	if s := os.Getenv("RASTERBASE_TEST_SIDE"); s != "" {
		var err error
		if side, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "rasterbase")
	// Not this test binary: the race detector multiplies memory.
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	elevationFile(t, filepath.Join(dir, "hills.bil"), side)
	start := time.Now()
	p := startBinary(t, program, dir, "import", "hills.bil")
	var main, child int64
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	for {
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("import: %v\n%s", err, p.stderr)
			}
			t.Logf("%d x %d float32 in %s: peak resident memory %d MiB, of its GDAL child %d MiB",
				side, side, time.Since(start).Round(time.Second/10), main>>20, child>>20)
			if main == 0 || child == 0 {
				t.Error("nothing was measured")
			}
			if main+child > 512<<20 {
				t.Errorf("together %d MiB, more than 512", (main+child)>>20)
			}
			return
		case <-time.After(20 * time.Millisecond):
			main = max(main, peak(p.Process.Pid))
			for _, pid := range children(p.Process.Pid) {
				child = max(child, peak(pid))
			}
		}
	}
}

// peak is the most memory that a process has had resident, in bytes; 0 when it
// is gone.
func peak(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	line, _, _ := strings.Cut(rest, "kB")
	n, _ := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return n << 10
}

func children(pid int) (pids []int) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, t := range tasks {
		b, _ := os.ReadFile(t)
		for _, f := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(f); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids
}

// elevationFile writes rolling hills as raw float32 rows with an ESRI header:
// a format that can be written row by row, however large.
func elevationFile(t *testing.T, path string, side int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(f, 1<<20)
	row := make([]byte, 4*side)
	for y := range side {
		ridge := 500 * math.Cos(float64(y)/400)
		for x := range side {
			v := 1000 + ridge*math.Sin(float64(x)/300) + float64((x*7919^y*104729)&1023)/1024
			binary.LittleEndian.PutUint32(row[4*x:], math.Float32bits(float32(v)))
		}
		if _, err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var h bytes.Buffer
	fmt.Fprintf(&h, "NROWS %d\nNCOLS %d\nNBANDS 1\nNBITS 32\nPIXELTYPE FLOAT\nBYTEORDER I\nLAYOUT BIL\n", side, side)
	fmt.Fprintf(&h, "ULXMAP 300000\nULYMAP 5500000\nXDIM 30\nYDIM 30\n")
	base := strings.TrimSuffix(path, ".bil")
	if err := os.WriteFile(base+".hdr", h.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(base+".prj", []byte(utm33), 0o600); err != nil {
		t.Fatal(err)
	}
}
