package server

import (
	"fmt"
	"net/http"
	"time"

	"github.com/rasterbase/rasterbase"
)

// maxPasswordBody is the longest password that is read; what it may be is decided by the
// Accounts.
const maxPasswordBody = 4 << 10

func (s *Server) userOperations(a *api) {
	told := response{text: "The user as it is now", kind: userJSON{}}
	made := told
	made.located = true
	register(a, operation{
		id: "list-users", method: http.MethodGet, path: "/users", tag: tagAccounts, summary: "List users",
		detail: "Ordered by name.", access: manager, answers: map[int]response{200: {text: "All of them", kind: usersJSON{}}},
	}, s.apiUsers)
	register(a, operation{
		id: "create-user", method: http.MethodPost, path: "/users", tag: tagAccounts, summary: "Make a user", access: manager,
		detail:  "A viewer reads private layers too, an editor changes layers and legends, an administrator manages users and jobs.",
		answers: map[int]response{201: made}, errors: []int{409},
		example: newUserBody{Name: "bert", Role: "viewer", Password: "five words for bert alone"}, most: maxPasswordBody,
	}, s.apiCreateUser)
	register(a, operation{
		id: "change-user", method: http.MethodPatch, path: "/users/{user}", tag: tagAccounts, summary: "Change a user",
		detail: "A JSON merge patch (RFC 7396). Another password ends the user's sessions; null takes it away, and tokens are left. The last administrator stays one.",
		access: manager, answers: map[int]response{200: told}, errors: []int{404, 409},
		example: userPatchBody{Role: given("editor")}, most: maxPasswordBody,
	}, s.apiChangeUser)
	register(a, operation{
		id: "delete-user", method: http.MethodDelete, path: "/users/{user}", tag: tagAccounts, summary: "Delete a user",
		detail: "With their tokens, sessions and colormaps. The last administrator stays.", access: manager,
		answers: map[int]response{204: {text: "They are gone"}}, errors: []int{400, 404, 409},
	}, s.apiDeleteUser)
	register(a, operation{
		id: "change-own-password", method: http.MethodPut, path: "/me/password", tag: tagAccounts, summary: "Change one's own password",
		detail: "All sessions end, this one too. A token of limited scope cannot.", access: member,
		answers: map[int]response{204: {text: "It is another one"}}, errors: []int{403, 429},
		example: passwordBody{Password: "the one until now", New: "seven words that make no sense"}, most: maxPasswordBody,
	}, s.apiChangePassword)
	s.tokenOperations(a)
}

// userJSON is a user without anything secret.
type userJSON struct {
	ID       rasterbase.UserID `json:"id"`
	Name     string            `json:"name"`
	Role     rasterbase.Role   `json:"role"`
	Password bool              `json:"password" doc:"Whether there is one to sign in with in a browser"`
	Tokens   int               `json:"tokens" doc:"How many there are"`
	Created  time.Time         `json:"created"`
}

type usersJSON struct {
	Items []userJSON `json:"items"`
}

// newUserBody is a user to be made.
type newUserBody struct {
	Name     string `json:"name" doc:"Unique in any case"`
	Role     string `json:"role" enum:"viewer,editor,administrator"`
	Password string `json:"password,omitempty" doc:"At least 10 characters. Without one the user has tokens alone"`
}

// userPatchBody is what can be changed of a user.
type userPatchBody struct {
	Name     opt[string] `json:"name,omitzero" doc:"Unique in any case"`
	Role     opt[string] `json:"role,omitzero" doc:"viewer, editor or administrator"`
	Password opt[string] `json:"password,omitzero" doc:"At least 10 characters; null: none"`
}

type passwordBody struct {
	Password string `json:"password" doc:"The one until now"`
	New      string `json:"new" doc:"At least 10 characters"`
}

func userDocument(u *rasterbase.User, tokens int) userJSON {
	return userJSON{ID: u.ID, Name: u.Name, Role: u.Role, Password: u.Password != "", Tokens: tokens, Created: u.Created}
}

func (s *Server) apiUsers(w http.ResponseWriter, r *http.Request, _ *struct{}) error {
	a, err := s.accounts()
	if err != nil {
		return err
	}
	users, err := a.Users(r.Context())
	if err != nil {
		return err
	}
	tokens, err := a.Tokens(r.Context(), 0)
	if err != nil {
		return err
	}
	of := map[rasterbase.UserID]int{}
	for _, t := range tokens {
		of[t.User]++
	}
	out := usersJSON{Items: []userJSON{}}
	for _, u := range users {
		out.Items = append(out.Items, userDocument(u, of[u.ID]))
	}
	return writeJSON(w, r, out, true)
}

type createUserInput struct {
	Body newUserBody
}

func (s *Server) apiCreateUser(w http.ResponseWriter, r *http.Request, in *createUserInput) error {
	a, err := s.accounts()
	if err != nil {
		return err
	}
	role, err := rasterbase.ParseRole(in.Body.Role)
	if err != nil {
		return err
	}
	u := &rasterbase.User{Name: in.Body.Name, Role: role}
	if err := a.AddUser(r.Context(), u, in.Body.Password); err != nil {
		return err
	}
	w.Header().Set("Location", fmt.Sprintf("%s%s/users/%d", s.root(r), apiPath, u.ID))
	return writeAccount(w, r, userDocument(u, 0), http.StatusCreated)
}

// writeAccount answers with a status what nobody is to keep.
func writeAccount(w http.ResponseWriter, r *http.Request, v any, status int) error {
	body, err := marshal(v)
	if err != nil {
		return fmt.Errorf("write an account as JSON: %w", err)
	}
	return answer{contentType: "application/json", body: append(body, '\n'), status: status, private: true}.write(w, r)
}

type changeUserInput struct {
	User rasterbase.UserID `path:"user" minimum:"1" doc:"Id of a user"`
	Body userPatchBody
}

func (s *Server) apiChangeUser(w http.ResponseWriter, r *http.Request, in *changeUserInput) error {
	a, err := s.accounts()
	if err != nil {
		return err
	}
	b := in.Body
	role := rasterbase.Role(b.Role.value)
	if b.Role.given {
		if role, err = rasterbase.ParseRole(b.Role.value); err != nil {
			return err
		}
	}
	var password *string
	if b.Password.given {
		password = &b.Password.value
	}
	u, err := a.ChangeUser(r.Context(), in.User, func(u *rasterbase.User) {
		b.Name.to(&u.Name)
		if b.Role.given {
			u.Role = role
		}
	}, password)
	if err != nil {
		return err
	}
	tokens, err := a.Tokens(r.Context(), in.User)
	if err != nil {
		return err
	}
	return writeAccount(w, r, userDocument(u, len(tokens)), http.StatusOK)
}

type deleteUserInput struct {
	User rasterbase.UserID `path:"user" minimum:"1" doc:"Id of a user"`
}

func (s *Server) apiDeleteUser(w http.ResponseWriter, r *http.Request, in *deleteUserInput) error {
	a, err := s.accounts()
	if err != nil {
		return err
	}
	if err := a.DeleteUser(r.Context(), in.User); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

type passwordInput struct {
	Body passwordBody
}

func (s *Server) apiChangePassword(w http.ResponseWriter, r *http.Request, in *passwordInput) error {
	a, u, err := s.account(r)
	if err != nil {
		return err
	}
	if err := a.ChangePassword(r, u.Name, in.Body.Password, in.Body.New); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
