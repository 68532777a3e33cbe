package rasterbase

import (
	"slices"
	"time"
)

// UserID identifies a user for good.
type UserID int64

// TokenID identifies a token for good.
type TokenID int64

// Role says what a user may do. Each role may do what those before it may.
type Role string

// The roles.
const (
	Viewer        Role = "viewer"        // read all layers, private ones too
	Editor        Role = "editor"        // change layers and legends
	Administrator Role = "administrator" // manage users, tokens and jobs
)

// Roles lists the roles, the least first.
var Roles = []Role{Viewer, Editor, Administrator}

// ParseRole reads a role's name.
func ParseRole(s string) (Role, error) {
	for _, r := range Roles {
		if s == string(r) {
			return r, nil
		}
	}
	return "", Errorf(Invalid, "unknown role %q", s).
		WithHint("one of viewer, editor, administrator").WithField("role")
}

// Within is the lesser of two roles; an empty scope is no limit.
func (r Role) Within(scope Role) Role {
	if scope != "" && slices.Index(Roles, scope) < slices.Index(Roles, r) {
		return scope
	}
	return r
}

// User is somebody who may do more than read public layers.
type User struct {
	ID      UserID
	Name    string // unique in any case
	Role    Role
	Created time.Time
	// Password is the hash of the password that the user signs in with in a browser;
	// empty: the user has tokens alone.
	Password string
}

// Token is a secret that a program shows to act as a user. The secret itself is
// not kept.
type Token struct {
	ID      TokenID
	User    UserID
	Name    string // what it is for
	Scope   Role   // the most that it may do, whatever its user may; empty: all of that
	Hash    string // SHA-256 of the secret, as 64 hexadecimal digits
	Created time.Time
	Expires time.Time // zero: never
	Used    time.Time // about the last time; zero: never
}
