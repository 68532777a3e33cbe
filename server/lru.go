package server

import (
	"container/list"
	"sync"
)

// lru keeps what was used last, up to a sum of costs. Any number of goroutines
// may use it.
type lru[K comparable, V any] struct {
	mu    sync.Mutex
	max   int64
	used  int64
	cost  func(K, V) int64
	order *list.List // of *cached[K, V], the last used first
	items map[K]*list.Element
}

type cached[K comparable, V any] struct {
	key   K
	value V
	cost  int64
}

// newLRU makes a cache of at most max costs; a nil cost counts entries. With a
// max of 0 or less it keeps nothing.
func newLRU[K comparable, V any](max int64, cost func(K, V) int64) *lru[K, V] {
	if cost == nil {
		cost = func(K, V) int64 { return 1 }
	}
	return &lru[K, V]{max: max, cost: cost, order: list.New(), items: map[K]*list.Element{}}
}

func (c *lru[K, V]) get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.items[k]
	if !ok {
		return v, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached[K, V]).value, true
}

// put keeps a value. One that costs more than an eighth of the whole cache is
// not kept, since it would push out too much else.
func (c *lru[K, V]) put(k K, v V) {
	cost := c.cost(k, v)
	if cost > c.max/8 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(k)
	c.items[k] = c.order.PushFront(&cached[K, V]{k, v, cost})
	c.used += cost
	for c.used > c.max {
		c.remove(c.order.Back().Value.(*cached[K, V]).key)
	}
}

// remove is called with the lock held.
func (c *lru[K, V]) remove(k K) {
	if e, ok := c.items[k]; ok {
		c.order.Remove(e)
		delete(c.items, k)
		c.used -= e.Value.(*cached[K, V]).cost
	}
}

// drop forgets a key.
func (c *lru[K, V]) drop(k K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(k)
}
