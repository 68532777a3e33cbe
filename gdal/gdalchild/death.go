package gdalchild

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
)

// output keeps the beginning and the end of what a child prints.
type output struct {
	mu         sync.Mutex
	head, tail []byte
	cut        bool // there was more between them
}

const headSize, tailSize = 2048, 2048

// Write keeps what fits.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := len(b)
	if room := headSize - len(o.head); room > 0 {
		k := min(room, len(b))
		o.head, b = append(o.head, b[:k]...), b[k:]
	}
	if len(b) > tailSize {
		b, o.cut = b[len(b)-tailSize:], true
	}
	o.tail = append(o.tail, b...)
	if extra := len(o.tail) - tailSize; extra > 0 {
		o.tail, o.cut = append(o.tail[:0], o.tail[extra:]...), true
	}
	return n, nil
}

// String is what was kept, as valid UTF-8. Where something is left out there
// is a line of dots instead of what remains of a line.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	head, tail := string(o.head), string(o.tail)
	if o.cut {
		_, tail, _ = strings.Cut(tail, "\n")
		head = head[:strings.LastIndexByte(head, '\n')+1] + "...\n"
	}
	return strings.ToValidUTF8(head+tail, "\uFFFD")
}

// reason is the first line of what a child printed that means something to a
// user: nothing of a trace, no address, no folder. Empty: there is none.
func (o *output) reason() string {
	for line := range strings.SplitSeq(o.String(), "\n") {
		if trace.MatchString(line) {
			continue
		}
		line = internals.ReplaceAllString(strings.TrimSpace(line), "")
		switch {
		case line == "":
			continue
		case noMemory.MatchString(line):
			return "out of memory"
		}
		line = folders.ReplaceAllString(line, "$1")
		if r := []rune(line); len(r) > maxReason {
			line = string(r[:maxReason]) + "..."
		}
		return line
	}
	return ""
}

// maxReason is how many characters of a line are told.
const maxReason = 200

var (
	// trace matches lines of the Go runtime's traces: of stacks, registers and
	// signals, and places in a source. A line can be anywhere, since only the
	// beginning and the end of the output are kept.
	trace = regexp.MustCompile(`^(\t|runtime stack:|goroutine |created by |exit status |signal arrived during |\[(signal|originating|failed)|SIG[A-Z]+: |PC=|r\w+ +0x)` +
		`|0x[0-9a-f]|\bgoroutine \d|\b(fp|sp|pc)=|\bruntime[./]|\.(go|s|c|cpp|h):\d|^\S+\(.*\)\s*$|^\.\.\.`)
	// internals matches how the Go runtime begins a line.
	internals = regexp.MustCompile(`^(fatal error: |panic: |runtime: |runtime error: )+`)
	// folders matches the folders of absolute paths.
	folders = regexp.MustCompile(`(^|[^\w.])/(?:[^/\s:'"]+/)*`)
)

var (
	// noMemory matches what the Go runtime, C++ and C libraries say when an
	// allocation fails.
	noMemory = regexp.MustCompile(`(?i)out of memory|bad_alloc|cannot allocate|unable to allocate|failed to (create new OS thread|reserve|allocate)|memory allocation fail`)
	// runtimeFault matches a fault of the Go runtime itself, at address 0 and not
	// in C: its collector does not look whether it was given memory.
	runtimeFault = regexp.MustCompile(`(?m)^SIGSEGV: [^\n]*\nPC=[^\n]* addr=0x0\n\ngoroutine [^\n]*\nruntime\.`)
	// fault matches how the Go runtime reports a signal that C code caused.
	fault = regexp.MustCompile(`\b(SIG[A-Z]+): |\[signal (SIG[A-Z]+)`)
)

// why makes the error of a child that ended without being asked to. It is
// called with the lock held and the process gone.
func (p *process) why() error {
	name := filepath.Base(p.path)
	text := p.stderr.String()
	said := p.stderr.reason()
	if said != "" {
		said = ": " + said
	}
	_, mute := p.wait[0]
	signal := signalOf(p.cmd.ProcessState)
	if m := fault.FindStringSubmatch(text); signal == "" && m != nil {
		signal = m[1] + m[2]
	}
	died := func(code rasterbase.Code, format string, args ...any) error {
		return rasterbase.Errorf(code, "%s: %w", name, fmt.Errorf(format, args...))
	}
	switch {
	case p.reason != nil:
		e := *p.reason
		e.Message = name + ": " + e.Message
		return &e
	case mute:
		return died(rasterbase.Internal, "the GDAL child %s did not start (%v)%s", filepath.Base(p.cmd.Path), p.cmd.ProcessState, said)
	case noMemory.MatchString(text) || runtimeFault.MatchString(text):
		return died(rasterbase.TooLarge, "the GDAL child exceeded its memory limit of %d MiB while %s", p.o.MemoryLimit>>20, p.doing())
	case signal == "SIGXFSZ":
		return died(rasterbase.TooLarge, "the GDAL child wrote a file of more than %d bytes while %s", p.o.FileSizeLimit, p.doing())
	case signal == "SIGKILL":
		return died(rasterbase.TooLarge, "the GDAL child was killed (SIGKILL) while %s, perhaps because the machine was short of memory", p.doing())
	case signal != "":
		return died(rasterbase.Invalid, "%w (%s) while %s%s", ingest.ErrCrashed, inWords(signal), p.doing(), said)
	}
	return died(rasterbase.Internal, "the GDAL child ended (%v) while %s%s", p.cmd.ProcessState, p.doing(), said)
}

// inWords is the name of a signal with what it means, where it has a meaning for
// who gave the file.
func inWords(signal string) string {
	meaning := map[string]string{
		"SIGSEGV": "segmentation fault", "SIGBUS": "bus error", "SIGABRT": "it gave up", "SIGFPE": "arithmetic fault", "SIGILL": "illegal instruction",
	}[signal]
	if meaning == "" {
		return signal
	}
	return meaning + ", " + signal
}
