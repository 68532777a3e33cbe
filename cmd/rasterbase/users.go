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
	List     usersListCmd     `cmd:"" default:"withargs" help:"List the users."`
	Add      usersAddCmd      `cmd:"" help:"Add a user."`
	Set      usersSetCmd      `cmd:"" help:"Change a user's role or name."`
	Password usersPasswordCmd `cmd:"" help:"Give a user a password to sign in with in a browser."`
	Delete   usersDeleteCmd   `cmd:"" help:"Delete a user with all of their tokens."`
}

// Help is the longer text of "users --help".
func (*usersCmd) Help() string {
	return `Everybody may read public layers. Users may do more over HTTP, as their role says, and show who they are by a token, or in a browser by a password:

  viewer         reads private layers too
  editor         adds, changes and deletes layers and legends
  administrator  manages users, tokens and jobs

Whoever runs these commands may do everything: what they need is the data folder or the database. A user is named by name or id.

Examples:

  rasterbase users add anna
  rasterbase users password anna
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
	fmt.Fprintf(a.stderr, "`rasterbase users password %[1]s` gives a password for browsers, `rasterbase tokens add %[1]s` makes a token for programs\n", shellWord(doc.Name))
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
	change := userChange{demotes: role != "" && role != rasterbase.Administrator, yes: c.Yes}
	change.question = func(d userDoc, last bool) string {
		if !last {
			return ""
		}
		return fmt.Sprintf("make %s, the last administrator, %s?", visible(d.Name), role)
	}
	change.apply = func(tx store.Tx, u *rasterbase.User) error {
		if role != "" {
			u.Role = role
		}
		if c.NewName != "" {
			u.Name = c.NewName
		}
		return tx.Users().Update(ctx, u)
	}
	doc, ok, err := a.changeUser(ctx, c.User, change)
	if err != nil || !ok {
		return err
	}
	if c.JSON {
		return a.printJSON(doc)
	}
	fmt.Fprintln(a.stdout, doc)
	return nil
}

type usersDeleteCmd struct {
	User string `arg:"" name:"user" help:"Name or id."`
	Yes  bool   `short:"y" help:"Do not ask."`
	JSON bool   `name:"json" help:"Print one JSON document."`
}

// Run deletes a user.
func (c *usersDeleteCmd) Run(ctx context.Context, a *app) error {
	change := userChange{demotes: true, yes: c.Yes}
	change.question = func(d userDoc, last bool) string {
		what := visible(d.Name)
		if last {
			what += ", the last administrator,"
		}
		return fmt.Sprintf("delete user %s with %d %s?", what, d.Tokens, plural(d.Tokens, "token"))
	}
	change.apply = func(tx store.Tx, u *rasterbase.User) error { return tx.Users().Delete(ctx, u.ID) }
	doc, ok, err := a.changeUser(ctx, c.User, change)
	if err != nil || !ok {
		return err
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

// userChange is a change of a user who may be the last administrator.
type userChange struct {
	demotes  bool                                   // they are no administrator after it
	yes      bool                                   // nothing is asked
	question func(d userDoc, last bool) string      // what is asked before; empty: nothing
	apply    func(store.Tx, *rasterbase.User) error // makes the change
}

// changeUser asks, and changes a user then. Whether they are the last
// administrator is looked at before, for the question, and again in the
// transaction that makes the change: whoever became it meanwhile stays. It tells
// the user as changed, or as they were if they are gone, and whether the change
// was made.
func (a *app) changeUser(ctx context.Context, ref string, c userChange) (doc userDoc, ok bool, err error) {
	doc, expected, err := a.readUser(ctx, ref)
	if err != nil {
		return doc, false, err
	}
	expected = expected && c.demotes
	if ok, err := a.askChange(c, doc, expected); err != nil || !ok {
		return doc, false, err
	}
	last := false
	err = a.updateThere(ctx, func(tx store.Tx) error {
		u, err := auth.FindUser(ctx, tx, strconv.FormatInt(int64(doc.ID), 10)) // the name may be another's by now
		if err != nil {
			return err
		}
		last = false
		if c.demotes {
			if last, err = auth.LastAdministrator(ctx, tx, u.ID); err != nil {
				return err
			}
		}
		if last && !expected && !c.yes {
			return lastAdministrator(u.Name)
		}
		if doc, err = newUserDoc(ctx, tx, u); err != nil {
			return err
		}
		if err := c.apply(tx, u); err != nil {
			return err
		}
		doc.Name, doc.Role = u.Name, u.Role
		return nil
	})
	if err == nil && last {
		a.sayNobodyAdministrates()
	}
	return doc, err == nil, err
}

// askChange asks whether a change is meant.
func (a *app) askChange(c userChange, doc userDoc, last bool) (bool, error) {
	question := c.question(doc, last)
	if c.yes || question == "" {
		return true, nil
	}
	ok, err := a.confirm(question)
	if _, isUsage := errors.AsType[usageError](err); isUsage && last {
		return false, lastAdministrator(doc.Name)
	}
	if err == nil && !ok {
		fmt.Fprintf(a.stderr, "kept %s\n", doc)
	}
	return ok, err
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

// lastAdministrator says why the last administrator is not touched without
// being asked.
func lastAdministrator(name string) error {
	return rasterbase.Errorf(rasterbase.Conflict, "%s is the last administrator", visible(name)).
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
