package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// countProgress shows how far counting is: a bar on a terminal; otherwise a line every
// ten seconds.
type countProgress struct {
	progress
	total, done int64 // zones; total is -1 while it is not known
	unit        string
	last        time.Time

	target, targets, batch int // what is counted now: zones of a batch in the target of so many
}

func newCountProgress(a *app, c *countCmd, total int64) *countProgress {
	name, unit := strings.Join(c.Layers, " "), "geometry"
	if c.Zones != "" {
		name, unit = filepath.Base(c.Zones), "zones"
	}
	return &countProgress{
		progress: progress{w: a.stderr, name: name, bar: isTerminal(a.stderr)}, total: total, unit: unit, last: time.Now(), targets: 1,
	}
}

// begin tells which target is counted next, of how many, and how many zones in it.
func (p *countProgress) begin(target, targets, batch int) {
	p.target, p.targets, p.batch = target, targets, batch
	p.show(0)
}

// tiles is a zonal.Query's Progress.
func (p *countProgress) tiles(done, planned int64) {
	p.show(float64(done) / float64(max(1, planned)))
}

// finish tells that a batch is counted in all targets.
func (p *countProgress) finish(batch int) {
	p.done += int64(batch)
	p.target, p.batch = 0, 0
	p.show(0)
}

// show shows how much is done, with the share of the tiles of the batch and target at
// work.
func (p *countProgress) show(share float64) {
	now := time.Now()
	pause := progressPause
	if p.bar {
		pause = redrawPause
	}
	if now.Sub(p.last) < pause {
		return
	}
	p.last = now
	done := float64(p.done) + float64(p.batch)*(float64(p.target)+share)/float64(p.targets)
	percent := 100 * done / float64(max(1, p.total))
	many := p.total != 1 || p.unit == "zones"
	switch {
	case p.total < 0:
		text := fmt.Sprintf("%s: %d %s counted", visible(p.name), p.done, p.unit)
		if p.bar {
			p.draw(text)
		} else {
			fmt.Fprintln(p.w, text)
		}
	case p.bar && many:
		p.draw(fmt.Sprintf("%s [%s] %3.0f%%  %d/%d %s", visible(p.name), bar(percent), percent, p.done, p.total, p.unit))
	case p.bar:
		p.draw(fmt.Sprintf("%s [%s] %3.0f%%", visible(p.name), bar(percent), percent))
	case many:
		fmt.Fprintf(p.w, "%s: %d of %d %s\n", visible(p.name), int64(done), p.total, p.unit)
	default:
		fmt.Fprintf(p.w, "%s: %.0f %% counted\n", visible(p.name), percent)
	}
}
