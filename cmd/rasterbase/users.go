package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/store"
)

type usersCmd struct {
	List   usersListCmd   `cmd:"" default:"withargs" help:"List the users."`
	Add    usersAddCmd    `cmd:"" help:"Add a user."`
	Set    usersSetCmd    `cmd:"" help:"Change a user's role or name."`
	Delete usersDeleteCmd `cmd:"" help:"Delete a user with all of their tokens."`
}

// Help is the longer text of "users --help".
func (*usersCmd) Help() string {
	return `Everybody may read public layers. Users may do more over HTTP, as their role says, and show who they are by a token:

  viewer         reads private layers too
  editor         adds, changes and deletes layers and legends
  administrator  manages users, tokens and jobs

Whoever runs these commands may do everything: what they need is the data folder or the database. A user is named by name or id.

Examples:

  rasterbase users add anna
  rasterbase tokens add anna
  rasterbase users set bert --role editor`
}

// userDoc is a user as the commands print it.
type userDoc struct {
	ID      rasterbase.UserID `json:"id"`
	Name    string            `json:"name"`
	Role    rasterbase.Role   `json:"role"`
	Tokens  int               `json:"tokens"` // how many, expired ones included
	Created time.Time         `json:"created"`
}

func newUserDoc(ctx context.Context, tx store.Tx, u *rasterbase.User) (userDoc, error) {
	tokens, err := tx.Tokens().List(ctx, u.ID)
	return userDoc{u.ID, u.Name, u.Role, len(tokens), u.Created}, err
}

// String names the user in messages.
func (d userDoc) String() string {
	return fmt.Sprintf("user %d, %s, %s", d.ID, visible(d.Name), d.Role)
}

type usersListCmd struct {
	JSON bool `name:"json" help:"Print one JSON document."`
}

