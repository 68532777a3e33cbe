package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// maxStatements bounds the kept statements. There are fewer queries than that;
// those beyond it are prepared each time.
const maxStatements = 64

// statements keeps queries prepared: preparing one takes longer than looking
// up a row. A query is prepared after the transaction that was the first to
// make it, when that transaction has given back its connection. Taking a second
// connection meanwhile could wait for ever, for transactions that do the same.
type statements struct {
	db *sql.DB

	mu     sync.Mutex
	kept   map[string]*sql.Stmt // nil while it is being prepared
	closed bool
}

func newStatements(db *sql.DB) *statements {
	return &statements{db: db, kept: map[string]*sql.Stmt{}}
}

// get gives a query's statement, nil when there is none yet.
func (s *statements) get(query string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[query]
}

// keep prepares queries for the next time. An error only means that a query is
// prepared each time it is made, until keeping it works.
func (s *statements) keep(ctx context.Context, queries []string) {
	for _, q := range queries {
		if !s.reserve(q) {
			continue
		}
		stmt, err := s.db.PrepareContext(ctx, q)
		s.mu.Lock()
		if err != nil {
			delete(s.kept, q)
		} else if s.closed {
			_ = stmt.Close() //nolint:sqlclosecheck // it is kept otherwise; and it was only read with
		} else {
			s.kept[q] = stmt
		}
		s.mu.Unlock()
	}
}

// reserve reports whether the caller is the one to prepare a query.
func (s *statements) reserve(query string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.kept[query]; ok || s.closed || len(s.kept) >= maxStatements {
		return false
	}
	s.kept[query] = nil
	return true
}

func (s *statements) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, stmt := range s.kept {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	clear(s.kept)
	return errors.Join(errs...)
}
