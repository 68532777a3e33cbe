package auth

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// MaxUserName is the longest name of a user, in characters.
const MaxUserName = 100

// CheckUserName refuses what a user cannot be called: HTTP Basic knows no name
// with a colon, digits alone would be taken for an id, and what does not print
// could pass for another name. The error has code invalid.
func CheckUserName(name string) error {
	wrong := ""
	switch {
	case name == "":
		wrong = "is empty"
	case !utf8.ValidString(name):
		wrong = "is not UTF-8"
	case utf8.RuneCountInString(name) > MaxUserName:
		wrong = "is longer than " + strconv.Itoa(MaxUserName) + " characters"
	case strings.TrimSpace(name) != name:
		wrong = "begins or ends with a space"
	case strings.Contains(name, ":"):
		wrong = "has a colon"
	case strings.Trim(name, "0123456789") == "":
		wrong = "has digits only and would be taken for an id"
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		wrong = "has characters that cannot be printed"
	default:
		return nil
	}
	return rasterbase.Errorf(rasterbase.Invalid, "the user's name %q %s", name, wrong).
		WithHint("use letters, digits and signs such as - . @ _").WithField("name")
}

// sameName tells whether somebody who signs in as name means this user.
func sameName(name, user string) bool { return strings.EqualFold(name, user) }

// FindUser gives the user that a person names, by id or by name in any case. The
// error matches [store.ErrNotExist] and has code not found when there is none.
func FindUser(ctx context.Context, tx store.Tx, ref string) (*rasterbase.User, error) {
	var u *rasterbase.User
	err := store.ErrNotExist
	if strings.Trim(ref, "0123456789") != "" {
		u, err = tx.Users().FindName(ctx, ref)
	} else if id, e := strconv.ParseInt(ref, 10, 64); e == nil {
		u, err = tx.Users().Get(ctx, rasterbase.UserID(id))
	}
	if errors.Is(err, store.ErrNotExist) {
		e := rasterbase.Errorf(rasterbase.NotFound, "there is no user %q", ref)
		e.Err = store.ErrNotExist
		return nil, e.WithHint("`rasterbase users` lists the users").WithField("user")
	}
	return u, err
}

// DefaultRole is the role of a new user when none is given: the first one of all
// administrates, so that there is somebody who does; the others only read.
func DefaultRole(ctx context.Context, tx store.Tx) (rasterbase.Role, error) {
	all, err := tx.Users().List(ctx)
	if err != nil {
		return "", err
	}
	if len(all) == 0 {
		return rasterbase.Administrator, nil
	}
	return rasterbase.Viewer, nil
}

// LastAdministrator tells whether nobody would administrate without this user.
func LastAdministrator(ctx context.Context, tx store.Tx, id rasterbase.UserID) (bool, error) {
	all, err := tx.Users().List(ctx)
	if err != nil {
		return false, err
	}
	last := false
	for _, u := range all {
		if u.Role != rasterbase.Administrator {
			continue
		}
		if u.ID != id {
			return false, nil
		}
		last = true
	}
	return last, nil
}
