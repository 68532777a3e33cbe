package legend

import (
	"fmt"

	"github.com/rasterbase/rasterbase"
)

// checkTexts refuses texts that cannot be shown, and names the entry or the stop.
func checkTexts(l *rasterbase.Legend) error {
	if err := rasterbase.CheckLine("the title", l.Title); err != nil {
		return err
	}
	for i := range l.Entries {
		e := &l.Entries[i]
		for _, t := range []struct {
			what, text string
			check      func(what, s string) error
		}{
			{"name", e.Semantics.Name, rasterbase.CheckLine}, {"code", e.Code, rasterbase.CheckLine},
			{"keyword", e.Semantics.Keyword, rasterbase.CheckLine}, {"description", e.Semantics.Description, rasterbase.CheckText},
		} {
			if err := t.check("the "+t.what, t.text); err != nil {
				return fmt.Errorf("entry %d: %w", i+1, err)
			}
		}
	}
	if l.Gradient == nil {
		return nil
	}
	for i, s := range l.Gradient.Stops {
		if err := rasterbase.CheckLine("the name", s.Name); err != nil {
			return fmt.Errorf("stop %d: %w", i+1, err)
		}
	}
	return nil
}
