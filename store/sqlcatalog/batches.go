package sqlcatalog

import (
	"context"
	"math/bits"
	"strings"
)

// mostRows is how many rows a statement writes or looks for at once: their
// arguments must stay below what any database takes.
const mostRows = 1024

// batches calls fn with one part of a list after the other. The length of each is
// a power of two, so that few different statements are made.
func batches[T any](list []T, fn func([]T) error) error {
	for len(list) > 0 {
		n := min(1<<(bits.Len(uint(len(list)))-1), mostRows) //nolint:gosec // a length
		if err := fn(list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// marks are placeholders for some values in parentheses, so often: (?, ?), (?, ?).
func marks(values, rows int) string {
	one := `(?` + strings.Repeat(`, ?`, values-1) + `)`
	return one + strings.Repeat(`, `+one, rows-1)
}

// putRows stores rows. The query ends with VALUES, and tail follows the values.
func putRows[T any](ctx context.Context, t *Tx, list []T, values func(T) []any, query, tail string) error {
	return batches(list, func(part []T) error {
		query, args := rowsQuery(part, values, query, tail)
		_, err := t.exec(ctx, query, args...)
		return err
	})
}

// makeRows stores rows as putRows does and gives what the tail returns of them, in
// no order.
func makeRows[T, R any](ctx context.Context, t *Tx, list []T, values func(T) []any, scan func(Row) (R, error), query, tail string) (made []R, err error) {
	err = batches(list, func(part []T) error {
		query, args := rowsQuery(part, values, query, tail)
		got, err := collect(ctx, t, scan, query, args...)
		made = append(made, got...)
		return err
	})
	return made, err
}

func rowsQuery[T any](part []T, values func(T) []any, query, tail string) (string, []any) {
	var args []any
	for _, v := range part {
		args = append(args, values(v)...)
	}
	return query + ` ` + marks(len(args)/len(part), len(part)) + tail, args
}

// findRows reads the rows whose column has one of the values. The query ends with
// WHERE.
func findRows[T, R any](ctx context.Context, t *Tx, list []T, scan func(Row) (R, error), query, column string) (found []R, err error) {
	err = batches(list, func(part []T) error {
		args := make([]any, len(part))
		for i, v := range part {
			args[i] = v
		}
		got, err := collect(ctx, t, scan, query+` `+column+` IN `+marks(len(part), 1), args...)
		found = append(found, got...)
		return err
	})
	return found, err
}
