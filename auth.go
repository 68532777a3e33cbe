package rasterbase

import (
	"context"
	"net/http"
)

// Auth decides who a request comes from and what they may do. The server and
// the admin ask nobody else, so a host program that passes its own replaces
// users, sessions and tokens altogether.
type Auth interface {
	// Principal tells who sent the request. Nobody being signed in is not an
	// error: the zero Principal is returned. Wrong credentials are, with code
	// [Unauthorized].
	Principal(r *http.Request) (Principal, error)
	// May returns nil if the principal may do this to the layer, and an
	// [Error] with code [Unauthorized] or [Forbidden] otherwise. A nil layer
	// stands for the whole catalog.
	May(ctx context.Context, p Principal, a Action, l *Layer) error
}

// Principal is who a request comes from.
type Principal struct {
	Name string // empty: nobody
	Role Role   // for an Auth that has roles; others may leave it empty
	// Scope is the limit of the token that was shown, which Role keeps to already;
	// empty: nothing limits what the user may do, now and with roles to come.
	Scope Role
}

// Action is what a principal wants to do.
type Action string

// The actions.
const (
	Read   Action = "read"   // see a layer: tiles, pixels, counts, metadata
	Edit   Action = "edit"   // create, change, re-parse or delete layers and legends
	Manage Action = "manage" // users, tokens, settings, jobs
)

// ReadPublic is the [Auth] of a server without users: everybody may read public
// layers and nobody may do anything else.
type ReadPublic struct{}

// Principal is always nobody.
func (ReadPublic) Principal(*http.Request) (Principal, error) { return Principal{}, nil }

// May allows reading what is public.
func (ReadPublic) May(_ context.Context, _ Principal, a Action, l *Layer) error {
	if a == Read && (l == nil || l.Visibility != Private) {
		return nil
	}
	return Errorf(Unauthorized, "sign in to %s", a)
}
