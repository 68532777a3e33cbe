package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
)

// barWidth is the characters between the ends of a progress bar.
const barWidth = 30

// Off a terminal, a line is printed at the least after so much progress, or
// so much time.
const (
	progressStep  = 10 // percent
	progressPause = 10 * time.Second
)

// progress shows how far a parse is: a bar on a terminal; otherwise a line for
// each stage, at each tenth of it, and every ten seconds.
type progress struct {
	w     io.Writer
	name  string
	bar   bool
	now   func() time.Time // nil: the clock
	drawn int              // characters of the bar's line

	stage rasterbase.Status // of the last line
	step  int               // tenths that it told
	told  time.Time
}

// show is an ingest.Progress.
func (p *progress) show(s rasterbase.Parse) {
	now := time.Now()
	if p.now != nil {
		now = p.now()
	}
	if p.bar {
		p.draw(fmt.Sprintf("%s [%s] %3.0f%%  %s%s", visible(p.name), bar(s.Percent()), s.Percent(), s.Status, remaining(s, now)))
		return
	}
	step := int(s.Percent()) / progressStep
	if s.Status == p.stage && step == p.step && now.Sub(p.told) < progressPause {
		return
	}
	p.stage, p.step, p.told = s.Status, step, now
	line := fmt.Sprintf("%s: %s", visible(p.name), s.Status)
	if s.Planned > 0 && !s.Status.Ended() {
		line += fmt.Sprintf(" (%d of %d tiles)", s.Done, s.Planned)
	}
	fmt.Fprintln(p.w, line)
}

// end takes the bar away, for lines that follow.
func (p *progress) end() {
	if p.drawn > 0 {
		p.draw("")
		fmt.Fprint(p.w, "\r")
		p.drawn = 0
	}
}

func (p *progress) draw(line string) {
	n := len([]rune(line))
	fmt.Fprintf(p.w, "\r%s%s", line, strings.Repeat(" ", max(0, p.drawn-n)))
	p.drawn = n
}

func bar(percent float64) string {
	n := int(percent / 100 * barWidth)
	return strings.Repeat("#", n) + strings.Repeat("-", barWidth-n)
}

// remaining tells the tiles and, from their pace so far, the time left.
func remaining(s rasterbase.Parse, now time.Time) string {
	if s.Planned == 0 || s.Status.Ended() {
		return ""
	}
	text := fmt.Sprintf("  %d/%d tiles", s.Done, s.Planned)
	if taken := now.Sub(s.Started); s.Done > 0 && !s.Started.IsZero() && taken > time.Second {
		left := time.Duration(float64(taken) * float64(s.Planned-s.Done) / float64(s.Done))
		text += fmt.Sprintf("  %s left", left.Round(time.Second))
	}
	return text
}
