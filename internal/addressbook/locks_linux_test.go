// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// stopwatch takes the time that locks are held, by the kind of call. One goroutine makes all calls, so that no time is spent
// in waiting; and what counts is the time of its thread on a processor, so that other processes make no difference.
type stopwatch struct {
	kind  string
	since time.Duration
	held  map[string][]time.Duration

	list  question // of the reference
	space []union
}

func (s *stopwatch) watch() *watch {
	return &watch{
		taken: func() { s.since = threadTime() },
		given: func() { s.held[s.kind] = append(s.held[s.kind], threadTime()-s.since) },
	}
}

// threadTime is how long this thread has been on a processor.
func threadTime() time.Duration {
	const clockThreadCPUTime = 3
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPUTime, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		panic(errno)
	}
	return time.Duration(ts.Nano())
}

// reference takes the time of a piece of work that has no lock and is always the same: it reads and writes 1,000 addresses, as a Record
// does some ten times. It shows how much slower than usual this machine is now and then, whoever's memory and processor others use.
func (s *stopwatch) reference() {
	const kind = "(reference)"
	began := threadTime()
	s.space = s.list.appendTo(s.space[:0], time.Hour)
	s.held[kind] = append(s.held[kind], threadTime()-began)
}

func (s *stopwatch) during(kind string, do func()) {
	s.kind = kind
	do()
	s.kind = "setup"
}

// crowd is a Book with room for 10,000 owners, of 1,000 namespaces, each of which wants 5 of 50,000 names, and one name that all want, in two
// terms. 50 of the names have 1,000 addresses, of which half are others in each answer.
type crowd struct {
	*Book
	*stopwatch
	ps    []fqdn.Pattern
	names []fqdn.Name
	now   time.Time
}

const (
	crowdNames, crowdOwners, crowdBig = 50_000, 10_000, 50
	popular                           = "popular.example.net"
	overLimit                         = "Record of 1000, limit" // 1,440 in turn, so that others must go for them
)

func newCrowd() *crowd {
	c := &crowd{
		Book:      New(Options{MaxNames: 2 * crowdNames, MaxAddresses: 10 * crowdNames}),
		stopwatch: &stopwatch{kind: "setup", held: map[string][]time.Duration{}, list: question{holdings: make([]holding, 1000)}},
		now:       start,
	}
	c.OnChange(func(Owner, Urgency) {})
	c.ps, c.names = manyNames(crowdNames)
	for i := range crowdOwners {
		c.want(i, 0)
	}
	fillBook(c.Book, c.names)
	for i := range crowdBig {
		for round := range 3 {
			c.big(i, round)
		}
	}
	c.Book.watch = c.stopwatch.watch()
	return c
}

func (c *crowd) owner(i int) Owner {
	return Owner{Kind: "FQDNEgressPolicy", Namespace: fmt.Sprint("ns", i%1000), Name: fmt.Sprint("p", i)}
}

func (c *crowd) want(i, shift int) {
	var retention *time.Duration
	if i%2 == 1 {
		retention = new(time.Minute)
	}
	ps := append(slices.Clone(c.ps[i*5:i*5+5-shift]), pattern(popular))
	c.Want(c.owner(i), Wants{Patterns: ps, Retention: retention}, c.now)
}

// big lets a name have the next part of its pool: of 960 addresses, or of 1,440, which is more than a name may have.
func (c *crowd) big(i, round int) {
	k := Key{Name: c.names[i*997], Source: upstream}
	c.Record(k, Answer{Addrs: v4(480*(round%(2+i%2)), 480), TTL: time.Minute}, c.now)
}

// round makes each kind of call some times.
func (c *crowd) round(round int) {
	c.now = c.now.Add(time.Second)
	for i := range crowdBig {
		kind := "Record of 1000"
		if i%2 == 1 {
			kind = overLimit
		}
		c.reference()
		c.during(kind, func() { c.big(i, round) })
	}
	for i := range 1000 {
		k := Key{Name: c.names[(round*1000+i*7)%crowdNames], Source: upstream}
		c.during("Record, moved", func() { c.Record(k, Answer{Addrs: v4(round%2*9+i, 2), TTL: time.Minute}, c.now) })
		c.during("Record, repeated", func() { c.Record(k, Answer{Addrs: v4(round%2*9+i, 2), TTL: time.Minute}, c.now) })
		c.during("Fail", func() { c.Fail(k, "timeout", c.now) })
		c.during("Snapshot", func() { c.Snapshot(c.owner(i*9), c.now) })
		c.during("Want", func() { c.want(i*9, round%2) })
		c.during("Observe", func() { c.Observe(k.Name, IPv4, v4(i, 2), time.Minute, c.now) })
		c.during("Stats", func() { c.Stats() })
	}
	all := Key{Name: host(popular), Source: upstream}
	for i := range 20 {
		c.during("Record of all", func() { c.Record(all, Answer{Addrs: v4(i%5, 2), TTL: time.Minute}, c.now) })
		c.during("Observe of all", func() { c.Observe(all.Name, IPv4, v4(i%7, 1), time.Minute, c.now) })
	}
	c.during("Retire", func() { c.Retire("", Source(fmt.Sprint("gone", round)), c.now) })
	c.during("SetFamilies", func() { c.SetFamilies([][]Family{{IPv4}, {IPv4, IPv6}}[round%2], c.now) })
	f := c.newFollower()
	c.during("Take", func() { f.follow() })
	f.Close()
}

// BenchmarkLocks shows for how long calls hold locks that others wait for, at 50,000 names and 10,000 owners. On a busy machine all
// takes longer now and then, so the bound is longer by as much as the reference is at p99 than at p50.
func BenchmarkLocks(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := newCrowd()
	for round := 0; b.Loop(); round++ {
		c.round(round)
	}
	delete(c.held, "setup")
	if big := c.find("", c.names[997].Pattern()); big.heldAddresses() < 900 {
		b.Errorf("a big name has %d addresses: a limit cuts them", big.heldAddresses())
	}
	for _, held := range c.held {
		slices.Sort(held)
	}
	busy := min(max(1, float64(c.at("(reference)", 0.99))/float64(c.at("(reference)", 0.5))), 2)
	bound := time.Duration(busy * float64(100*time.Microsecond))
	for _, kind := range slices.Sorted(maps.Keys(c.held)) {
		b.Logf("%-22s %8d times held, p50 %8v, p99 %8v, max %8v", kind, len(c.held[kind]), c.at(kind, 0.5), c.at(kind, 0.99), c.at(kind, 1))
		of := bound
		if kind == overLimit {
			of *= 2
		}
		if p99 := c.at(kind, 0.99); p99 > of {
			b.Errorf("%s holds a lock for %v; the bound is %v", kind, p99, of)
		}
	}
}

// at is how long all but the longest part of the calls of a kind held locks; they are sorted.
func (s *stopwatch) at(kind string, part float64) time.Duration {
	held := s.held[kind]
	return held[int(part*float64(len(held)-1))]
}
