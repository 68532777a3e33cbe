package rasterbase

import (
	"net/url"
	"regexp"
	"strings"
)

// Basemap is a map of the world in XYZ tiles of EPSG:3857 that lies below the layers on
// pages. The zero value is none: pages have an outline of their own then.
type Basemap struct {
	URL         string // https://tile.example.org/{z}/{x}/{y}.png
	Attribution string // plain text, which many such maps ask to be shown
}

// origins are addresses that a content security policy can name.
var origins = regexp.MustCompile(`^https?://[A-Za-z0-9.\[\]:_-]+$`)

// Check refuses an address that cannot be that of tiles. The error has code invalid.
func (b Basemap) Check() error {
	if b.URL == "" {
		return nil
	}
	for _, part := range []string{"{z}", "{x}", "{y}"} {
		if !strings.Contains(b.URL, part) {
			return Errorf(Invalid, "%q has no %s", b.URL, part).WithHint("write https://tile.example.org/{z}/{x}/{y}.png").WithField("basemap_url")
		}
	}
	if b.Origin() == "" {
		return Errorf(Invalid, "%q is no address of tiles", b.URL).
			WithHint("it has one host, http or https, and no password: https://tile.example.org/{z}/{x}/{y}.png").WithField("basemap_url")
	}
	return nil
}

// Origin is the one that tiles are loaded from, scheme://host; empty: none.
func (b Basemap) Origin() string {
	u, err := url.Parse(strings.NewReplacer("{z}", "0", "{x}", "0", "{y}", "0").Replace(b.URL))
	if err != nil || u.User != nil || u.Host == "" {
		return ""
	}
	origin := u.Scheme + "://" + u.Host
	if !origins.MatchString(origin) || !strings.HasPrefix(b.URL, origin+"/") { // no {x} in the host
		return ""
	}
	return origin
}
