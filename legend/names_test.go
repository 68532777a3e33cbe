package legend_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/legend"
)

// Titles and names are found wherever a file has them.
func TestReadFileNames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, content, want string }{
		{"g.json", `{"title":"Terrain abs","colormap_name":"terrain","range":[1000,2800]}`, "Terrain abs: linearterrain from 1000 to 2800"},
		{"g.json", `{"title":"","stops":[[0,"red"],[1,"blue"]]}`, "g: linear; 0=#FF0000; 1=#0000FF"},
		{"evt.csv", "VALUE,COUNT,EVT_NAME,LFRDB,R,G,B\n7,12,Open water,x,1,2,3\n", "evt: 7=#010203/Open water"},
		{"evt.csv", "VALUE,LFRDB,EVT_NAME,R,G,B\n7,x,Open water,1,2,3\n", "evt: 7=#010203/Open water"},
		{"evt.csv", "value,count,hex,art,note,color\n7,12,#010203,Wasser,a,red\n", "evt: 7=#FF0000/Wasser"},
		{"evt.csv", "value,count,color\n7,12,red\n", "evt: 7=#FF0000/7"},
		{"s.csv", "stop,color,what\n0,red,low\n2,blue,\n", "s: linear; 0=#FF0000/low; 2=#0000FF"},
	} {
		l, err := legend.ReadFile(tt.name, []byte(tt.content))
		if err != nil {
			t.Errorf("%s %s: %v", tt.name, tt.content, err)
			continue
		}
		if got := describe(l); got != tt.want {
			t.Errorf("%s %s:\ngot  %s\nwant %s", tt.name, tt.content, got, tt.want)
		}
	}
}

// A key that is misspelt is named where the entry lacks what it should say.
func TestParseJSONUnknownKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{`[{"name":"A","expresion":"1","color":"red"}]`, `entry 1 (A) has no expression, but "expresion", which is not known`},
		{`{"entries":[{"name":"A","expression":"1","color":"red"},{"name":"B","expression":"2","colr":"red","x":1}]}`, `entry 2 (B) has no color, but "colr", "x", which is not known`},
		{`[{"name":"A","color":"red"}]`, `entry 1 (A) has no expression`},
	} {
		_, err := legend.ParseJSON("", []byte(tt.in))
		if err == nil || !strings.HasPrefix(err.Error(), tt.want+" (the keys of an entry are name, expression, ") || rasterbase.CodeOf(err) != rasterbase.Invalid {
			t.Errorf("%s: %v, want %s", tt.in, err, tt.want)
		}
	}
	_, err := legend.Classes(rasterbase.Histogram{}, "jenks", 3, "")
	if e, ok := errors.AsType[*rasterbase.Error](err); !ok || !strings.Contains(e.Hint, "equal-interval, quantile, ") {
		t.Errorf("the hint of %v does not list the methods", err)
	}
}
