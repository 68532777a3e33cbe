package server

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/rasterbase/rasterbase"
)

// merge is MergePatch of RFC 7396, section 2.
func merge(target any, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	out, ok := target.(map[string]any)
	if !ok {
		out = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(out, name)
			continue
		}
		out[name] = merge(out[name], value)
	}
	return out
}

// asMap is a value as JSON has it.
func asMap(t *rapid.T, v any) map[string]any {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// drawSettings are members of settings, none of which has the value that an
// answer leaves out; some may be null.
func drawSettings(t *rapid.T, label string, nulls bool) map[string]any {
	out := map[string]any{}
	for name, values := range map[string][]any{
		"datatype": {"continuous", "mask"}, "srid": {4326.0, 32632.0}, "nodata": {0.0, -9999.0, 1.5}, "max_zoom": {0.0, 12.0},
		"next_lower": {true}, "no_pyramid": {true}, "resampling": {"nearest", "cubic"}, "tile_size": {128.0, 512.0}, "subdataset": {"a", "b"},
	} {
		if nulls {
			values = append(values, nil)
		}
		if rapid.Bool().Draw(t, label+" has "+name) {
			out[name] = rapid.SampledFrom(values).Draw(t, label+" "+name)
		}
	}
	return out
}

func TestPatchesMergeAsTheStandardSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := drawSettings(t, "before", false)
		var settings any = drawSettings(t, "patch", true)
		if rapid.Bool().Draw(t, "all are taken back") {
			settings = nil
		}
		patch := map[string]any{"settings": settings, "description": rapid.SampledFrom([]any{"Long", nil}).Draw(t, "description")}

		l := &rasterbase.Layer{Description: "Before"}
		apply(t, l, map[string]any{"settings": before})
		if got := asMap(t, settingsDocument(l.Settings)); !reflect.DeepEqual(got, before) {
			t.Fatalf("%v became %v", before, got)
		}
		want := merge(map[string]any{"settings": before, "description": "Before"}, patch)
		apply(t, l, patch)
		apply(t, l, patch) // a change may be run more than once
		got := map[string]any{"settings": asMap(t, settingsDocument(l.Settings))}
		if l.Description != "" {
			got["description"] = l.Description
		}
		if w, ok := want.(map[string]any); ok && w["settings"] == nil {
			w["settings"] = map[string]any{}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%v becomes %v, want %v", patch, got, want)
		}
	})
}

func apply(t *rapid.T, l *rasterbase.Layer, patch map[string]any) {
	text, err := json.Marshal(patch)
	if err != nil {
		t.Fatal(err)
	}
	var body layerPatchBody
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatal(err)
	}
	if err := body.apply(l); err != nil {
		t.Fatal(err)
	}
}

func FuzzPlacesInEvents(f *testing.F) {
	for _, id := range []string{"1-0", "12-34", "7-end", "0-end", "-", "1-", "x-1", "1--1", "99999999999999999999-1", "1-2-3", "+1-+2"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		p, ok := parsePlace(id)
		if !ok {
			return
		}
		if again, ok := parsePlace(p.String()); !ok || again != p || p.line < 0 || p.parse < 0 {
			t.Errorf("%q is %+v, and %q is %+v", id, p, p, again)
		}
	})
}
