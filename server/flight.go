package server

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// flights makes one computation serve all who ask for the same thing at once.
// The computation goes on while anybody waits for it, whoever came first, and
// is cancelled when the last one has left.
type flights[V any] struct {
	mu  sync.Mutex
	now map[string]*flight[V]
}

type flight[V any] struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiting int
	value   V
	err     error
}

// do returns what fn returns, or what an fn that is running for the key already
// does. The context that fn gets has the values of the first asker's context
// and not its end.
func (f *flights[V]) do(ctx context.Context, key string, fn func(context.Context) (V, error)) (V, error) {
	f.mu.Lock()
	if f.now == nil {
		f.now = map[string]*flight[V]{}
	}
	t, running := f.now[key]
	if !running {
		inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
		t = &flight[V]{done: make(chan struct{}), cancel: cancel}
		f.now[key] = t
		go f.run(inner, key, t, fn)
	}
	t.waiting++
	f.mu.Unlock()

	select {
	case <-t.done:
		return t.value, t.err
	case <-ctx.Done():
	}
	f.mu.Lock()
	if t.waiting--; t.waiting == 0 {
		t.cancel()
		if f.now[key] == t { // who comes now must not get a cancelled answer
			delete(f.now, key)
		}
	}
	f.mu.Unlock()
	var none V
	return none, context.Cause(ctx)
}

func (f *flights[V]) run(ctx context.Context, key string, t *flight[V], fn func(context.Context) (V, error)) {
	defer func() {
		if p := recover(); p != nil {
			t.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		f.mu.Lock()
		if f.now[key] == t {
			delete(f.now, key)
		}
		f.mu.Unlock()
		t.cancel()
		close(t.done)
	}()
	t.value, t.err = fn(ctx)
}
