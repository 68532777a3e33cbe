package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/auth"
	"github.com/rasterbase/rasterbase/store"
)

type usersPasswordCmd struct {
	User   string `arg:"" name:"user" help:"Name or id."`
	Remove bool   `help:"Take the password away: the user has tokens alone then."`
}

// Help is the longer text of "users password --help".
func (*usersPasswordCmd) Help() string {
	return `Asks for the password on a terminal, and reads the first line of standard input otherwise. Browsers that are signed in as the user are signed out.

Examples:

  rasterbase users password anna
  rasterbase users password anna < password.txt`
}

// Run changes the password of a user.
func (c *usersPasswordCmd) Run(ctx context.Context, a *app) error {
	doc, _, err := a.readUser(ctx, c.User)
	if err != nil {
		return err
	}
	hash := ""
	if !c.Remove {
		password, err := a.readPassword()
		if err != nil {
			return err
		}
		if err := auth.CheckPassword(doc.Name, password); err != nil {
			return err
		}
		if hash, err = auth.HashPassword(password); err != nil {
			return err
		}
	}
	err = a.updateThere(ctx, func(tx store.Tx) error { return tx.Users().SetPassword(ctx, doc.ID, hash) })
	if err != nil {
		return err
	}
	if c.Remove {
		fmt.Fprintf(a.stdout, "%s has no password\n", doc)
		return nil
	}
	fmt.Fprintf(a.stdout, "%s has a new password\n", doc)
	return nil
}

// readPassword asks for a password, twice and without showing it, or reads a line.
func (a *app) readPassword() (string, error) {
	f, ok := a.stdin.(*os.File)
	if !ok || !isTerminal(f) {
		line, err := bufio.NewReader(io.LimitReader(a.stdin, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	ask := func(what string) (string, error) {
		fmt.Fprint(a.stderr, what)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.stderr)
		return string(b), err
	}
	first, err := ask("Password: ")
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	again, err := ask("Once more: ")
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	if first != again {
		return "", rasterbase.Errorf(rasterbase.Invalid, "the two passwords differ").WithHint("type the same one twice")
	}
	return first, nil
}
