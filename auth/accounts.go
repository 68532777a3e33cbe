package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// Users are all users, ordered by name without case.
func (a *Auth) Users(ctx context.Context) (all []*rasterbase.User, err error) {
	err = a.catalog.View(ctx, func(tx store.Tx) (err error) {
		all, err = tx.Users().List(ctx)
		return err
	})
	return all, err
}

// AddUser makes a user with a name and a role, and a password unless it is empty. The
// error has code invalid for what a name or a password cannot be, and conflict when the
// name is taken.
func (a *Auth) AddUser(ctx context.Context, u *rasterbase.User, password string) error {
	if err := CheckUserName(u.Name); err != nil {
		return err
	}
	hash, err := a.hashOf(ctx, u.Name, password)
	if err != nil {
		return err
	}
	return a.catalog.Update(ctx, func(tx store.Tx) error {
		made := rasterbase.User{Name: u.Name, Role: u.Role}
		if err := tx.Users().Create(ctx, &made); err != nil {
			return err
		}
		made.Password = hash
		*u = made
		return tx.Users().SetPassword(ctx, made.ID, hash)
	})
}

// ChangeUser changes the name and the role of a user as change says, and their password,
// which ends their sessions, unless it is nil; an empty one takes it away. The error has
// code not found, invalid for what a name or a password cannot be, and conflict when the
// name is taken or nobody would be left to administrate.
func (a *Auth) ChangeUser(ctx context.Context, id rasterbase.UserID, change func(*rasterbase.User), password *string) (u *rasterbase.User, err error) {
	hash := ""
	if password != nil { // before the transaction, which others wait for
		if hash, err = a.newHash(ctx, id, change, *password); err != nil {
			return nil, err
		}
	}
	err = a.catalog.Update(ctx, func(tx store.Tx) (err error) {
		if u, err = userOf(ctx, tx, id); err != nil {
			return err
		}
		was := *u
		change(u)
		if u.Name != was.Name {
			if err := CheckUserName(u.Name); err != nil {
				return err
			}
		}
		if was.Role == rasterbase.Administrator && u.Role != was.Role {
			if err := spare(ctx, tx, &was); err != nil {
				return err
			}
		}
		if password != nil {
			u.Password = hash
			if err := tx.Users().SetPassword(ctx, id, u.Password); err != nil {
				return err
			}
		}
		return tx.Users().Update(ctx, u)
	})
	return u, err
}

// newHash is the hash of a new password of a user who is changed as well: a password must
// not be the name that they get.
func (a *Auth) newHash(ctx context.Context, id rasterbase.UserID, change func(*rasterbase.User), password string) (string, error) {
	var u *rasterbase.User
	err := a.catalog.View(ctx, func(tx store.Tx) (err error) {
		u, err = userOf(ctx, tx, id)
		return err
	})
	if err != nil {
		return "", err
	}
	change(u)
	return a.hashOf(ctx, u.Name, password)
}

// DeleteUser deletes a user with their tokens. Errors are those of [Auth.ChangeUser].
func (a *Auth) DeleteUser(ctx context.Context, id rasterbase.UserID) error {
	return a.catalog.Update(ctx, func(tx store.Tx) error {
		u, err := userOf(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := spare(ctx, tx, u); err != nil {
			return err
		}
		return tx.Users().Delete(ctx, id)
	})
}

// spare refuses to lose the last administrator.
func spare(ctx context.Context, tx store.Tx, u *rasterbase.User) error {
	last, err := LastAdministrator(ctx, tx, u.ID)
	if err == nil && last {
		return rasterbase.Errorf(rasterbase.Conflict, "%s is the last administrator", u.Name).
			WithHint("make somebody else an administrator first").WithField("role")
	}
	return err
}

// ChangePassword gives whoever sent a request, a user of this name, another password if
// they know the one they have, and ends their sessions. The error has code forbidden for a
// wrong one, too many when the sender has to wait, and invalid for what a password cannot be.
func (a *Auth) ChangePassword(r *http.Request, name, password, other string) error {
	ctx, now, address := r.Context(), a.o.Now(), network(a.o.Address(r))
	key := sha256.Sum256([]byte("change\x00" + name + "\x00" + password))
	if a.limit.ask(address, key, now) == answerWait {
		return errTooMany()
	}
	var u *rasterbase.User
	err := a.catalog.View(ctx, func(tx store.Tx) (err error) {
		u, err = FindUser(ctx, tx, name)
		return err
	})
	if err != nil {
		return err
	}
	ok, err := a.matches(ctx, password, u.Password)
	switch {
	case err != nil:
		return err
	case !ok:
		a.limit.wrong(address, key, now)
		return rasterbase.Errorf(rasterbase.Forbidden, "this is not the password that you have").
			WithHint("an administrator can give you another one").WithField("password")
	case other == "":
		return rasterbase.Errorf(rasterbase.Invalid, "the new password is empty").WithField("new")
	}
	_, err = a.ChangeUser(ctx, u.ID, func(*rasterbase.User) {}, &other)
	return err
}

// Tokens are those of a user, ordered by id; user 0: of all.
func (a *Auth) Tokens(ctx context.Context, user rasterbase.UserID) (all []*rasterbase.Token, err error) {
	err = a.catalog.View(ctx, func(tx store.Tx) (err error) {
		all, err = tx.Tokens().List(ctx, user)
		return err
	})
	return all, err
}

// AddToken makes a token of a user, name, scope and end, and gives its secret, which is
// kept nowhere. The error has code not found for an unknown user.
func (a *Auth) AddToken(ctx context.Context, t *rasterbase.Token) (secret string, err error) {
	secret, made := NewToken(t.User, t.Name, t.Expires)
	made.Scope = t.Scope
	err = a.catalog.Update(ctx, func(tx store.Tx) error {
		if _, err := userOf(ctx, tx, made.User); err != nil {
			return err
		}
		return tx.Tokens().Create(ctx, &made)
	})
	*t = made
	return secret, err
}

// DeleteToken deletes a token, which is refused from then on. The error has code not
// found for an unknown one.
func (a *Auth) DeleteToken(ctx context.Context, id rasterbase.TokenID) error {
	err := a.catalog.Update(ctx, func(tx store.Tx) error { return tx.Tokens().Delete(ctx, id) })
	if errors.Is(err, store.ErrNotExist) {
		return rasterbase.Errorf(rasterbase.NotFound, "there is no token %d", id).WithField("token")
	}
	return err
}

func userOf(ctx context.Context, tx store.Tx, id rasterbase.UserID) (*rasterbase.User, error) {
	u, err := tx.Users().Get(ctx, id)
	if errors.Is(err, store.ErrNotExist) {
		return nil, rasterbase.Errorf(rasterbase.NotFound, "there is no user %d", id).WithField("user")
	}
	return u, err
}
