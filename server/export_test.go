package server

import (
	"slices"
	"time"
)

// Patterns are those of all routes.
func (s *Server) Patterns() []string { return s.patterns }

// Watched is how many layers are looked at, and how many clients follow them.
func (s *Server) Watched() (layers, clients int) {
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	return len(s.watches.byLayer), s.watches.streams
}

// Hasten makes event streams do everything often, and drop slow clients soon.
func (s *Server) Hasten() {
	s.watches.pace = pace{poll: 5 * time.Millisecond, beat: 20 * time.Millisecond, rights: 10 * time.Millisecond, write: 2 * time.Second}
}

// MaxStreams is how many clients may follow parses.
const MaxStreams = maxStreams

// ClientStreams is how many of them are one client's, and SharingStreams an
// internal address's.
const (
	ClientStreams  = clientStreams
	SharingStreams = sharingStreams
)

// Arriving is how many pieces of uploads arrive.
func (s *Server) Arriving() int {
	s.uploading.mu.Lock()
	defer s.uploading.mu.Unlock()
	return len(s.uploading.now)
}

// Parameters are those that change pictures.
func Parameters() []string {
	names := make([]string, 0, len(readers))
	for name := range readers {
		names = append(names, name)
	}
	return names
}

// LookEvery sets how often a layer that is followed is read.
func (s *Server) LookEvery(d time.Duration) { s.watches.pace.poll = d }

// CountParameters are those of counts, but for what other routes tell of.
func CountParameters() []string {
	hidden := []string{"format", "filename", "description", "layers", "formula", "unscale", "grid", "p", "count", "categorical"}
	return slices.DeleteFunc(slices.Clone(countNames), func(name string) bool { return slices.Contains(hidden, name) })
}
