package auth

import "container/list"

// remembered is how many addresses, credentials or tokens are held in memory at
// most, each in some hundred bytes.
const remembered = 4096

// recent remembers a bounded number of values, and forgets first what was put
// longest ago.
type recent[K comparable, V any] struct {
	most  int
	order *list.List // of pairs, the newest first
	at    map[K]*list.Element
}

type pair[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](most int) *recent[K, V] {
	return &recent[K, V]{most: most, order: list.New(), at: map[K]*list.Element{}}
}

func (r *recent[K, V]) get(key K) (v V, ok bool) {
	e, ok := r.at[key]
	if !ok {
		return v, false
	}
	return e.Value.(pair[K, V]).value, true
}

func (r *recent[K, V]) put(key K, v V) {
	r.drop(key)
	r.at[key] = r.order.PushFront(pair[K, V]{key, v})
	if r.order.Len() > r.most {
		r.drop(r.order.Back().Value.(pair[K, V]).key)
	}
}

func (r *recent[K, V]) drop(key K) {
	if e, ok := r.at[key]; ok {
		r.order.Remove(e)
		delete(r.at, key)
	}
}
