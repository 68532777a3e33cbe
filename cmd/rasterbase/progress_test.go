package main

import (
	"strings"
	"testing"
	"time"

	"github.com/rasterbase/rasterbase"
)

func TestProgressWithoutATerminalIsALineForEachStageTenthAndTenSeconds(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var out strings.Builder
	p := progress{w: &out, name: "a.tif", now: func() time.Time { return now }}
	for _, s := range []struct {
		after time.Duration
		rasterbase.Parse
	}{
		{0, rasterbase.Parse{Status: rasterbase.Queued}},
		{time.Second, rasterbase.Parse{Status: rasterbase.Tiling, Planned: 1000}},
		{time.Second, rasterbase.Parse{Status: rasterbase.Tiling, Planned: 1000, Done: 40}},
		{time.Second, rasterbase.Parse{Status: rasterbase.Tiling, Planned: 1000, Done: 120}},
		{time.Second, rasterbase.Parse{Status: rasterbase.Tiling, Planned: 1000, Done: 130}},
		{9 * time.Second, rasterbase.Parse{Status: rasterbase.Tiling, Planned: 1000, Done: 140}},
		{time.Second, rasterbase.Parse{Status: rasterbase.Tiling, Planned: 1000, Done: 150}},
		{time.Second, rasterbase.Parse{Status: rasterbase.Finished, Planned: 1000, Done: 1000}},
	} {
		now = now.Add(s.after)
		p.show(s.Parse)
	}
	p.end()
	want := `a.tif: queued
a.tif: creating tiles (0 of 1000 tiles)
a.tif: creating tiles (120 of 1000 tiles)
a.tif: creating tiles (140 of 1000 tiles)
a.tif: finished
`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

func TestProgressBarTellsStageTilesAndTime(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 1, 0, 0, time.UTC)
	s := rasterbase.Parse{Status: rasterbase.Pyramiding, Planned: 400, Done: 100, Started: now.Add(-time.Minute)}
	if got := remaining(s, now); got != "  100/400 tiles  3m0s left" {
		t.Errorf("%q", got)
	}
	if got := bar(50); strings.Count(got, "#") != barWidth/2 || len(got) != barWidth {
		t.Errorf("%q", got)
	}
	var out strings.Builder
	p := progress{w: &out, name: "a.tif", bar: true}
	p.show(s)
	p.end()
	if got := out.String(); !strings.Contains(got, "25%") || !strings.HasSuffix(got, "\r") {
		t.Errorf("%q", got)
	}
}
