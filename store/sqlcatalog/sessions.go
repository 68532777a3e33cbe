package sqlcatalog

import (
	"context"
	"fmt"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

type sessions struct{ *Tx }

func (x sessions) Put(ctx context.Context, s *store.Session) error {
	if s.Hash == "" {
		return rasterbase.Errorf(rasterbase.Invalid, "a session needs the hash of its secret").WithField("hash")
	}
	_, err := x.exec(ctx, `INSERT INTO @sessions (hash, data, expires) VALUES (?, ?, ?)
		ON CONFLICT (hash) DO UPDATE SET data = excluded.data, expires = excluded.expires`, s.Hash, s.Data, stored(s.Expires))
	if err != nil {
		return fmt.Errorf("storing a session: %w", err)
	}
	return nil
}

func (x sessions) Get(ctx context.Context, hash string) (*store.Session, error) {
	s := store.Session{Hash: hash}
	err := x.row(ctx, `SELECT data, expires FROM @sessions WHERE hash = ?`, hash).Scan(&s.Data, (*Time)(&s.Expires))
	if err != nil && x.c.d.IsNoRows(err) {
		return nil, store.NotFound("there is no such session")
	}
	if err != nil {
		return nil, fmt.Errorf("reading a session: %w", err)
	}
	return &s, nil
}

func (x sessions) Delete(ctx context.Context, hash string) error {
	if _, err := x.exec(ctx, `DELETE FROM @sessions WHERE hash = ?`, hash); err != nil {
		return fmt.Errorf("deleting a session: %w", err)
	}
	return nil
}

func (x sessions) DeleteExpired(ctx context.Context, before time.Time) (int, error) {
	n, err := x.exec(ctx, `DELETE FROM @sessions WHERE expires < ?`, stored(before))
	if err != nil {
		return 0, fmt.Errorf("deleting sessions: %w", err)
	}
	return int(n), nil
}
