// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import "time"

// window bounds how many questions reach a server before it had the time to answer. The budget lets a burst of some thousand through,
// and a UDP socket holds fewer than 300 small packets by default (net.core.rmem_default): beyond that the kernel drops them, those of
// pods too, and what is dropped is asked again after seconds.
//
//	server                         at most
//	answers in 0.3 ms              a window each 0.3 ms: the budget is what counts
//	answers in 30 ms               4,300 a second
//	does not answer                1,280 a second, of failing queries 960; nothing of it is in a socket for longer than windowAge
//
// Tenants share it as they share workers, see greed. The Resolver's loop alone touches it.
type window struct {
	sent  []flight       // those that count are among them, in the order in which they were sent
	first uint64         // the number of the first of them
	open  int            // how many count: neither answered nor old
	held  map[string]int // of these, by tenant
	ended uint64         // how many counted once and do no more
}

// flight is one question that was sent.
type flight struct {
	at     time.Time
	tenant string
	over   bool
}

const (
	windowSize = 128
	// windowOfFailing leaves a quarter to healthy queries, which are due at their time.
	windowOfFailing = windowSize * 3 / 4
	// windowAge is how long a question counts: a server that takes longer has read it, or will never.
	windowAge = 100 * time.Millisecond
)

// age lets go of what is old.
func (w *window) age(now time.Time) {
	for len(w.sent) > 0 && (w.sent[0].over || now.Sub(w.sent[0].at) >= windowAge) {
		w.end(w.first)
		w.sent, w.first = w.sent[1:], w.first+1
	}
}

// room is how many more questions of a class may be sent.
func (w *window) room(c class) int {
	if c == healthy {
		return windowSize - w.open
	}
	return max(windowOfFailing-w.open, 0)
}

// next is how long it takes until one more grows old; zero: none counts. An answer may come before.
func (w *window) next(now time.Time) time.Duration {
	if w.open == 0 {
		return 0
	}
	return windowAge - now.Sub(w.sent[0].at)
}

// add takes in a question that is sent, and returns its number.
func (w *window) add(tenant string, now time.Time) uint64 {
	w.sent = append(w.sent, flight{at: now, tenant: tenant})
	w.open++
	if w.held == nil {
		w.held = map[string]int{}
	}
	w.held[tenant]++
	return w.first + uint64(len(w.sent)) - 1
}

// end takes one out, when its answer came or it grew old.
func (w *window) end(number uint64) {
	i := number - w.first
	if i >= uint64(len(w.sent)) || w.sent[i].over { // it is out already
		return
	}
	f := &w.sent[i]
	f.over = true
	w.open--
	w.ended++
	if w.held[f.tenant]--; w.held[f.tenant] == 0 {
		delete(w.held, f.tenant)
	}
}
