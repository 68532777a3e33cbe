package main

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rasterbase/rasterbase"
)

// person is who sent a request, and the layers of their fields.
type person struct {
	name   string
	layers []rasterbase.LayerID
}

type personKey struct{}

// visitor is the person that signIn found.
func visitor(ctx context.Context) person {
	p, _ := ctx.Value(personKey{}).(person)
	return p
}

// signIn finds out who sends a request, for the program's own pages and for
// rasterbase's. Strangers get no further.
func (h *host) signIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, token, _ := r.BasicAuth()
		p := person{name: name}
		err := h.pool.QueryRow(r.Context(), `SELECT array(SELECT layer_id FROM fields WHERE owner = people.name)
			FROM people WHERE name = $1 AND token_hash = sha256($2)`, name, []byte(token)).Scan(&p.layers)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			w.Header().Set("WWW-Authenticate", `Basic realm="fields"`)
			http.Error(w, "name and token, please", http.StatusUnauthorized)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), personKey{}, p)))
		}
	})
}

// auth tells rasterbase what the program knows of its users. It is asked for
// each layer of each request, so it looks nothing up: signIn has done that.
type auth struct{}

// Principal tells who sent a request.
func (auth) Principal(r *http.Request) (rasterbase.Principal, error) {
	return rasterbase.Principal{Name: visitor(r.Context()).name}, nil
}

// May lets people read the layers of their own fields, and everybody what is
// public.
func (auth) May(ctx context.Context, p rasterbase.Principal, a rasterbase.Action, l *rasterbase.Layer) error {
	if a == rasterbase.Read && l != nil && slices.Contains(visitor(ctx).layers, l.ID) {
		return nil
	}
	return rasterbase.ReadPublic{}.May(ctx, p, a, l)
}

func (h *host) savePerson(ctx context.Context, name, token string) error {
	_, err := h.pool.Exec(ctx, `INSERT INTO people (name, token_hash) VALUES ($1, sha256($2))
		ON CONFLICT (name) DO UPDATE SET token_hash = EXCLUDED.token_hash`, name, []byte(token))
	return err
}
