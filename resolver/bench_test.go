// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/test/given"
)

// silentBook wants names and takes what it is told.
type silentBook struct {
	*addressbook.Book
	recorded chan<- struct{} // gets one per record, if not nil
}

// newSilentBook wants names about IPv4.
func newSilentBook(t testing.TB, names ...string) *silentBook {
	w := world{t: t, book: newBook()}
	w.list(names)
	w.book.SetFamilies(onlyIPv4.families, time.Now())
	return &silentBook{Book: w.book}
}

func (b *silentBook) Fail(addressbook.Key, string, time.Time)                {}
func (b *silentBook) Retire(addressbook.View, addressbook.Source, time.Time) {}
func (b *silentBook) Serve(addressbook.View, int)                            {}
func (b *silentBook) Record(addressbook.Key, addressbook.Answer, time.Time) {
	if b.recorded != nil {
		b.recorded <- struct{}{}
	}
}

// instant answers at once with one message for each question.
type instant struct {
	messages map[dnsmsg.Question]*dnsmsg.Message
}

func (i instant) Exchange(_ context.Context, q dnsmsg.Question, _ dnsclient.Upstream) (*dnsmsg.Message, error) {
	return i.messages[q], nil
}

// BenchmarkLoop refreshes 10,000 names without a network: one operation is one question asked, judged and recorded.
// bytes/name is what the Resolver keeps of a name in one family at one upstream.
func BenchmarkLoop(b *testing.B) {
	const names = 10_000
	w := &world{t: b}
	net := instant{messages: map[dnsmsg.Question]*dnsmsg.Message{}}
	book := newSilentBook(b, numbered("n%d.example.com", names)...)
	for _, s := range numbered("n%d.example.com", names) {
		q := dnsmsg.Question{Name: given.Name(b, s)}
		net.messages[q] = (*dnsmsg.Message)(w.message(q, reply{ttl: 0}))
	}
	o := onlyIPv4
	o.MinTTL, o.MaxQPS, o.Exchanger = time.Nanosecond, 1<<30, net
	recorded := make(chan struct{}, names)
	book.recorded = recorded
	r, err := New(book, Static(mustUpstream(b, up1)), o.Options)
	if err != nil {
		b.Fatal(err)
	}
	before := heapBytes()
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error)
	b.ReportAllocs()
	go func() { ended <- r.Start(ctx) }()
	for range names {
		<-recorded
	}
	kept := heapBytes() - before
	for b.Loop() {
		<-recorded
	}
	b.ReportMetric(float64(kept)/names, "bytes/name")
	go func() { // the loop must not hang in Record
		for range recorded {
		}
	}()
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	close(recorded)
}

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkLane takes a query, gives its worker back and lets it wait again, with 10,000 tenants that have one each. Of some
// tenants refused, each holds as many workers as it may: they are asked about again whenever a worker comes free.
func BenchmarkLane(b *testing.B) {
	const tenants = 10_000
	for _, refused := range []int{0, 100} {
		b.Run(fmt.Sprintf("refused=%d", refused), func(b *testing.B) {
			now := time.Unix(1000, 0)
			r := &Resolver{options: Options{MaxQPS: 1 << 30}, servers: map[netip.Addr]*server{}}
			u := mustUpstream(b, up1)
			l := newLane(b.Context(), laneKey{upstream: u}, r.serverAt(u.Server().Addr()))
			l.workers = 1024
			for i := range tenants {
				s := &subject{name: given.Name(b, fmt.Sprintf("n%d.example.com", i)), cohort: &cohort{tenants: []string{fmt.Sprint("t", i)}}}
				q := &query{about: s, lane: l, index: flying, good: true}
				l.push(q)
				if i < refused {
					l.classes[healthy].held[s.cohort.tenants[0]] = greed * l.workers
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				q, t, _ := l.take(now)
				if q == nil {
					b.Fatal("nothing may be asked")
				}
				l.free(t)
				l.push(q)
			}
		})
	}
}
