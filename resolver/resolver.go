// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

// Book is the part of addressbook.Book that the Resolver needs; see there for the contract. One goroutine calls it, with
// times that never go back.
type Book interface {
	Subscribe() *addressbook.Subscription
	Families() []addressbook.Family
	Record(k addressbook.Key, a addressbook.Answer, now time.Time)
	Fail(k addressbook.Key, reason string, now time.Time)
	Retire(v addressbook.View, s addressbook.Source, now time.Time)
	Serve(v addressbook.View, sources int)
}

// Resolver keeps a Book informed. Make it with New and run it once with Start.
type Resolver struct {
	book    Book
	source  UpstreamSource
	options Options
	metrics *metrics

	started atomic.Bool
	workers sync.WaitGroup
	results chan result

	// epoch is a second before all that happens, so that no time that counts from it is zero.
	epoch time.Time

	// The fields below belong to the loop.
	subscription *addressbook.Subscription
	families     []addressbook.Family            // asked about each subject, sorted
	views        map[addressbook.View]*viewLanes // those wanted, and the zero one
	emptied      []*viewLanes                    // that lost their last subject
	places       places
	servers      map[netip.Addr]*server
	lanes        map[laneKey]*lane
	inTurn       []*lane // all of them, the next one first
	endpoints    int     // of the cluster's DNS that are asked at most; zero: the upstreams were not looked at yet

	upstreamsChanged <-chan struct{}
	due              dueHeap
	subjects         int // in all views
	queries          int // in all lanes
	noted            noted
}

// noted says which messages have been logged, which would be logged again on each round otherwise.
type noted struct{ noUpstream, crowded, unasked bool }

// result is brought back by a worker.
type result struct {
	query    *query
	turn     turn // that it took
	sent     time.Time
	answered time.Time
	dnsmsg.Reading
	err error
}

// New returns a Resolver that does nothing before Start. It fails on options that make no sense and on metrics that are
// registered already.
func New(book Book, source UpstreamSource, o Options) (*Resolver, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("resolver options: %w", err)
	}
	m := newMetrics()
	if o.Registerer != nil {
		if err := m.register(o.Registerer); err != nil {
			return nil, err
		}
	}
	if o.Exchanger == nil {
		o.Exchanger = &dnsclient.Sockets{Discarded: m.discarded.Inc}
	}
	return &Resolver{
		book:    book,
		source:  source,
		options: o,
		metrics: m,
		results: make(chan result, 64),
		epoch:   o.Clock.Now().Add(-time.Second),

		views:   map[addressbook.View]*viewLanes{"": newView("")},
		places:  places{of: map[string]int{}},
		servers: map[netip.Addr]*server{},
		lanes:   map[laneKey]*lane{},
	}, nil
}

// elapsed is how long after the epoch t is. The loop keeps times so, as it has many and a time.Time takes 24 bytes.
func (r *Resolver) elapsed(t time.Time) time.Duration { return t.Sub(r.epoch) }

// NeedLeaderElection tells the manager to run the Resolver on the leader only.
func (r *Resolver) NeedLeaderElection() bool { return true }

// Start asks and records until ctx ends, and returns after the last of its goroutines. It returns an error when a
// source of upstreams fails, and when it is called twice. DNS failures never end it.
func (r *Resolver) Start(ctx context.Context) error {
	if r.started.Swap(true) {
		return errors.New("the resolver was started before")
	}
	group, ctx := errgroup.WithContext(ctx)
	if s, ok := r.source.(starter); ok {
		group.Go(func() error { return s.Start(ctx) })
	}
	group.Go(func() error { r.loop(ctx); return nil })
	if err := group.Wait(); err != nil {
		return fmt.Errorf("following upstreams: %w", err)
	}
	return nil
}

// loop owns all state. A wake-up changes the questions, brings an answer, or is the time to ask.
func (r *Resolver) loop(ctx context.Context) {
	defer r.workers.Wait()
	r.subscription = r.book.Subscribe()
	defer r.subscription.Close()
	r.followWanted(ctx) // and the upstreams
	timer := r.options.Clock.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(r.askWhatIsDue())
		select {
		case <-ctx.Done():
			return
		case <-r.subscription.Changed():
			r.followWanted(ctx)
		case <-r.upstreamsChanged:
			r.followUpstreams(ctx)
		case res := <-r.results:
			r.settle(res)
		case <-timer.C():
		}
	}
}

