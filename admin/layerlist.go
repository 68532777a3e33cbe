package admin

import (
	"html/template"
	"net/url"
	"strings"
)

// heading is a column of the list that it may be sorted by.
type heading struct {
	Title string
	Query template.URL // of the list sorted by it, the other way round if it is so already; empty: it cannot be
	Aria  string       // what aria-sort says; empty: it is not sorted by it
	Arrow string
}

// headings are the columns of the list, as seen from a list that query asks for.
func headings(query url.Values) []heading {
	by, backwards := strings.CutPrefix(query.Get("sort"), "-")
	out := []heading{{Title: "Layer"}, {Title: "Kind"}, {Title: "Status"}, {Title: "Size"}, {Title: "Parsed"}, {Title: "Who sees it"}}
	for i, sort := range []string{"name", "", "status", "-size", "-parsed"} {
		if sort == "" {
			continue
		}
		h := &out[i]
		bare, down := strings.CutPrefix(sort, "-")
		if by == bare {
			h.Aria, h.Arrow, sort = "ascending", "▲", "-"+bare
			if backwards {
				h.Aria, h.Arrow, sort = "descending", "▼", bare
			}
		} else if down {
			sort = "-" + bare // the largest and the newest first
		}
		q := url.Values{}
		for name, v := range query {
			if name != "offset" && name != "limit" {
				q[name] = v
			}
		}
		q.Set("sort", sort)
		h.Query = template.URL(q.Encode()) //nolint:gosec // it is encoded
	}
	return out
}
