package server

import (
	"net/http"
	"time"

	"github.com/rasterbase/rasterbase"
)

// tokenLifetime is how long a token is good for whose maker does not say: one that is
// forgotten ends by itself.
const tokenLifetime = 365 * 24 * time.Hour

func (s *Server) tokenOperations(a *api) {
	register(a, operation{
		id: "list-tokens", method: http.MethodGet, path: "/tokens", tag: tagAccounts, summary: "List tokens",
		detail: "One's own, without their secrets. Administrators may ask for those of all.", access: member,
		answers: map[int]response{200: {text: "The tokens, ordered by id", kind: tokensJSON{}}}, errors: []int{400, 403},
	}, s.apiTokens)
	register(a, operation{
		id: "create-token", method: http.MethodPost, path: "/tokens", tag: tagAccounts, summary: "Make a token",
		detail: "Its secret is in the answer, and told nowhere else. Send it as `Authorization: Bearer SECRET`, or as the password of HTTP Basic with the user's name. A token of limited scope makes none. Administrators may make those of others.",
		access: member, answers: map[int]response{201: {text: "The token with its secret", kind: madeTokenJSON{}}}, errors: []int{403, 404},
		example: tokenBody{Name: "dashboard", Scope: "viewer"},
	}, s.apiCreateToken)
	register(a, operation{
		id: "delete-token", method: http.MethodDelete, path: "/tokens/{token}", tag: tagAccounts, summary: "Delete a token",
		detail: "It is refused from then on. Administrators may delete those of others. A token of limited scope deletes none.", access: member,
		answers: map[int]response{204: {text: "It is gone"}}, errors: []int{400, 403, 404},
	}, s.apiDeleteToken)
}

// tokenJSON is a token without its secret, of which there is only a hash.
type tokenJSON struct {
	ID      rasterbase.TokenID `json:"id"`
	User    string             `json:"user"`
	Name    string             `json:"name" doc:"What it is for"`
	Scope   rasterbase.Role    `json:"scope,omitempty" doc:"The most that it may do; absent: all that its user may"`
	Created time.Time          `json:"created"`
	Expires *time.Time         `json:"expires" doc:"null: never"`
	Expired bool               `json:"expired"`
	Used    *time.Time         `json:"used" doc:"About the last time; null: never"`
}

type madeTokenJSON struct {
	tokenJSON
	Secret string `json:"secret"`
}

type tokensJSON struct {
	Items []tokenJSON `json:"items"`
}

// tokenBody is a token to be made.
type tokenBody struct {
	User    string         `json:"user,omitempty" doc:"Name of another user, for administrators"`
	Name    string         `json:"name,omitempty" maxLength:"200" doc:"What it is for; one line"`
	Scope   string         `json:"scope,omitempty" enum:"viewer,editor,administrator" doc:"The most that it may do; without it all that its user may"`
	Expires opt[time.Time] `json:"expires,omitzero" doc:"Without it in 365 days; null: never"`
}

func tokenDocument(t *rasterbase.Token, user string) tokenJSON {
	return tokenJSON{
		ID: t.ID, User: user, Name: t.Name, Scope: t.Scope, Created: t.Created, Expires: stamp(t.Expires),
		Expired: !t.Expires.IsZero() && !time.Now().Before(t.Expires), Used: stamp(t.Used),
	}
}

type tokensInput struct {
	All bool `query:"all" doc:"Those of all users, for administrators"`
}

func (s *Server) apiTokens(w http.ResponseWriter, r *http.Request, in *tokensInput) error {
	who, err := s.signedIn(r)
	if err != nil {
		return err
	}
	a, err := s.accounts()
	if err != nil {
		return err
	}
	of := rasterbase.UserID(0)
	if in.All {
		err = s.c.Auth.May(r.Context(), who, rasterbase.Manage, nil)
	} else {
		var u *rasterbase.User
		if u, err = userNamed(r.Context(), a, who.Name); err == nil {
			of = u.ID
		}
	}
	if err != nil {
		return err
	}
	users, err := a.Users(r.Context())
	if err != nil {
		return err
	}
	names := map[rasterbase.UserID]string{}
	for _, u := range users {
		names[u.ID] = u.Name
	}
	tokens, err := a.Tokens(r.Context(), of)
	if err != nil {
		return err
	}
	out := tokensJSON{Items: []tokenJSON{}}
	for _, t := range tokens {
		out.Items = append(out.Items, tokenDocument(t, names[t.User]))
	}
	return writeJSON(w, r, out, true)
}

type createTokenInput struct {
	Body tokenBody
}

func (s *Server) apiCreateToken(w http.ResponseWriter, r *http.Request, in *createTokenInput) error {
	a, u, err := s.account(r)
	if err != nil {
		return err
	}
	b := in.Body
	if b.User != "" && b.User != u.Name {
		who, err := s.signedIn(r)
		if err == nil {
			err = s.c.Auth.May(r.Context(), who, rasterbase.Manage, nil)
		}
		if err != nil {
			return err
		}
		if u, err = userNamed(r.Context(), a, b.User); err != nil {
			return err
		}
	}
	if err := rasterbase.CheckLine("the name", b.Name); err != nil {
		return blame(err, "name")
	}
	t := &rasterbase.Token{User: u.ID, Name: b.Name, Scope: rasterbase.Role(b.Scope), Expires: time.Now().Add(tokenLifetime).Truncate(time.Second).UTC()}
	b.Expires.to(&t.Expires)
	if b.Expires.given && !b.Expires.null && !t.Expires.After(time.Now()) {
		return rasterbase.Errorf(rasterbase.Invalid, "the token would have expired already").WithField("expires")
	}
	secret, err := a.AddToken(r.Context(), t)
	if err != nil {
		return err
	}
	return writeAccount(w, r, madeTokenJSON{tokenDocument(t, u.Name), secret}, http.StatusCreated)
}

type deleteTokenInput struct {
	Token rasterbase.TokenID `path:"token" minimum:"1" doc:"Id of a token"`
}

func (s *Server) apiDeleteToken(w http.ResponseWriter, r *http.Request, in *deleteTokenInput) error {
	a, u, err := s.account(r)
	if err != nil {
		return err
	}
	of := u.ID
	if u.Role == rasterbase.Administrator {
		of = 0
	}
	tokens, err := a.Tokens(r.Context(), of)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.ID == in.Token {
			if err := a.DeleteToken(r.Context(), t.ID); err != nil {
				return err
			}
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
	}
	return rasterbase.Errorf(rasterbase.NotFound, "there is no token %d", in.Token).WithHint("%s/tokens lists yours", apiPath).WithField("token")
}
