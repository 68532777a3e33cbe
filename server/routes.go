package server

import (
	"net/http"

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
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		get := r.Clone(r.Context())
		get.Method = http.MethodGet
		if _, pattern := s.mux.Handler(get); pattern != "/" {
			w.Header().Set("Allow", "GET, HEAD, OPTIONS")
			return &statusError{http.StatusMethodNotAllowed, rasterbase.Errorf(rasterbase.Invalid, "%s is not answered here", r.Method)}
		}
	}
	return rasterbase.Errorf(rasterbase.NotFound, "there is nothing at %s", r.URL.Path).
		WithHint("layers lists the layers; / is the map")
}
