// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package coredns

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/resolver"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// sideBySide is how many tests run at the same time: all they do is wait.
const sideBySide = "16"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", sideBySide); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

const (
	// retention is shorter than any test: what a good answer lacks is due to go.
	retention = time.Millisecond
	patience  = 30 * time.Second
	short     = dnstest.TTL(time.Second)
)

// world is a resolver and a book that ask a CoreDNS, before a DNS server that the test controls, about one name.
type world struct {
	t        *testing.T
	dns      *dnstest.Server
	coredns  *Server
	book     *addressbook.Book
	pattern  fqdn.Pattern
	mu       sync.Mutex
	messages []string                 // each that the name had, with its state
	noted    addressbook.PatternState // the one of the last of them
	changed  chan struct{}
}

var owner = addressbook.Owner{Kind: "FQDNEgressPolicy", Namespace: "shop", Name: "web"}

// newWorld starts CoreDNS with these plugins and a forwarder behind them. It asks nothing before ask.
func newWorld(t *testing.T, plugins string) *world {
	t.Helper()
	t.Parallel()
	w := &world{t: t, dns: dnstest.Start(t), changed: make(chan struct{}, 1)}
	w.coredns = Start(t, w.forwarding(plugins))
	return w
}

func (w *world) forwarding(plugins string) string {
	return plugins + "\n forward . " + w.dns.Addr().String()
}

func (w *world) ask(name string) {
	w.t.Helper()
	var err error
	if w.pattern, err = fqdn.ParsePattern(name); err != nil {
		w.t.Fatal(err)
	}
	w.book = addressbook.New(addressbook.Options{})
	w.book.OnChange(func(addressbook.Owner, addressbook.Urgency) { w.note() })
	keep := retention
	w.book.Want(owner, addressbook.Wants{Patterns: []fqdn.Pattern{w.pattern}, Retention: &keep}, time.Now())
	r, err := resolver.New(w.book, resolver.Static(dnsclient.UDP(w.coredns.Addr)), resolver.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- r.Start(ctx) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
}

func (w *world) entry() addressbook.PatternState {
	return w.book.Snapshot(owner, time.Now()).Patterns[0]
}

func (w *world) note() {
	e := w.entry()
	w.mu.Lock()
	w.messages = append(w.messages, string(e.State)+": "+e.Message)
	w.noted = e
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// since returns what the name's state and message have been, from the n-th on.
func (w *world) since(n int) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Compact(slices.Clone(w.messages[n:]))
}

// count is how many messages there have been.
func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.messages)
}

func (w *world) lastNoted() addressbook.PatternState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.noted
}

// await waits until the name was noted to be in a state: it can be read a moment earlier, and the note would come after what a
// test counts from here.
func (w *world) await(state addressbook.State) addressbook.PatternState {
	w.t.Helper()
	timeout := time.After(patience)
	for {
		if e := w.lastNoted(); e.State == state {
			return e
		}
		select {
		case <-w.changed:
		case <-timeout:
			w.t.Fatalf("not %s: %+v", state, w.entry())
		}
	}
}

// staying are the addresses that stay for as long as nothing else is said; going those whose time is set.
func (w *world) addresses() (staying, going []string) {
	for _, a := range w.entry().Addresses {
		if a.Until.IsZero() || time.Until(a.Until) > time.Hour {
			staying = append(staying, a.Addr.String())
		} else {
			going = append(going, a.Addr.String())
		}
	}
	return staying, going
}

func (w *world) expectStaying(want ...string) {
	w.t.Helper()
	staying, going := w.addresses()
	if diff := cmp.Diff(want, staying, cmpopts.EquateEmpty()); diff != "" {
		w.t.Errorf("addresses that stay (-want +got):\n%s; going: %v; told: %q", diff, going, w.since(0))
	}
}

// forwarded waits until n more questions went through CoreDNS' cache.
func (w *world) forwarded(n int, name string, types ...uint16) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := w.dns.WaitFor(ctx, w.dns.Count(name, types...)+n, name, types...); err != nil {
		w.t.Fatal(err)
	}
}

