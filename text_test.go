package rasterbase_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
)

func TestTextsOfLayers(t *testing.T) {
	line, text := strings.Repeat("é", rasterbase.MaxLineLength), strings.Repeat("é\n", rasterbase.MaxTextLength/2)
	for _, c := range []struct {
		name  string
		layer rasterbase.Layer
		field string // at fault; empty: none
		part  string
	}{
		{"nothing", rasterbase.Layer{}, "", ""},
		{"usual", rasterbase.Layer{Name: "Größe 山", Description: "two\nlines\tand a tab\r\n", Attribution: "© USGS", License: "CC0"}, "", ""},
		{"as long as allowed", rasterbase.Layer{Name: line, Description: text, Attribution: line, License: line}, "", ""},
		{"long name", rasterbase.Layer{Name: line + "x"}, "name", "has 501 characters, more than the 500 allowed"},
		{"long description", rasterbase.Layer{Description: text + "x"}, "description", "has 20001 characters"},
		{"long attribution", rasterbase.Layer{Attribution: line + "x"}, "attribution", "501"},
		{"long licence", rasterbase.Layer{License: line + "x"}, "license", "501"},
		{"two lines in a name", rasterbase.Layer{Name: "a\nb"}, "name", `control characters: "a\nb"`},
		{"escapes in a description", rasterbase.Layer{Description: "a\x1b[31m"}, "description", `"a\x1b[31m"`},
		{"turned text", rasterbase.Layer{Attribution: "a\u202eb"}, "attribution", "control characters"},
		{"not UTF-8", rasterbase.Layer{License: "a\xff"}, "license", `is not UTF-8: "a\xff"`},
		{"long and bad", rasterbase.Layer{Name: strings.Repeat("x", 300) + "\x00"}, "name", "control characters"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := c.layer.CheckTexts(nil)
			e, _ := errors.AsType[*rasterbase.Error](err)
			switch {
			case c.field == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.field == "":
			case e == nil || e.Code != rasterbase.Invalid || e.Field != c.field || !strings.Contains(e.Error(), c.part) || len(e.Error()) > 300:
				t.Errorf("%+v", err)
			}
			if err := c.layer.CheckTexts(&c.layer); err != nil {
				t.Errorf("refused although it was stored like that: %v", err)
			}
		})
	}
}