// Run lists the users.
func (c *usersListCmd) Run(ctx context.Context, a *app) error {
	docs := []userDoc{}
	err := a.view(ctx, func(tx store.Tx) error {
		docs = docs[:0]
		all, err := tx.Users().List(ctx)
		if err != nil {
			return err
		}
		for _, u := range all {
			d, err := newUserDoc(ctx, tx, u)
			if err != nil {
				return err
			}
			docs = append(docs, d)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(map[string]any{"users": docs})
	}
	if len(docs) == 0 {
		fmt.Fprintln(a.stderr, "no users yet: everybody may read public layers, and nobody may change anything over HTTP; `rasterbase users add NAME` adds an administrator")
		return nil
	}
	t := newTable(a.stdout, "ID", "NAME", "ROLE", "TOKENS", "CREATED")
	for _, d := range docs {
		t.row(strconv.FormatInt(int64(d.ID), 10), d.Name, string(d.Role), strconv.Itoa(d.Tokens), day(d.Created))
	}
	t.flush()
	return nil
}

type usersAddCmd struct {
	Name string `arg:"" help:"Name of the user, unique in any case."`
	Role string `help:"What the user may do: viewer, editor or administrator. The first user of all is an administrator otherwise, the others are viewers." placeholder:"ROLE"`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

// Run adds a user.
func (c *usersAddCmd) Run(ctx context.Context, a *app) error {
	role, err := readRole(c.Role)
	if err != nil {
		return err
	}
	if err := auth.CheckUserName(c.Name); err != nil {
		return usageError{err}
	}
	var doc userDoc
	first := false
	err = a.update(ctx, func(tx store.Tx) error {
		u := &rasterbase.User{Name: c.Name, Role: role}
		byDefault, err := auth.DefaultRole(ctx, tx)
		if err != nil {
			return err
		}
		if first = role == "" && byDefault == rasterbase.Administrator; role == "" {
			u.Role = byDefault
		}
		if err := tx.Users().Create(ctx, u); err != nil {
			return err
		}
		doc, err = newUserDoc(ctx, tx, u)
		return err
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return a.printJSON(doc)
	}
	why := ""
	if first {
		why = ": the first user of all"
	}
	fmt.Fprintf(a.stdout, "%s%s\n", doc, why)
	fmt.Fprintf(a.stderr, "`rasterbase tokens add %s` makes a token\n", shellWord(doc.Name))
	return nil
}

type usersSetCmd struct {
	User    string `arg:"" name:"user" help:"Name or id."`
	Role    string `help:"What the user may do: viewer, editor or administrator." placeholder:"ROLE"`
	NewName string `name:"name" help:"Another name." placeholder:"NAME"`
	Yes     bool   `short:"y" help:"Do not ask before the last administrator gets another role."`
	JSON    bool   `name:"json" help:"Print one JSON document."`
}

// Run changes a user.
func (c *usersSetCmd) Run(ctx context.Context, a *app) error {
	if c.Role == "" && c.NewName == "" {
		return usageError{errors.New("nothing is to be changed; give --role or --name")}
	}
	role, err := readRole(c.Role)
	if err != nil {
		return err
	}
	if c.NewName != "" {
		if err := auth.CheckUserName(c.NewName); err != nil {
			return usageError{err}
		}
	}
	last, ok, err := c.demotes(ctx, a, role)
	if err != nil || !ok {
		return err
	}
	var doc userDoc
	err = a.updateThere(ctx, func(tx store.Tx) error {
		u, err := auth.FindUser(ctx, tx, c.User)
		if err != nil {
			return err
		}
		if role != "" {
			u.Role = role
		}
		if c.NewName != "" {
			u.Name = c.NewName
		}
		if err := tx.Users().Update(ctx, u); err != nil {
			return err
		}
		doc, err = newUserDoc(ctx, tx, u)
		return err
	})
	if err != nil {
		return err
	}
	if last {
		a.sayNobodyAdministrates()
	}
	if c.JSON {
		return a.printJSON(doc)
	}
	fmt.Fprintln(a.stdout, doc)
	return nil
}

// demotes tells whether the last administrator gets another role, and asks
// whether that is meant.
func (c *usersSetCmd) demotes(ctx context.Context, a *app, role rasterbase.Role) (last, ok bool, err error) {
	if role == "" || role == rasterbase.Administrator {
		return false, true, nil
	}
	doc, last, err := a.readUser(ctx, c.User)
	if err != nil || !last || c.Yes {
		return last, true, err
	}
	if ok, err = a.confirm(fmt.Sprintf("make %s, the last administrator, %s?", visible(doc.Name), role)); err != nil {
		return last, false, lastOne(err, doc)
	}
	if !ok {
		fmt.Fprintf(a.stderr, "kept %s\n", doc)
	}
	return last, ok, nil
}

type usersDeleteCmd struct {
	User string `arg:"" name:"user" help:"Name or id."`
	Yes  bool   `short:"y" help:"Do not ask."`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

// Run deletes a user.
func (c *usersDeleteCmd) Run(ctx context.Context, a *app) error {
	doc, last, err := a.readUser(ctx, c.User)
	if err != nil {
		return err
	}
	if !c.Yes {
		what := visible(doc.Name)
		if last {
			what += ", the last administrator,"
		}
		ok, err := a.confirm(fmt.Sprintf("delete user %s with %d %s?", what, doc.Tokens, plural(doc.Tokens, "token")))
		if err != nil && last {
			return lastOne(err, doc)
		}
		if err != nil {
			return err
		}
		if !ok {
			fmt.Fprintf(a.stderr, "kept %s\n", doc)
			return nil
		}
	}
	if err := a.updateThere(ctx, func(tx store.Tx) error { return tx.Users().Delete(ctx, doc.ID) }); err != nil {
		return err
	}
	if last {
		a.sayNobodyAdministrates()
	}
	if c.JSON {
		return a.printJSON(map[string]any{"deleted": doc.Name})
	}
	fmt.Fprintf(a.stdout, "deleted %s\n", doc)
	return nil
}

// updateThere opens the store, which must be there, and runs a writing function
// in a transaction.
func (a *app) updateThere(ctx context.Context, fn func(tx store.Tx) error) (err error) {
	_, st, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	defer closeInto(&err, st)
	return st.Catalog().Update(ctx, fn)
}

// readUser reads a user, and whether nobody would administrate without them.
func (a *app) readUser(ctx context.Context, ref string) (doc userDoc, last bool, err error) {
	err = a.view(ctx, func(tx store.Tx) error {
		u, err := auth.FindUser(ctx, tx, ref)
		if err != nil {
			return err
		}
		if doc, err = newUserDoc(ctx, tx, u); err != nil {
			return err
		}
		last, err = auth.LastAdministrator(ctx, tx, u.ID)
		return err
	})
	return doc, last, err
}

// lastOne says why the last administrator is not touched without being asked.
func lastOne(err error, doc userDoc) error {
	if _, isUsage := errors.AsType[usageError](err); !isUsage {
		return err
	}
	return rasterbase.Errorf(rasterbase.Conflict, "%s is the last administrator", visible(doc.Name)).
		WithHint("make another one first, `rasterbase users set NAME --role administrator`, or give --yes")
}

func (a *app) sayNobodyAdministrates() {
	fmt.Fprintln(a.stderr, "nobody is an administrator now; `rasterbase users set NAME --role administrator` makes one")
}

// readRole reads a role that may be left out.
func readRole(s string) (rasterbase.Role, error) {
	if s == "" {
		return "", nil
	}
	role, err := rasterbase.ParseRole(strings.ToLower(s))
	if err != nil {
		return "", usageError{err}
	}
	return role, nil
}

// day is a time as lists show it.
func day(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.DateOnly)
}

// shellWord is a word of a command line that can be copied.
func shellWord(s string) string {
	if strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("@%+=:,./-_", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0 && s != "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
