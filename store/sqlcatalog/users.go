package sqlcatalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type users struct{ *Tx }

const userColumns = `id, name, role, created, password`

func scanUser(row Row) (*rasterbase.User, error) {
	var u rasterbase.User
	err := row.Scan(&u.ID, &u.Name, &u.Role, (*Time)(&u.Created), &u.Password)
	return &u, err
}

func noUser(id rasterbase.UserID) error { return store.NotFound("there is no user %d", id) }

func (x users) Create(ctx context.Context, u *rasterbase.User) error {
	n := *u
	if err := x.checkID(ctx, "users", "user", int64(n.ID)); err != nil {
		return err
	}
	if err := x.checkName(ctx, n.Name, 0); err != nil {
		return err
	}
	n.Created = givenTime(n.ID != 0, n.Created, x.now())
	if n.ID == 0 {
		n.Password = ""
	}
	id, err := x.insert(ctx, "users", `name, name_key, role, created, password`, int64(n.ID), []any{n.Name, caseless(n.Name), n.Role, n.Created, n.Password})
	if err != nil {
		return x.conflict(err, fmt.Sprintf("storing user %q", n.Name), "name")
	}
	n.ID = rasterbase.UserID(id)
	set(x.Tx, u, n)
	return nil
}

// checkName looks whether a user can have a name.
func (x users) checkName(ctx context.Context, name string, own rasterbase.UserID) error {
	if strings.TrimSpace(name) == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "a user needs a name").WithField("name")
	}
	taken, err := x.exists(ctx, `SELECT 1 FROM @users WHERE name_key = ? AND id <> ?`, caseless(name), own)
	if err != nil {
		return fmt.Errorf("looking for user %q: %w", name, err)
	}
	if taken {
		return rasterbase.Errorf(rasterbase.Conflict, "there is a user %q already", name).WithField("name")
	}
	return nil
}

func (x users) Get(ctx context.Context, id rasterbase.UserID) (*rasterbase.User, error) {
	u, err := scanUser(x.row(ctx, `SELECT `+userColumns+` FROM @users WHERE id = ?`, id))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, noUser(id)
	}
	if err != nil {
		return nil, fmt.Errorf("reading user %d: %w", id, err)
	}
	return u, nil
}

func (x users) FindName(ctx context.Context, name string) (*rasterbase.User, error) {
	u, err := scanUser(x.row(ctx, `SELECT `+userColumns+` FROM @users WHERE name_key = ?`, caseless(name)))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, store.NotFound("there is no user %q", name)
	}
	if err != nil {
		return nil, fmt.Errorf("reading user %q: %w", name, err)
	}
	return u, nil
}

func (x users) List(ctx context.Context) ([]*rasterbase.User, error) {
	out, err := collect(ctx, x.Tx, scanUser, `SELECT `+userColumns+` FROM @users ORDER BY name_key, id`)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	return out, nil
}

func (x users) Update(ctx context.Context, u *rasterbase.User) error {
	if err := x.checkName(ctx, u.Name, u.ID); err != nil {
		return err
	}
	was, err := x.Get(ctx, u.ID)
	if err != nil {
		return err
	}
	if err := (colormaps{x.Tx}).give(ctx, was.Name, u.Name); err != nil {
		return fmt.Errorf("storing user %q: %w", u.Name, err)
	}
	n, err := x.exec(ctx, `UPDATE @users SET name = ?, name_key = ?, role = ? WHERE id = ?`, u.Name, caseless(u.Name), u.Role, u.ID)
	if err != nil {
		return x.conflict(err, fmt.Sprintf("storing user %q", u.Name), "name")
	}
	if n == 0 {
		return noUser(u.ID)
	}
	return nil
}

func (x users) SetPassword(ctx context.Context, id rasterbase.UserID, hash string) error {
	n, err := x.exec(ctx, `UPDATE @users SET password = ? WHERE id = ?`, hash, id)
	if err != nil {
		return fmt.Errorf("storing the password of user %d: %w", id, err)
	}
	if n == 0 {
		return noUser(id)
	}
	return nil
}

func (x users) Delete(ctx context.Context, id rasterbase.UserID) error {
	was, err := x.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := (colormaps{x.Tx}).drop(ctx, was.Name); err != nil { // another user may get the name
		return fmt.Errorf("deleting user %d: %w", id, err)
	}
	n, err := x.exec(ctx, `DELETE FROM @users WHERE id = ?`, id)
	if err != nil {
		return fmt.Errorf("deleting user %d: %w", id, err)
	}
	if n == 0 {
		return noUser(id)
	}
	return nil
}
