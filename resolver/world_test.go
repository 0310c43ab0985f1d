// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// world is a Resolver in a bubble of testing/synctest, between a book and a network that note what happens, with
// fake time from zero on.
type world struct {
	t     testing.TB
	start time.Time

	// book says what is wanted; what it would be told is noted.
	book   *addressbook.Book
	owners []addressbook.Owner

	mu       sync.Mutex
	noted    []string // what the book was told: "10s record www.example.com A 192.0.2.53:53 Good 10s"
	served   map[addressbook.View]int
	asked    []asked
	reply    func(asked) reply
	flying   int
	maxFlyer int

	upstreams *changing
}

// asked is one exchange. At is the time since the start.
type asked struct {
	At       time.Duration
	Question string // "www.example.com A"
	Upstream string
}

type reply struct {
	after time.Duration
	ttl   uint32
	text  string // zone text of the answer instead of one address; "--" alone: an empty answer
	edits []func(*dns.Msg)
	err   error
}

var (
	errServfail = &dnsmsg.Error{Reason: "SERVFAIL"}
	blackHole   = reply{after: 4 * time.Second, err: &dnsmsg.Error{Reason: dnsclient.ReasonTimeout}}
)

// setup is how a bubble's Resolver is set up, and which families its book asks for; both by default.
type setup struct {
	Options
	families []addressbook.Family
}

// bubble runs test with a Resolver that has been started, and stops it at the end.
func bubble(t *testing.T, o setup, names []string, upstreams []string, respond func(asked) reply, test func(w *world)) {
	t.Helper()
	oneProcessor(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, respond, upstreams...)
		w.list(names)
		o.Exchanger = w
		if o.Rand == nil {
			o.Rand = func() float64 { return 0 }
		}
		w.book.SetFamilies(o.families, time.Now())
		r, err := New(w, w.upstreams, o.Options)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.Start(ctx) }()
		synctest.Wait()
		test(w)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Start returned %v", err)
		}
	})
}

// oneProcessor works around a bug of Go 1.26: the race detector crashes when timers of a bubble run on two processors
// at once (https://go.dev/issue/78156). Races are found on one processor too.
func oneProcessor(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// newBook has room for any number of names.
func newBook() *addressbook.Book {
	const room = 1 << 30
	return addressbook.New(addressbook.Options{MaxNamesPerTenant: room, MaxNames: room})
}

func newWorld(t testing.TB, respond func(asked) reply, upstreams ...string) *world {
	return &world{t: t, start: time.Now(), book: newBook(), reply: respond, upstreams: newChanging(t, upstreams...)}
}

// list makes owners want names: "www.example.com", and "www.example.com by 192.0.2.53,192.0.2.54" in a view. They are of the tenant
// "shop", and with " of other" at the end of another one. All that was wanted before and is not among them is wanted no more.
func (w *world) list(names []string) {
	lists := map[addressbook.Owner]*addressbook.Wants{}
	for _, s := range names {
		s, tenant, found := strings.Cut(s, " of ")
		if !found {
			tenant = "shop"
		}
		name, view, _ := strings.Cut(s, " by ")
		pattern, err := fqdn.ParsePattern(name)
		if err != nil {
			w.t.Fatal(err)
		}
		o := addressbook.Owner{Kind: "test", Namespace: tenant, Name: "of " + view}
		if lists[o] == nil {
			lists[o] = &addressbook.Wants{View: addressbook.View(view)}
		}
		lists[o].Patterns = append(lists[o].Patterns, pattern)
	}
	for o, wants := range lists {
		w.book.Want(o, *wants, time.Now())
	}
	for _, o := range w.owners {
		if lists[o] == nil {
			w.book.Forget(o)
		}
	}
	w.owners = slices.Collect(maps.Keys(lists))
}

func (w *world) now() time.Duration { return time.Since(w.start) }

// at lets the time pass up to d after the start.
func (w *world) at(d time.Duration) {
	time.Sleep(d - w.now())
	synctest.Wait()
}

// want changes what is wanted.
func (w *world) want(names ...string) {
	w.list(names)
	synctest.Wait()
}

// ask changes the families that are asked.
func (w *world) ask(families ...addressbook.Family) {
	w.book.SetFamilies(families, time.Now())
	synctest.Wait()
}

func (w *world) setUpstreams(upstreams ...string) {
	w.upstreams.set(upstreams...)
	synctest.Wait()
}

func (w *world) setReply(respond func(asked) reply) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reply = respond
}

// told returns what the book was told that contains all the words.
func (w *world) told(words ...string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.noted), func(line string) bool { return !containsAll(line, words) })
}

// times returns when exchanges began whose question and upstream contain all the words.
func (w *world) times(words ...string) []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	var at []time.Duration
	for _, a := range w.asked {
		if containsAll(a.Question+" "+a.Upstream, words) {
			at = append(at, a.At)
		}
	}
	return at
}