// idle is how long the loop sleeps when nothing is due.
const idle = time.Hour

// askWhatIsDue sends all queries that time, workers and budget allow, and returns when to come back at the latest.
func (r *Resolver) askWhatIsDue() time.Duration {
	now := r.options.Clock.Now()
	at := r.elapsed(now)
	for q := r.due.next(at); q != nil; q = r.due.next(at) {
		q.lane.push(q)
	}
	sleep := idle
	if len(r.due) > 0 {
		sleep = r.due[0].due - at
	}
	if wait := r.drain(now); wait > 0 {
		sleep = min(sleep, wait)
	}
	return sleep
}

// drain sends all queries that may be sent, one of each lane in turn, as lanes may share the budget of a server. It returns how long the
// budgets and windows make the rest wait; zero: none does.
func (r *Resolver) drain(now time.Time) (wait time.Duration) {
	for sent := true; sent; {
		sent, wait = false, 0
		for _, l := range r.inTurn {
			q, t, lacks := l.take(now)
			if q != nil {
				r.send(l, q, t, now)
				sent = true
				continue
			}
			r.noteBudget(l, lacks.budget > 0)
			if until := lacks.until(); until > 0 && (wait == 0 || until < wait) {
				wait = until
			}
		}
	}
	if n := len(r.inTurn); n > 1 { // the first one has the first token the next time
		first := r.inTurn[0]
		copy(r.inTurn, r.inTurn[1:])
		r.inTurn[n-1] = first
	}
	return wait
}

// noteBudget reports when a lane begins to wait for its budget.
func (r *Resolver) noteBudget(l *lane, waits bool) {
	if waits && !l.limited {
		r.metrics.budgetWaits.Inc()
	}
	l.limited = waits
	if waits && !l.reported {
		l.reported = true
		r.options.Log.Info("The query budget of an upstream is used up, so answers are refreshed late",
			"upstream", l.upstream.String(), "maxQPS", r.options.MaxQPS)
	}
}

// send starts a worker for one query.
func (r *Resolver) send(l *lane, q *query, t turn, now time.Time) {
	r.workers.Go(func() {
		res := result{query: q, turn: t, sent: now}
		res.Reading, res.err = r.ask(l.ctx, q.question(), l.upstream)
		res.answered = r.options.Clock.Now()
		select {
		case r.results <- res:
		case <-l.ctx.Done(): // the lane is gone, or all ends
		}
	})
}

func (r *Resolver) ask(ctx context.Context, question dnsmsg.Question, upstream dnsclient.Upstream) (dnsmsg.Reading, error) {
	m, err := r.options.Exchanger.Exchange(ctx, question, upstream)
	if err != nil {
		return dnsmsg.Reading{}, err
	}
	return dnsmsg.Read(question, m)
}

// noteHealth reports an upstream that gives no good answer to anything, once, and its recovery. err is the failure of q; nil:
// q was answered.
func (r *Resolver) noteHealth(q *query, answered time.Time, err error) {
	l := q.lane
	was := l.health.down
	switch {
	case err == nil && l.health.answered(answered):
		r.options.Log.Info("An upstream answers again", "upstream", l.upstream.String(), "for", calm.String())
	case err != nil && l.health.failed(answered, q.failures() == 1, l.good):
		r.options.Log.Info("An upstream gives no good answer; what it said before is kept",
			"upstream", l.upstream.String(), "reason", explain(err), "for", silence.String())
	}
	r.noteDown(l, boolToInt(l.health.down)-boolToInt(was))
}

// noteUnlocked counts queries of a lane of which it cannot be told any more, or again, when their entries end.
func (r *Resolver) noteUnlocked(l *lane, change int) {
	l.unlocked += change
	r.metrics.unlocked.Add(float64(change))
	if l.unlocked > 0 && !l.unlockedReported {
		l.unlockedReported = true
		r.options.Log.Info("An upstream does not count TTLs down as a cache does, so the next answer of a name that rotates may be seen seconds late",
			"upstream", l.upstream.String())
	}
}
