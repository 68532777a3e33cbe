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

// progress shows how far a parse is: a bar on a terminal, a line for each
// stage otherwise.
type progress struct {
	w     io.Writer
	name  string
	bar   bool
	stage rasterbase.Status
	drawn int // characters of the bar's line
}

// show is an ingest.Progress.
func (p *progress) show(s rasterbase.Parse) {
	if p.bar {
		p.draw(fmt.Sprintf("%s [%s] %3.0f%%  %s%s", p.name, bar(s.Percent()), s.Percent(), s.Status, remaining(s, time.Now())))
		return
	}
	if s.Status == p.stage {
		return
	}
	p.stage = s.Status
	line := fmt.Sprintf("%s: %s", p.name, s.Status)
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