// TestLostName: a server that has lost the name takes nothing, neither with its own answer nor with the copy in the cache,
// on which CoreDNS sets AA.
func TestLostName(t *testing.T) {
	ns := func(record string) func(*dns.Msg) {
		rr, err := dns.NewRR(record)
		if err != nil {
			t.Fatal(err)
		}
		return func(m *dns.Msg) { m.Ns = []dns.RR{rr} }
	}
	for title, edit := range map[string]func(*dns.Msg){
		"a referral down":              ns("apps.corp.example. 60 IN NS ns.apps.corp.example."),
		"a referral up":                ns(". 60 IN NS a.root-servers.net."),
		"a lame server":                func(*dns.Msg) {},
		"the SOA of another zone":      ns("other.example. 1 IN SOA ns.other.example. a.other.example. 1 3600 600 86400 1"),
		"an empty answer of recursion": func(m *dns.Msg) { m.RecursionAvailable = true },
	} {
		t.Run(title, func(t *testing.T) {
			w := newWorld(t, "cache 30")
			const name = "wiki.apps.corp.example"
			w.dns.Set(name, short, "192.0.2.25", "2001:db8::25")
			w.ask(name)
			w.await(addressbook.Resolved)
			w.expectStaying("192.0.2.25", "2001:db8::25")
			before := w.count()

			w.dns.Break("", dnstest.Edit(func(m *dns.Msg) {
				m.Answer, m.Ns, m.RecursionAvailable = nil, nil, false
				edit(m)
			}))
			w.await(addressbook.Stale)
			for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
				copied := false
				for !copied { // the second of two questions gets the copy
					copied = w.coredns.Ask(name, qtype).Authoritative
				}
			}
			w.forwarded(1, name, dns.TypeA) // the copy lasted five seconds: it was met, and has expired
			w.expectStaying("192.0.2.25", "2001:db8::25")
			for _, said := range w.since(before) {
				if !strings.HasPrefix(said, string(addressbook.Stale)) && !strings.HasPrefix(said, string(addressbook.Resolved)) {
					t.Errorf("the name was %q", said)
				}
			}
		})
	}
}

// TestRewriteWithoutAnswerRule: the name was a record of its own, then CoreDNS is rolled with a rewrite that forgets the answer.
func TestRewriteWithoutAnswerRule(t *testing.T) {
	const name, lb = "api.shop.example.com", "lb-1.elb.example.net"
	w := newWorld(t, "cache 30")
	w.dns.Zone("elb.example.net. 1 IN SOA ns.elb.example.net. a.elb.example.net. 1 3600 600 86400 1")
	w.dns.Set(name, short, "192.0.2.1")
	w.dns.Set(lb, short, "192.0.2.10", "192.0.2.11")
	w.ask(name)
	w.await(addressbook.Resolved)
	w.expectStaying("192.0.2.1")

	const rule = `rewrite stop name regex (.*)\.shop\.example\.com ` + lb
	w.coredns.Reload(w.forwarding("cache 30\n " + rule))
	e := w.await(addressbook.Stale)
	for _, part := range []string{lb, `"answer auto"`, w.coredns.Addr.String()} {
		if !strings.Contains(e.Message, part) {
			t.Errorf("message %q does not have %s", e.Message, part)
		}
	}
	w.forwarded(1, lb, dns.TypeA)
	w.expectStaying("192.0.2.1")

	w.coredns.Reload(w.forwarding("cache 30\n " + rule + " answer auto"))
	w.await(addressbook.Resolved)
	w.expectStaying("192.0.2.10", "192.0.2.11")
	w.awaitMessage("") // AAAA has no addresses, and the SOA record of the other zone: A vouches for it
}

// awaitMessage waits until that is what is said of the name.
func (w *world) awaitMessage(want string) {
	w.t.Helper()
	timeout := time.After(patience)
	for w.entry().Message != want {
		select {
		case <-w.changed:
		case <-timeout:
			w.t.Fatalf("the message is %q, want %q", w.entry().Message, want)
		}
	}
}

