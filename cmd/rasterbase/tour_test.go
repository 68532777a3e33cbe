package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase/demo"
	"github.com/rasterbase/rasterbase/internal/pgtest"
)

// The tour of README.md is typed line by line, and the program answers what
// stands there, but for times and sizes of images.
func TestTheTourInREADME(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	steps := tour(t, "console", 6)
	dir := tourFolder(t)
	for i, got := range typeInto(t, dir, steps) {
		if mask(got) != mask(steps[i].output) {
			t.Errorf("$ %s\nREADME.md says:\n%s\nthe program says:\n%s", steps[i].command, steps[i].output, got)
		}
	}
	p := start(t, dir, "serve", "--data", "tour", "--addr", "127.0.0.1:0")
	base := strings.TrimSuffix(p.until(t, "rasterbase is at "), "/")
	for _, a := range addresses(t) {
		getPage(t, base+a).Body.Close()
	}
	if err := p.stop(); err != nil {
		t.Errorf("the server ended with %v:\n%s", err, p.stderr)
	}
}

// So is the tour in a database.
func TestTheTourInPostGIS(t *testing.T) {
	if !hasGDAL(t) {
		t.Skip("this build has no GDAL")
	}
	t.Setenv("RASTER_DATABASE_URL", pgtest.Database(t))
	steps := append([]step{{command: "rasterbase migrate >/dev/null"}}, tour(t, "console postgis", 3)...)
	for i, got := range typeInto(t, tourFolder(t), steps) {
		if mask(got) != mask(steps[i].output) {
			t.Errorf("$ %s\nREADME.md says:\n%s\nthe program says:\n%s", steps[i].command, steps[i].output, got)
		}
	}
}

// tourFolder is a folder like that of the project, with the demo's rasters.
func tourFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "demo"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, r := range demo.Rasters() {
		if err := unpack(r, filepath.Join(dir, "demo")); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// addresses are those of README.md's table, without the one with braces.
func addresses(t *testing.T) (all []string) {
	t.Helper()
	for line := range strings.Lines(readme(t)) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, m := range regexp.MustCompile("`(/[^`{]*)`").FindAllStringSubmatch(cells[1], -1) {
			all = append(all, m[1])
		}
	}
	if len(all) < 6 {
		t.Fatalf("README.md has the addresses %q", all)
	}
	return all
}

// step is a command of the tour and what README.md says it prints.
type step struct{ command, output string }

// tour reads the blocks of README.md that are marked as typed; there are as
// many commands in them at least.
func tour(t *testing.T, mark string, least int) []step {
	t.Helper()
	var steps []step
	for _, block := range regexp.MustCompile("(?s)```"+mark+"\n(.*?)```").FindAllStringSubmatch(readme(t), -1) {
		for line := range strings.Lines(block[1]) {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				steps = append(steps, step{command: strings.TrimSpace(command)})
			} else {
				steps[len(steps)-1].output += line
			}
		}
	}
	if len(steps) < least {
		t.Fatalf("README.md has %d commands in blocks marked %s", len(steps), mark)
	}
	return steps
}

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// typeInto gives what each command prints in one shell.
func typeInto(t *testing.T, dir string, steps []step) []string {
	t.Helper()
	const end = "--- end of the output ---\n"
	var script strings.Builder
	for _, s := range steps {
		script.WriteString(strings.ReplaceAll(s.command, "/tmp/tour", filepath.Join(dir, "tour")) + "\nprintf -- '" + strings.TrimSpace(end) + "\\n'\n")
	}
	cmd := exec.CommandContext(t.Context(), "sh")
	cmd.Dir = dir
	cmd.Stdin = strings.NewReader(script.String())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("the last command ended with %v", err)
	}
	printed := strings.Split(out.String(), end)
	if len(printed) != len(steps)+1 || printed[len(steps)] != "" {
		t.Fatalf("%d commands printed:\n%s", len(steps), out.String())
	}
	return printed[:len(steps)]
}

var (
	// onTheWay are the lines of progress, which a terminal shows as a bar that
	// is gone in the end.
	onTheWay = regexp.MustCompile(`(?m)^\S+: (queued|inspecting|creating tiles|building pyramid|publishing|finished)( \(.*\))?\n`)
	varying  = regexp.MustCompile(`in [0-9.]+(ms|s)\b|expires on [0-9-]+|\d+ bytes|host=\S+ port=\d+ user=\S+ dbname=\S+|dbname=\S+ host=\S+ port=\d+ user=\S+`)
)

func mask(output string) string {
	return varying.ReplaceAllString(onTheWay.ReplaceAllString(output, ""), "...")
}
