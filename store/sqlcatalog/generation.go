package sqlcatalog

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// shown are the statements that change what tiles are drawn from: layers with the
// revision that is published, legends with their entries, semantics, colormaps.
// A revision that is being built is seen by nobody, nor is a parse.
var shown = regexp.MustCompile(`(?:INSERT INTO|UPDATE|DELETE FROM)\s+@(?:layers|layer_inputs|legends|legend_entries|entries|semantics|colormaps)\b` +
	`|UPDATE\s+@revisions\s+SET\s+state\b|DELETE FROM\s+@revisions\b`)

// Changed reports whether the transaction changed what tiles are drawn from, so
// that [Generation.Moved] is to be called once it is kept.
func (t *Tx) Changed() bool { return t.changed }

// Watch looks at a catalog for changes that anybody made to what tiles are drawn
// from. It is used by one goroutine at a time.
type Watch interface {
	// Look reports whether there was a change since the Look before, or, the
	// first time, since the watch began. It knows of all that was kept before it
	// was called; it may report a change that is none.
	Look(ctx context.Context) (changed bool, err error)
	// Wait returns when a Look is likely to see a change, and without an error
	// when the context is done.
	Wait(ctx context.Context) error
	Close() error
}

// Times of a [Generation].
const (
	freshFor    = time.Second            // after a look began, changes of others may be unknown for so long
	lookPause   = 300 * time.Millisecond // between two looks
	lookGap     = 10 * time.Millisecond  // the least, however many changes there are
	lookTimeout = 5 * time.Second
	watchPause  = 2 * time.Second
)

// Generation is what [store.Catalog.Generation] tells of one opening of a store.
// It watches the catalog from the first time that somebody asks until nobody did
// for a minute, so that programs which never ask cause no work. Any number of
// goroutines may use it.
//
// What it says holds whatever happens to connections: it is known only while a
// look that began less than a second ago has come back.
type Generation struct {
	begin func(context.Context) (Watch, error)
	log   *slog.Logger
	quiet time.Duration // nobody asked for so long: the watch ends

	zero   time.Time     // looked counts from here
	looked atomic.Int64  // nanoseconds: when the last look that came back began; 0: there was none
	moves  atomic.Uint64 // is never 0
	asked  atomic.Bool
	wake   chan struct{}

	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex // for starting and ending
	runs   bool
	done   chan struct{}
}

// NewGeneration makes a generation that watches with what begin gives. Begin is
// called again when a watch has failed.
func NewGeneration(log *slog.Logger, begin func(context.Context) (Watch, error)) *Generation {
	g := &Generation{begin: begin, log: log, quiet: time.Minute, zero: time.Now().Add(-time.Nanosecond), wake: make(chan struct{}, 1), done: make(chan struct{})}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	g.moves.Store(1)
	return g
}

// Now gives the generation, false while changes of others may be unknown. It
// reads memory only.
func (g *Generation) Now() (uint64, bool) {
	if !g.asked.Load() {
		g.asked.Store(true)
	}
	// The order matters: what was looked at is known to whoever reads moves next.
	looked := g.looked.Load()
	if looked == 0 || g.ctx.Err() != nil || time.Since(g.zero)-time.Duration(looked) >= freshFor {
		g.start()
		return 0, false
	}
	return g.moves.Load(), true
}

// Moved makes the next generation. A backend calls it when a transaction that
// [Tx.Changed] has been kept, or may have been, before it tells its caller.
func (g *Generation) Moved() { g.moves.Add(1) }

// Close ends the watch. The generation is unknown from then on.
func (g *Generation) Close() {
	g.mu.Lock()
	g.cancel()
	runs := g.runs
	g.runs = true // nothing is started any more
	g.mu.Unlock()
	if runs {
		<-g.done
	} else {
		close(g.done)
	}
}

// start makes somebody watch.
func (g *Generation) start() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.runs {
		g.runs = true
		go g.run()
	}
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func (g *Generation) run() {
	defer close(g.done)
	failing := false
	for {
		select {
		case <-g.wake:
		case <-g.ctx.Done():
			return
		}
		err := g.watch(func() {
			if failing {
				g.log.InfoContext(g.ctx, "changes of the catalog are seen again")
			}
			failing = false
		})
		if err == nil || g.ctx.Err() != nil {
			continue // nobody asks any more, or everything ends
		}
		if !failing {
			g.log.WarnContext(g.ctx, "changes of the catalog cannot be seen, so that nothing is remembered of it", "error", err)
		}
		// The first look fails when a connection was lost; then a new one is made
		// at once.
		if failing {
			pause(g.ctx, watchPause)
		}
		failing = true
		g.again()
	}
}

// again makes run go on at once if anybody asked lately.
func (g *Generation) again() {
	if g.asked.Swap(false) {
		select {
		case g.wake <- struct{}{}:
		default:
		}
	}
}

// watch looks again and again, until nobody has asked for a while.
func (g *Generation) watch(works func()) (err error) {
	ctx, cancel := context.WithTimeout(g.ctx, lookTimeout)
	w, err := g.begin(ctx)
	cancel()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	g.Moved() // what happened before is unknown
	for last := time.Now(); ; {
		began := time.Since(g.zero)
		ctx, cancel := context.WithTimeout(g.ctx, lookTimeout)
		changed, err := w.Look(ctx)
		cancel()
		if err != nil {
			return err
		}
		if changed {
			g.Moved()
		}
		g.looked.Store(int64(began))
		works()
		if time.Since(last) > g.quiet {
			if last = time.Now(); !g.asked.Swap(false) {
				return nil
			}
		}
		pause(g.ctx, lookGap)
		ctx, cancel = context.WithTimeout(g.ctx, lookPause-lookGap)
		err = w.Wait(ctx)
		cancel()
		if err != nil || g.ctx.Err() != nil {
			return err
		}
	}
}

// pause waits, at most until the context is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