func containsAll(line string, words []string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) })
}

// Subscribe implements Book.
func (w *world) Subscribe() *addressbook.Subscription { return w.book.Subscribe() }

// Families implements Book.
func (w *world) Families() []addressbook.Family { return w.book.Families() }

// wireOf is the question that a key is about.
func wireOf(k addressbook.Key) dnsmsg.Question {
	return questionOf(k.Name, k.Family)
}

// Record implements Book.
func (w *world) Record(k addressbook.Key, a addressbook.Answer, now time.Time) {
	outcome := [...]string{"Good", "NoData", "NXDomain"}[a.Outcome]
	w.note(now, "record %v%s %s %s %v", wireOf(k), by(k.View), k.Source, outcome, a.TTL)
}

// Fail implements Book.
func (w *world) Fail(k addressbook.Key, reason string, now time.Time) {
	w.note(now, "fail %v%s %s %s", wireOf(k), by(k.View), k.Source, reason)
}

// Retire implements Book.
func (w *world) Retire(v addressbook.View, s addressbook.Source, now time.Time) {
	w.note(now, "retire %s%s", s, by(v))
}

// Serve implements Book.
func (w *world) Serve(v addressbook.View, sources int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.served == nil {
		w.served = map[addressbook.View]int{}
	}
	w.served[v] = sources
}

// expectServed compares how many upstreams serve each view, as the book was told last.
func (w *world) expectServed(want map[addressbook.View]int) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := cmp.Diff(want, w.served); d != "" {
		w.t.Errorf("served (-want +got):\n%s", d)
	}
}

func by(v addressbook.View) string {
	if v == "" {
		return ""
	}
	return " by " + string(v)
}

func (w *world) note(now time.Time, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noted = append(w.noted, fmt.Sprintf("%v ", now.Sub(w.start))+fmt.Sprintf(format, args...))
}

// Exchange implements Exchanger.
func (w *world) Exchange(ctx context.Context, q dnsmsg.Question, u dnsclient.Upstream) (*dnsmsg.Message, error) {
	w.mu.Lock()
	a := asked{w.now(), q.String(), u.String()}
	w.asked = append(w.asked, a)
	w.flying++
	w.maxFlyer = max(w.maxFlyer, w.flying)
	r := w.reply(a)
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.flying--
		w.mu.Unlock()
	}()
	select {
	case <-time.After(r.after):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if r.err != nil {
		return nil, r.err
	}
	return (*dnsmsg.Message)(w.message(q, r)), nil
}

func (w *world) message(q dnsmsg.Question, r reply) *dns.Msg {
	m, qtype := new(dns.Msg), dns.StringToType[q.Type.String()]
	m.SetQuestion(q.Host(), qtype)
	m.Response, m.RecursionAvailable = true, true
	h := dns.RR_Header{Name: q.Host(), Rrtype: qtype, Class: dns.ClassINET, Ttl: r.ttl}
	switch {
	case r.text != "":
		return answerTo(w.t, q, r.text, r.edits...)
	case q.Type == dnsmsg.A:
		m.Answer = []dns.RR{&dns.A{Hdr: h, A: []byte{192, 0, 2, 1}}}
	default:
		m.Answer = []dns.RR{&dns.AAAA{Hdr: h, AAAA: []byte{0x20, 1, 0xd, 0xb8, 15: 1}}}
	}
	return m
}

// changing is a source of upstreams that a test changes.
type changing struct {
	t       testing.TB
	mu      sync.Mutex
	now     []Listed
	changed chan struct{}
}

func newChanging(t testing.TB, upstreams ...string) *changing {
	c := &changing{t: t, changed: make(chan struct{})}
	c.now = c.parse(upstreams)
	return c
}

// parse reads upstreams; one of the cluster's has "cluster " in front.
func (c *changing) parse(upstreams []string) []Listed {
	var us []Listed
	for _, s := range upstreams {
		s, isCluster := strings.CutPrefix(s, "cluster ")
		u, err := dnsclient.ParseUpstream(s)
		if err != nil {
			c.t.Fatal(err)
		}
		us = append(us, Listed{Upstream: u, Cluster: isCluster})
	}
	return us
}

func (c *changing) Upstreams() ([]Listed, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.now), c.changed
}

func (c *changing) set(upstreams ...string) {
	c.mu.Lock()
	c.now = c.parse(upstreams)
	close(c.changed)
	c.changed = make(chan struct{})
	c.mu.Unlock()
}

// always gives all questions the same reply.
func always(r reply) func(asked) reply { return func(asked) reply { return r } }

// secondsOf rounds nothing: 1.5 is one and a half.
func secondsOf(s ...float64) []time.Duration {
	var ds []time.Duration
	for _, x := range s {
		ds = append(ds, time.Duration(math.Round(x*1e9)))
	}
	return ds
}

func numbered(format string, n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf(format, i))
	}
	return names
}
