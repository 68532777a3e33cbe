package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// handler answers a request or tells why it cannot; [Server.fail] makes the
// answer then.
type handler func(w http.ResponseWriter, r *http.Request) error

// routes is every route of the server.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"GET /{$}":                          s.mapPage,
		"GET /assets/{file}":                s.asset,
		"GET /favicon.ico":                  s.favicon,
		"GET /tiles/{layer}/{z}/{x}/{file}": s.tile, // file is {y}.png or {y}.jpg
		"GET /layers":                       s.listLayers,
		"GET /layers/{layer}":               s.showLayer,
		"GET /layers/{layer}/tilejson.json": s.tileJSON,
		"GET /legend":                       s.layerLegend, // ?layer=
		"GET /legend/{legend}":              s.legend,
		"GET /healthz":                      s.healthy,
		"GET /readyz":                       s.ready,
		"/":                                 s.unknown,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.fail(w, r, err)
			}
		})
	}
	return mux
}

// middleware is what every request passes, the outermost first.
func (s *Server) middleware() []func(http.Handler) http.Handler {
	return []func(http.Handler) http.Handler{
		s.logged,
		s.recovered,
		secured,
		s.shared,
		s.mounted,
	}
}

// unknown answers what no route does.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && s.routed(r.URL.Path) {
		w.Header().Set("Allow", "GET, HEAD, OPTIONS")
		return &statusError{http.StatusMethodNotAllowed, rasterbase.Errorf(rasterbase.Invalid, "%s is not answered here", r.Method)}
	}
	hint := "layers lists the layers; / is the map"
	if bare := strings.TrimRight(r.URL.Path, "/"); bare != "" && bare != r.URL.Path && s.routed(bare) {
		hint = "leave out the slash at the end: " + bare
	}
	return rasterbase.Errorf(rasterbase.NotFound, "there is nothing at %s", r.URL.Path).WithHint("%s", hint)
}

// routed reports whether there is an answer to GET at a path.
func (s *Server) routed(path string) bool {
	_, pattern := s.mux.Handler(&http.Request{Method: http.MethodGet, Host: "localhost", URL: &url.URL{Path: path}})
	return pattern != "/"
}
