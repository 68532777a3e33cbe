package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

type legendsExportCmd struct {
	Legend string `arg:"" help:"Title or id."`
	Output string `short:"o" help:"File to write, .json, .csv or .clr; standard output as JSON otherwise." placeholder:"FILE"`
}

// Run writes a legend in the form that the file's name asks for.
func (c *legendsExportCmd) Run(ctx context.Context, a *app) error {
	forms := map[string]func(*rasterbase.Legend) ([]byte, error){
		"": legendJSON, ".json": legendJSON, ".csv": legendCSV, ".clr": legendCLR,
	}
	ext := strings.ToLower(filepath.Ext(c.Output))
	write, ok := forms[ext]
	if !ok {
		return usageError{rasterbase.Errorf(rasterbase.Invalid, "%s: legends are not written as %s", c.Output, ext).
			WithHint("end the name in .json, .csv or .clr").WithField("output")}
	}
	l, err := a.legend(ctx, c.Legend)
	if err != nil {
		return err
	}
	b, err := write(l)
	if err != nil {
		return err
	}
	if err := a.writeOutput(c.Output, b); err != nil {
		return fmt.Errorf("write the legend: %w", err)
	}
	return nil
}

func legendJSON(l *rasterbase.Legend) ([]byte, error) {
	b, err := legend.MarshalJSON(l)
	return append(b, '\n'), err
}

// legendCSV writes the columns that legend.ReadFile reads.
func legendCSV(l *rasterbase.Legend) ([]byte, error) {
	first := "value"
	if slices.ContainsFunc(l.Entries, func(e rasterbase.Entry) bool { return !isValue(e) }) {
		first = "expression"
	}
	rows := [][]string{{first, "color", "name"}}
	codes := slices.ContainsFunc(l.Entries, func(e rasterbase.Entry) bool { return e.Code != "" })
	if codes {
		rows[0] = append(rows[0], "code")
	}
	for _, e := range l.Entries {
		row := []string{e.Expression, e.Color.String(), e.Semantics.Name}
		if codes {
			row = append(row, e.Code)
		}
		rows = append(rows, row)
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("write the legend as CSV: %w", err)
	}
	return b.Bytes(), nil
}

// legendCLR writes colour text, "value r g b a name" on each line.
func legendCLR(l *rasterbase.Legend) ([]byte, error) {
	var b bytes.Buffer
	for _, e := range l.Entries {
		if !isValue(e) {
			return nil, rasterbase.Errorf(rasterbase.Unsupported, "the formula %q cannot be written to a .clr file, which has single values only", e.Expression).
				WithHint("write the legend as .json or .csv")
		}
		name := strings.Join(strings.Fields(e.Semantics.Name), " ") // on one line
		fmt.Fprintf(&b, "%s %d %d %d %d %s\n", strings.TrimSpace(e.Expression), e.Color.R, e.Color.G, e.Color.B, e.Color.A, name)
	}
	return b.Bytes(), nil
}

// isValue tells whether an entry matches by a single value.
func isValue(e rasterbase.Entry) bool {
	_, err := strconv.ParseFloat(strings.TrimSpace(e.Expression), 64)
	return err == nil
}
