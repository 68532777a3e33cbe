package server

import (
	"context"
	"net/http"

	"github.com/rasterbase/rasterbase"
)

// Accounts are the users and tokens behind an Auth that keeps them itself.
// [github.com/rasterbase/rasterbase/auth.Auth] does; a host program with users of its own
// manages them elsewhere, and has none. They are not looked for in the store, whose users
// are not those of such an Auth.
type Accounts interface {
	Users(ctx context.Context) ([]*rasterbase.User, error)
	AddUser(ctx context.Context, u *rasterbase.User, password string) error
	ChangeUser(ctx context.Context, id rasterbase.UserID, change func(*rasterbase.User), password *string) (*rasterbase.User, error)
	DeleteUser(ctx context.Context, id rasterbase.UserID) error
	ChangePassword(r *http.Request, name, password, other string) error
	Tokens(ctx context.Context, user rasterbase.UserID) ([]*rasterbase.Token, error)
	AddToken(ctx context.Context, t *rasterbase.Token) (secret string, err error)
	DeleteToken(ctx context.Context, id rasterbase.TokenID) error
}

// accounts are the users, where there are any here.
func (s *Server) accounts() (Accounts, error) {
	if s.c.Accounts == nil {
		return nil, rasterbase.Errorf(rasterbase.Unsupported, "this server keeps no users").
			WithHint("the program around it has its own")
	}
	return s.c.Accounts, nil
}

// account is the user that sent a request, with all of their own rights: credentials with
// fewer, such as a token of limited scope, can neither make others nor change a password.
// A scope limits also where its user may no more by now: they may come to.
func (s *Server) account(r *http.Request) (Accounts, *rasterbase.User, error) {
	who, err := s.signedIn(r)
	if err != nil {
		return nil, nil, err
	}
	a, err := s.accounts()
	if err != nil {
		return nil, nil, err
	}
	u, err := userNamed(r.Context(), a, who.Name)
	limited := who.Scope != "" && who.Scope != rasterbase.Administrator
	if err == nil && (limited || u.Role != who.Role) {
		err = rasterbase.Errorf(rasterbase.Forbidden, "a token of limited scope changes neither tokens nor passwords").
			WithHint("sign in, or use a token without a scope")
	}
	return a, u, err
}

// userNamed finds a user by name.
func userNamed(ctx context.Context, a Accounts, name string) (*rasterbase.User, error) {
	all, err := a.Users(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range all {
		if u.Name == name {
			return u, nil
		}
	}
	return nil, rasterbase.Errorf(rasterbase.NotFound, "there is no user %.100q", name).
		WithHint("%s/users lists them", apiPath).WithField("user")
}
