package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rasterbase/rasterbase"
)

// handler answers a request or tells why it cannot; [Server.fail] makes the
// answer then.
type handler func(w http.ResponseWriter, r *http.Request) error

// routes is every route of the server.
func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	handle := func(pattern string, h handler) {
		s.patterns = append(s.patterns, pattern)
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := h(w, r); err != nil {
				s.fail(w, r, err)
			}
		})
	}
	for pattern, h := range map[string]handler{
		"GET /{$}":                          s.mapPage,
		"GET /assets/{file}":                s.asset,
		"GET /favicon.ico":                  s.favicon,
		"GET /tiles/{layer}/{z}/{x}/{file}": s.tile, // file is {y}.png, {y}@2x.webp ...
		"GET /algebra/{z}/{x}/{file}":       s.algebraTile,
		"GET /algebra/tilejson.json":        s.algebraTileJSON,
		"GET /layers":                       s.listLayers,
		"GET /layers/{layer}":               s.showLayer,
		"GET /layers/{layer}/tilejson.json": s.tileJSON,
		"GET /layers/{layer}/source":        s.sourceFile,
		"GET /layers/{layer}/source/{file}": s.sourceFile,
		"GET /pixel/{x}/{y}":                s.pixel,
		"POST /pixel":                       s.points,
		"GET /profile":                      s.profile,
		"POST /profile":                     s.profile,
		"GET /legend":                       s.layerLegend, // ?layer=
		"GET /legend/{legend}":              s.legend,      // {id or title}, with .json, .csv ...
		"GET /legend.png":                   s.layerLegendPicture,
		"GET /legend.svg":                   s.layerLegendPicture,
		"GET /colormaps":                    s.listColormaps,
		"GET /colormaps/{name}":             s.showColormap, // {name}, with .png or .svg
		"GET /export":                       s.export,
		"POST /export":                      s.export,
		"GET /healthz":                      s.healthy,
		"GET /readyz":                       s.ready,
		"/":                                 s.unknown,
	} {
		handle(pattern, h)
	}
	for pattern, h := range s.countRoutes() {
		handle(pattern, h)
	}
	for pattern, h := range s.uploadRoutes() {
		handle(pattern, h)
	}
	if s.c.Metrics != nil {
		handle("GET /metrics", s.metrics)
	}
	s.apiRoutes(handle)
	slices.Sort(s.patterns)
	return mux
}

// Mount answers what is below a path, such as /admin, by another handler, which sees
// paths without it, and clients as trusted proxies tell of them. It is called before the
// server answers anything.
func (s *Server) Mount(path string, h http.Handler) {
	s.patterns = append(s.patterns, path+"/")
	s.mux.Handle(path+"/", http.StripPrefix(path, h))
}

// metrics answers what the server measures to those who manage it.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	if err := s.c.Auth.May(r.Context(), who, rasterbase.Manage, nil); err != nil {
		return err
	}
	private(w.Header())
	s.c.Metrics.ServeHTTP(w, r)
	return nil
}

// middleware is what every request passes, the outermost first.
func (s *Server) middleware() []func(http.Handler) http.Handler {
	return []func(http.Handler) http.Handler{
		s.proxied,
		s.prefixed,
		s.logged,
		s.recovered,
		secured,
		s.shared,
		s.mounted,
		s.sameOrigin,
	}
}

// unknown answers what no route does.
func (s *Server) unknown(w http.ResponseWriter, r *http.Request) error {
	if methods := s.methods(r.URL.Path); len(methods) > 1 {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		return &statusError{http.StatusMethodNotAllowed, rasterbase.Errorf(rasterbase.Invalid, "%s is not answered here", r.Method)}
	}
	hint := "layers lists the layers; / is the map"
	if bare := strings.TrimRight(r.URL.Path, "/"); bare != "" && bare != r.URL.Path && len(s.methods(bare)) > 1 {
		hint = "leave out the slash at the end: " + bare
	}
	return rasterbase.Errorf(rasterbase.NotFound, "there is nothing at %s", r.URL.Path).WithHint("%s", hint)
}

// methods are those that are answered at a path; OPTIONS is, everywhere.
func (s *Server) methods(path string) []string {
	var out []string
	for _, m := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		_, pattern := s.mux.Handler(&http.Request{Method: m, Host: "localhost", URL: &url.URL{Path: path}})
		if pattern != "/" && pattern != "" {
			out = append(out, m)
		}
	}
	return append(out, http.MethodOptions)
}
