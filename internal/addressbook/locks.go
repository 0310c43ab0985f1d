// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

// watch is told when a lock that others wait for was taken and is about to be given back. Only benchmarks set one.
type watch struct{ taken, given func() }

func (w *watch) take() {
	if w != nil {
		w.taken()
	}
}

func (w *watch) give() {
	if w != nil {
		w.given()
	}
}

func (b *Book) lock() {
	b.mu.Lock()
	b.watch.take()
}

func (b *Book) unlock() {
	b.watch.give()
	b.mu.Unlock()
}

func (b *Book) rlock() {
	b.mu.RLock()
	b.watch.take()
}

func (b *Book) runlock() {
	b.watch.give()
	b.mu.RUnlock()
}

func (n *name) lock() {
	n.mu.Lock()
	n.book.watch.take()
}

// unlock gives the lock back and, after that, tells the tenants about a change of size: 10,000 may list one name.
func (n *name) unlock() {
	bills := n.bills()
	n.book.watch.give()
	n.mu.Unlock()
	for _, b := range bills {
		b.tenant.resize(b.addresses, b.captures)
	}
}
