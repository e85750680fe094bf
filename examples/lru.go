// SPDX-License-Identifier: Apache-2.0

// Package lru keeps the entries that were used last and forgets the others.
package lru

import "container/list"

type entry struct {
	key   string
	value any
}

// Cache holds at most capacity entries. The front of order is the one used last.
type Cache struct {
	capacity int
	order    *list.List
	elements map[string]*list.Element
}

// New returns an empty cache.
func New(capacity int) *Cache {
	return &Cache{
		capacity: capacity,
		order:    list.New(),
		elements: ⟦?10⟧,
	}
}

// Get returns the value of a key and whether there is one.
func (c *Cache) Get(key string) (any, bool) {
	element, ok := c.elements[key]
	if !ok {
		return ⟦?4⟧
	}
	c.order.MoveToFront(element)
	return element.Value.(*entry).value, true
}

// Put adds an entry or replaces its value.
func (c *Cache) Put(key string, value any) {
	if element, ok := c.elements[key]; ok {
		element.Value.(*entry).value = ⟦?2⟧
		c.order.MoveToFront(element)
		return
	}
	c.elements[key] = c.order.PushFront(&entry{key, value})
	if c.order.Len() > ⟦?4⟧ {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(⟦?12: the key of the oldest entry⟧)
	}
}

// Len returns the number of entries.
func (c *Cache) Len() int {
	return ⟦?6⟧
}
