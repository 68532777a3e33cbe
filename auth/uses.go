package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/rasterbase/rasterbase"
	"github.com/rasterbase/rasterbase/store"
)

// usedEvery is how exact a token's time of use is.
const usedEvery = 10 * time.Minute

// noting is how long one note may take: the catalog may be waited for by others.
const noting = 15 * time.Second

// uses notes when tokens were used. No request waits for that, or fails with
// it: a catalog that can only be read lets all who may read do so.
type uses struct {
	catalog store.Catalog
	log     *slog.Logger
	mu      sync.Mutex
	tried   *recent[rasterbase.TokenID, time.Time]
	busy    bool // one note at a time; what comes meanwhile is noted with the next request
	running sync.WaitGroup
}

func newUses(c store.Catalog, log *slog.Logger) *uses {
	return &uses{catalog: c, log: log, tried: newRecent[rasterbase.TokenID, time.Time](remembered)}
}

func (u *uses) wait() { u.running.Wait() }

// note notes a use, unless that was done shortly before, by this process or by
// another one.
func (u *uses) note(ctx context.Context, t *rasterbase.Token, now time.Time) {
	if now.Sub(t.Used) < usedEvery {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if at, ok := u.tried.get(t.ID); u.busy || ok && now.Sub(at) < usedEvery {
		return
	}
	u.busy = true
	u.tried.put(t.ID, now)
	id := t.ID
	// The request ends before the note is stored.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noting)
	u.running.Go(func() {
		defer cancel()
		if err := u.store(ctx, id, now); err != nil {
			u.log.WarnContext(ctx, "noting the use of a token", "token", id, "error", err)
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.busy = false
	})
}

func (u *uses) store(ctx context.Context, id rasterbase.TokenID, now time.Time) error {
	err := u.catalog.Update(ctx, func(tx store.Tx) error {
		t, err := tx.Tokens().Get(ctx, id)
		if err != nil || !t.Used.Before(now) {
			return err
		}
		t.Used = now
		return tx.Tokens().Update(ctx, t)
	})
	if errors.Is(err, store.ErrNotExist) { // deleted meanwhile
		return nil
	}
	return err
}
