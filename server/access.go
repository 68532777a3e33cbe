package server

import (
	"context"
	"net/http"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// principalKey is where a request's context holds its principal.
type principalKey struct{}

// principal tells who sent a request, and asks Auth once.
func (s *Server) principal(r *http.Request) (rasterbase.Principal, error) {
	if who, ok := r.Context().Value(principalKey{}).(rasterbase.Principal); ok {
		return who, nil
	}
	return s.c.Auth.Principal(r)
}

// identified gives a request that knows its principal.
func (s *Server) identified(r *http.Request) (*http.Request, rasterbase.Principal, error) {
	who, err := s.principal(r)
	if err != nil {
		return r, who, err
	}
	return r.WithContext(context.WithValue(r.Context(), principalKey{}, who)), who, nil
}

// signedIn tells who sent a request that needs credentials, whatever it is
// about: it fails for nobody, also where Auth would let everybody do it.
func (s *Server) signedIn(r *http.Request) (rasterbase.Principal, error) {
	who, err := s.principal(r)
	if err == nil && who.Name == "" {
		err = rasterbase.Errorf(rasterbase.Unauthorized, "this needs credentials").
			WithHint("send `Authorization: Bearer TOKEN`, or HTTP Basic with a user's name and a token of theirs as the password")
	}
	return who, err
}

// editable finds a layer that the sender may change. One that they may not read
// is answered as if it did not exist.
func (s *Server) editable(r *http.Request, ref string) (*rasterbase.Layer, error) {
	who, err := s.signedIn(r)
	if err != nil {
		return nil, err
	}
	l, err := s.find(r, ref, func(store.Tx, *rasterbase.Layer) error { return nil })
	if err != nil {
		return nil, err
	}
	return l, s.c.Auth.May(r.Context(), who, rasterbase.Edit, l)
}

// mayEdit reports whether somebody may change a layer.
func (s *Server) mayEdit(ctx context.Context, who rasterbase.Principal, l *rasterbase.Layer) (bool, error) {
	if who.Name == "" {
		return false, nil
	}
	err := s.c.Auth.May(ctx, who, rasterbase.Edit, l)
	switch rasterbase.CodeOf(err) {
	case rasterbase.Unauthorized, rasterbase.Forbidden:
		return false, nil
	}
	return err == nil, err
}

// parser is what changes layers.
func (s *Server) parser() (Parser, error) {
	if s.c.Parser == nil {
		return nil, rasterbase.Errorf(rasterbase.Unsupported, "this server reads layers and does not change them").
			WithHint("it was made without a parser; ask one that has it")
	}
	return s.c.Parser, nil
}
