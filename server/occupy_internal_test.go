package server

import "github.com/rasterbase/rasterbase"

// Occupy takes all places of the client at an address, and lets none wait, until
// release is called.
func (s *Server) Occupy(address string) (release func()) {
	c := clientOf(rasterbase.Principal{}, address)
	s.admission.mu.Lock()
	defer s.admission.mu.Unlock()
	n := s.admission.limit(c)
	s.admission.clients[c] = &admitted{working: n, waiting: make([]chan struct{}, queuePerPlace*n)}
	return func() {
		s.admission.mu.Lock()
		defer s.admission.mu.Unlock()
		delete(s.admission.clients, c)
	}
}