// TestTemplate: AAAA is switched off by a template. IPv4 stays; IPv6 goes if that says that there is none.
func TestTemplate(t *testing.T) {
	const name = "www.example.com"
	const v4, v6 = "192.0.2.1", "2001:db8::1"
	for title, tc := range map[string]struct {
		template string
		staying  []string
		quiet    bool
	}{
		"NXDOMAIN without SOA": {"rcode NXDOMAIN", []string{v4}, true},
		"NOERROR without SOA":  {"rcode NOERROR", []string{v4}, true},
		"NOERROR with SOA": {`rcode NOERROR
			authority ". 2 IN SOA ns.coredns.test. a.coredns.test. 1 60 60 60 2"`, []string{v4}, true},
		"SERVFAIL": {"rcode SERVFAIL", []string{v4, v6}, false},
	} {
		t.Run(title, func(t *testing.T) {
			w := newWorld(t, "cache 30")
			w.dns.Set(name, short, v4, v6)
			w.ask(name)
			w.await(addressbook.Resolved)
			w.expectStaying(v4, v6)
			before := w.count()

			w.coredns.Reload(w.forwarding("cache 30\n template IN AAAA . {\n  " + tc.template + "\n }"))
			if tc.quiet {
				w.awaitGoing(v6)
			} else {
				w.await(addressbook.Stale)
			}
			w.forwarded(3, name, dns.TypeA)
			w.expectStaying(tc.staying...)
			said := w.since(before)
			if want := []string{"Resolved: "}; tc.quiet && !slices.Equal(said, want) {
				t.Errorf("the name was %q", said)
			}
			if want := fmt.Sprintf("Stale: SERVFAIL for AAAA from %s, keeping 1 address", w.coredns.Addr); !tc.quiet && !slices.Equal(said, []string{want}) {
				t.Errorf("the name was %q, want %q once", said, want)
			}
		})
	}
}

// askedAgain waits until CoreDNS was asked so many times more for an IPv4 address.
func (w *world) askedAgain(times int, name string) {
	w.t.Helper()
	until := w.coredns.Asked(name, "A") + times
	for deadline := time.Now().Add(patience); w.coredns.Asked(name, "A") < until; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s was not asked for %d times more", name, times)
		}
	}
}

// awaitGoing waits until the time of an address is set.
func (w *world) awaitGoing(addr string) {
	w.t.Helper()
	timeout := time.After(patience)
	for {
		staying, _ := w.addresses()
		if !slices.Contains(staying, addr) {
			return
		}
		select {
		case <-w.changed:
		case <-timeout:
			w.t.Fatalf("%s stays: %q", addr, w.since(0))
		}
	}
}

// TestOneFamilyAlone: names with IPv4 addresses alone, as plugins answer them for AAAA. Both families are answered at once, and
// nothing is ever said but that all is well.
func TestOneFamilyAlone(t *testing.T) {
	zone := filepath.Join(t.TempDir(), "shop.example")
	text := `shop.example. 1 IN SOA ns1.shop.example. a.shop.example. 1 3600 600 86400 1
shop.example. 1 IN NS ns1.shop.example.
inside.shop.example. 1 IN CNAME www.shop.example.
outside.shop.example. 1 IN CNAME db-1.rds.example.net.
www.shop.example. 1 IN A 192.0.2.7
`
	if err := os.WriteFile(zone, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file := "file " + zone + " shop.example"
	hosts := "hosts {\n  192.0.2.7 www.shop.example\n  ttl 1\n  fallthrough\n }"
	for title, tc := range map[string]struct {
		plugins, name, end string
		again              int // so often it is asked anew; the cache keeps what it has for five seconds
	}{
		"hosts":                            {"cache 30\n " + hosts, "www.shop.example", "www.shop.example.", 1},
		"an alias out of a zone file":      {"cache 30\n " + file, "outside.shop.example", "db-1.rds.example.net.", 1},
		"the same, without a cache":        {file, "outside.shop.example", "db-1.rds.example.net.", 3},
		"an alias within a zone file":      {"cache 30\n " + file, "inside.shop.example", "www.shop.example.", 1},
		"the same within, without a cache": {file, "inside.shop.example", "www.shop.example.", 3},
	} {
		t.Run(title, func(t *testing.T) {
			w := newWorld(t, tc.plugins)
			w.dns.Set("db-1.rds.example.net", short, "192.0.2.7")
			aaaa := w.coredns.Ask(tc.name, dns.TypeAAAA)
			if slices.ContainsFunc(aaaa.Ns, func(rr dns.RR) bool {
				return rr.Header().Rrtype == dns.TypeSOA && dns.IsSubDomain(rr.Header().Name, tc.end)
			}) {
				t.Fatalf("the test is void: CoreDNS proves it\n%v", aaaa)
			}
			start := time.Now()
			w.ask(tc.name)
			e := w.await(addressbook.Resolved)
			if e.Answered.IsZero() || e.Answered.Sub(start) > 2*time.Second {
				t.Errorf("both families were answered %v after they were wanted", e.Answered.Sub(start))
			}
			w.expectStaying("192.0.2.7")
			before := w.count()
			w.askedAgain(tc.again, tc.name)
			if said := w.since(before); len(said) > 0 {
				t.Errorf("the name was %q", said)
			}
			w.expectStaying("192.0.2.7")
		})
	}
}
