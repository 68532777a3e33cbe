package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/ingest"
	"github.com/rasterbase/rasterbase/store"
)

// usageError is a command line or a setting that is wrong.
type usageError struct{ err error }

func (e usageError) Error() string { return e.err.Error() }
func (e usageError) Unwrap() error { return e.err }

// errReported ends the program with failure; what went wrong is on the screen
// already.
var errReported = errors.New("reported already")

// problem is how an error is shown.
type problem struct {
	Code    rasterbase.Code `json:"code"`
	Message string          `json:"message"`
	Hint    string          `json:"hint,omitempty"`
	Field   string          `json:"field,omitempty"`
	// Rasters are what a file holds when it holds several.
	Rasters []ingest.Subdataset `json:"rasters,omitempty"`
}

// newProblem takes an error apart into what is wrong and the way out.
func newProblem(err error) problem {
	p := problem{Code: rasterbase.CodeOf(err), Message: err.Error()}
	if several, ok := errors.AsType[*ingest.SeveralRasters](err); ok {
		p.Rasters = several.Rasters
	}
	if e, ok := errors.AsType[*rasterbase.Error](err); ok {
		p.Hint, p.Field = e.Hint, e.Field
		p.Message = strings.Replace(p.Message, " ("+e.Hint+")", "", 1)
	}
	// What is missing was named already.
	p.Message = strings.TrimSuffix(p.Message, ": "+store.ErrNotExist.Error())
	return p
}

// report prints an error for people, and as JSON for programs, and gives the
// exit code.
func (a *app) report(err error, asJSON bool) int {
	if errors.Is(err, errReported) {
		return exitFail
	}
	code := exitFail
	problems := []problem{newProblem(err)}
	_, isUsage := errors.AsType[usageError](err)
	many, isConfig := errors.AsType[configErrors](err)
	switch {
	case isUsage:
		code = exitUsage
		problems[0].Code = rasterbase.Invalid
		if problems[0].Hint == "" {
			problems[0].Hint = "`rasterbase help` lists the commands, `rasterbase COMMAND --help` says more of one"
		}
	case isConfig:
		code, problems = exitUsage, nil
		for _, e := range many {
			problems = append(problems, problem{Code: rasterbase.Invalid, Message: e.Error()})
		}
	}
	for _, p := range problems {
		a.printProblem("", p)
	}
	if asJSON {
		first := problems[0]
		for _, p := range problems[1:] {
			first.Message += "\n" + p.Message
		}
		if err := a.printJSON(map[string]problem{"error": first}); err != nil {
			a.printProblem("", newProblem(err))
		}
	}
	return code
}

// printProblem prints an error for people; about names the thing, such as a
// file, and may be empty.
func (a *app) printProblem(about string, p problem) {
	if about != "" {
		p.Message = namedOnce(about, p.Message)
	}
	fmt.Fprintf(a.stderr, "rasterbase: %s\n", harmless(p.Message))
	if p.Hint != "" {
		fmt.Fprintf(a.stderr, "hint: %s\n", harmless(p.Hint))
	}
}

// namedOnce puts what a message is about before it, unless the message begins
// with that or, of a file, with its name without folders.
func namedOnce(about, message string) string {
	for _, name := range []string{about, filepath.Base(about)} {
		rest, ok := strings.CutPrefix(message, name)
		if ok && (strings.HasPrefix(rest, " ") || strings.HasPrefix(rest, ": ")) {
			// GDAL names the file once more.
			return visible(about) + strings.Replace(rest, "`"+name+"' ", "", 1)
		}
	}
	return visible(about) + ": " + message
}

// printJSON prints the one document of --json.
func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}
