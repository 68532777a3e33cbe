package admin

import (
	"html/template"
	"net/http"
	"net/url"
	"strconv"
)

// perPage is how many layers, legends or semantics a page lists.
const perPage = 25

// turning is where a list is that has several pages.
type turning struct {
	Total         int          `json:"total"`
	From, To      int          `json:"-"`
	Before, After template.URL `json:"-"` // queries of the other pages; empty: there is none
	offset        int
}

// turnTo begins with the page that a request asks for, and adds it to what the API is
// asked.
func turnTo(r *http.Request, query url.Values) turning {
	offset, _ := strconv.Atoi(r.URL.Query().Get("offset")) // anything else begins at the beginning
	offset = max(0, offset)
	query.Set("limit", strconv.Itoa(perPage))
	query.Set("offset", strconv.Itoa(offset))
	return turning{offset: offset}
}

// turn finds the pages before and after the one that shows so many.
func (p *turning) turn(query url.Values, shown int) {
	p.From, p.To = min(p.offset+1, p.Total), min(p.offset+shown, p.Total)
	other := func(offset int) template.URL {
		query.Set("offset", strconv.Itoa(offset))
		query.Del("limit")
		return template.URL(query.Encode()) //nolint:gosec // it is encoded
	}
	if p.offset > 0 {
		p.Before = other(max(0, p.offset-perPage))
	}
	if p.offset+shown < p.Total {
		p.After = other(p.offset + perPage)
	}
}

// everything reads all pages of a list of the API.
func everything[T any](a *Admin, r *http.Request, path string, query url.Values) (all []T, err error) {
	const most = 1000
	query.Set("limit", strconv.Itoa(most))
	for offset := 0; ; offset += most {
		var page struct {
			Items []T `json:"items"`
			Total int `json:"total"`
		}
		query.Set("offset", strconv.Itoa(offset))
		if err := a.call(r, http.MethodGet, path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if offset+most >= page.Total {
			return all, nil
		}
	}
}
