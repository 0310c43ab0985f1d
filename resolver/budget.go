// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"
)

const (
	// burstSeconds is for how many seconds a budget is saved up at most.
	burstSeconds = 5
	// reserveSeconds is how much of that is left to healthy questions: one second's worth is there at once when one is due,
	// however many others wait.
	reserveSeconds = 1
	// viewShare: all policies that name a server may send it the tenth part of MaxQPS together.
	viewShare = 10
)

// server is one address that is asked. All lanes that lead there share its budget, be they of other ports or transports: it
// is one machine, and whoever names it often must not make it answer more.
type server struct {
	whole  *budget // of all lanes
	views  *budget // of those that policies name, a part of it
	lanes  int
	window window
}

// serverAt finds or makes the server of an address.
func (r *Resolver) serverAt(addr netip.Addr) *server {
	s := r.servers[addr]
	if s == nil {
		s = &server{whole: newBudget(r.options.MaxQPS, nil)}
		s.views = newBudget(max(r.options.MaxQPS/viewShare, 1), s.whole)
		r.servers[addr] = s
	}
	return s
}

// forgetServers drops those that no lane leads to, once their budgets are saved up again: a server that is named, unlisted and
// named again has no new budget.
func (r *Resolver) forgetServers(now time.Time) {
	for addr, s := range r.servers {
		if s.lanes == 0 && s.whole.isFull(now) && s.views.isFull(now) {
			delete(r.servers, addr)
		}
	}
}

// budget is how many questions a second may be asked.
//
//	question                     takes                                      must leave
//	healthy                      all                                        nothing
//	fresh, a healthy one waits   all, in turn with it                       nothing
//	fresh, none waits            all                                        the reserve
//	retry                        the half                                   as a fresh one
//	any, of a view               the tenth part of the server's, as above   the reserve of the server
type budget struct {
	all, retries *rate.Limiter
	whole        *budget // this is a part of it; nil: of none
}

func newBudget(qps int, whole *budget) *budget {
	return &budget{
		all:     rate.NewLimiter(rate.Limit(qps), burstSeconds*qps),
		retries: rate.NewLimiter(rate.Limit(qps)/2, max(burstSeconds*qps/2, 1)),
		whole:   whole,
	}
}

// lack returns how long to wait until one more question of a class may be asked; zero: now. yields: it must leave the reserve for
// healthy questions.
func (b *budget) lack(c class, yields bool, now time.Time) time.Duration {
	lack := missing(b.all, b.left(yields), now)
	if c == retry {
		lack = max(lack, missing(b.retries, 0, now))
	}
	if b.whole != nil {
		lack = max(lack, missing(b.whole.all, b.whole.left(true), now))
	}
	return lack
}

// left is how much must be left.
func (b *budget) left(yields bool) float64 {
	if !yields {
		return 0
	}
	return reserveSeconds * float64(b.all.Limit())
}

func (b *budget) spend(c class, now time.Time) {
	b.all.AllowN(now, 1)
	if c == retry {
		b.retries.AllowN(now, 1)
	}
	if b.whole != nil {
		b.whole.all.AllowN(now, 1)
	}
}

func (b *budget) isFull(now time.Time) bool { return b.all.TokensAt(now) >= float64(b.all.Burst()) }

// missing is how long it takes until there is one token more than must be left.
func missing(tokens *rate.Limiter, left float64, now time.Time) time.Duration {
	lack := 1 + left - tokens.TokensAt(now)
	if lack <= 0 {
		return 0
	}
	// Rounded up to a millisecond, so that rounding does not wake the loop just too early.
	d := time.Duration(lack / float64(tokens.Limit()) * float64(time.Second))
	return d.Truncate(time.Millisecond) + time.Millisecond
}
