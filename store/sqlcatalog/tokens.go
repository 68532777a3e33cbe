package sqlcatalog

import (
	"context"
	"fmt"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type tokens struct{ *Tx }

const tokenColumns = `id, user_id, name, hash, scope, created, expires, used`

func scanToken(row Row) (*rasterbase.Token, error) {
	var t rasterbase.Token
	err := row.Scan(&t.ID, &t.User, &t.Name, &t.Hash, &t.Scope, (*Time)(&t.Created), (*Time)(&t.Expires), (*Time)(&t.Used))
	return &t, err
}

func noToken(id rasterbase.TokenID) error { return store.NotFound("there is no token %d", id) }

func (x tokens) Create(ctx context.Context, t *rasterbase.Token) error {
	n := *t
	if err := x.checkID(ctx, "tokens", "token", int64(n.ID)); err != nil {
		return err
	}
	if _, err := (users{x.Tx}).Get(ctx, n.User); err != nil {
		return err
	}
	if err := x.checkHash(ctx, n.Hash); err != nil {
		return err
	}
	n.Created = givenTime(n.ID != 0, n.Created, x.now())
	n.Expires = stored(n.Expires)
	n.Used = givenTime(n.ID != 0, n.Used, time.Time{})
	id, err := x.insert(ctx, "tokens", `user_id, name, hash, scope, created, expires, used`, int64(n.ID),
		[]any{n.User, n.Name, n.Hash, n.Scope, n.Created, n.Expires, n.Used})
	if err != nil {
		return x.conflict(err, "storing a token", "hash")
	}
	n.ID = rasterbase.TokenID(id)
	set(x.Tx, t, n)
	return nil
}

// checkHash looks whether a token can have a hash, which no message repeats.
func (x tokens) checkHash(ctx context.Context, hash string) error {
	if hash == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "a token needs the hash of its secret").WithField("hash")
	}
	taken, err := x.exists(ctx, `SELECT 1 FROM @tokens WHERE hash = ?`, hash)
	if err != nil {
		return fmt.Errorf("looking for a token: %w", err)
	}
	if taken {
		return rasterbase.Errorf(rasterbase.Conflict, "there is a token with this secret already").WithField("hash")
	}
	return nil
}

func (x tokens) Get(ctx context.Context, id rasterbase.TokenID) (*rasterbase.Token, error) {
	return x.one(ctx, noToken(id), `id = ?`, id)
}

func (x tokens) FindHash(ctx context.Context, hash string) (*rasterbase.Token, error) {
	return x.one(ctx, store.NotFound("there is no token with this secret"), `hash = ?`, hash)
}

func (x tokens) one(ctx context.Context, missing error, where string, arg any) (*rasterbase.Token, error) {
	t, err := scanToken(x.row(ctx, `SELECT `+tokenColumns+` FROM @tokens WHERE `+where, arg))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("reading a token: %w", err)
	}
	return t, nil
}

func (x tokens) List(ctx context.Context, user rasterbase.UserID) ([]*rasterbase.Token, error) {
	where, args := ``, []any(nil)
	if user != 0 {
		where, args = ` WHERE user_id = ?`, []any{user}
	}
	out, err := collect(ctx, x.Tx, scanToken, `SELECT `+tokenColumns+` FROM @tokens`+where+` ORDER BY id`, args...)
	if err != nil {
		return nil, fmt.Errorf("listing tokens: %w", err)
	}
	return out, nil
}

func (x tokens) Update(ctx context.Context, t *rasterbase.Token) error {
	return x.changed(ctx, t.ID, "storing", `UPDATE @tokens SET name = ?, expires = ?, used = ? WHERE id = ?`, t.Name, t.Expires, t.Used, t.ID)
}

func (x tokens) Delete(ctx context.Context, id rasterbase.TokenID) error {
	return x.changed(ctx, id, "deleting", `DELETE FROM @tokens WHERE id = ?`, id)
}

// changed runs a statement that is to change one token.
func (x tokens) changed(ctx context.Context, id rasterbase.TokenID, doing, query string, args ...any) error {
	n, err := x.exec(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s token %d: %w", doing, id, err)
	}
	if n == 0 {
		return noToken(id)
	}
	return nil
}
