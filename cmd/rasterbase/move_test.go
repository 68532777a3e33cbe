package main

import (
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store/move"
)

func TestMoveWithoutATerminalIsALineForEachLayerAndTenSeconds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var out strings.Builder
	p := moveProgress{progress: progress{w: &out, now: func() time.Time { return now }}}
	first, second := rasterbase.Layer{Name: "dem"}, rasterbase.Layer{Name: "land\x1b[2J"}
	for _, s := range []struct {
		after time.Duration
		move.Progress
	}{
		{0, move.Progress{Layer: first, Number: 1, Of: 2, Stage: move.Files, Planned: 4096}},
		{9 * time.Second, move.Progress{Layer: first, Number: 1, Of: 2, Stage: move.Files, Done: 1, Planned: 4096}},
		{time.Second, move.Progress{Layer: first, Number: 1, Of: 2, Stage: move.Files, Done: 2048, Planned: 4096}},
		{time.Second, move.Progress{Layer: first, Number: 1, Of: 2, Stage: move.Tiles, Planned: 50}},
		{9 * time.Second, move.Progress{Layer: first, Number: 1, Of: 2, Stage: move.Tiles, Done: 20, Planned: 50}},
		{time.Second, move.Progress{Layer: second, Number: 2, Of: 2, Stage: move.Tiles, Planned: 50}},
	} {
		now = now.Add(s.after)
		p.show(s.Progress)
	}
	p.end()
	want := `layer 1 of 2, dem
layer 1 of 2, dem: copying files (2.0 KiB of 4.0 KiB)
layer 1 of 2, dem: copying tiles (20 of 50)
"layer 2 of 2, land\x1b[2J"
`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

func TestMoveBarIsRedrawnTenTimesASecond(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var out strings.Builder
	p := moveProgress{progress: progress{w: &out, bar: true, now: func() time.Time { return now }}}
	for i := range 100 {
		p.show(move.Progress{Layer: rasterbase.Layer{Name: "dem"}, Number: 1, Of: 1, Stage: move.Tiles, Done: int64(i), Planned: 100})
		now = now.Add(10 * time.Millisecond)
	}
	p.end()
	if n := strings.Count(out.String(), "copying tiles"); n != 10 || !strings.Contains(out.String(), "90/100 tiles") {
		t.Errorf("drawn %d times: %q", n, out.String())
	}
}

func TestNamesOfStores(t *testing.T) {
	for _, c := range []struct {
		name, dir string
		folder    bool
		valid     bool
	}{
		{"data", "data", true, true},
		{"./a b", "./a b", true, true},
		{"sqlite:data", "data", true, true},
		{"sqlite:/srv/data", "/srv/data", true, true},
		{"sqlite:///srv/data", "/srv/data", true, true},
		{`C:\data`, `C:\data`, true, true},
		{"sqlite:", "", true, false},
		{"", "", true, false},
		{"postgres://me:secret@host/db?schema=x", "", false, true},
		{"postgresql://host/db", "", false, true},
		{"s3://bucket", "", false, false},
		{"mysql://me:secret@host/db", "", false, false},
	} {
		dir, folder := storeFolder(c.name)
		if folder != c.folder || folder && dir != c.dir {
			t.Errorf("%q is the folder %q, %v", c.name, dir, folder)
		}
		err := checkStoreURL(c.name)
		if (err == nil) != c.valid {
			t.Errorf("%q: %v", c.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}
