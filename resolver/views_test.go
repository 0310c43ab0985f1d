// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

func alwaysGood(asked) reply { return reply{ttl: 3600} }

// TestView_AsksItsOwn: the names of a view are asked of its servers and of no other, and the other names of none of them;
// a name that is wanted in both is two.
func TestView_AsksItsOwn(t *testing.T) {
	bubble(t, onlyIPv4, []string{"a.example.com", "a.example.com by 192.0.2.98:53,tcp://192.0.2.99"}, []string{up1}, alwaysGood, func(w *world) {
		want := []string{
			"0s record a.example.com A 192.0.2.53:53 Good 1h0m0s",
			"0s record a.example.com A by 192.0.2.98:53,tcp://192.0.2.99 192.0.2.98:53 Good 1h0m0s",
			"0s record a.example.com A by 192.0.2.98:53,tcp://192.0.2.99 tcp://192.0.2.99:53 Good 1h0m0s",
		}
		if d := cmp.Diff(want, slices.Sorted(slices.Values(w.told()))); d != "" {
			t.Fatalf("(-want +got):\n%s", d)
		}
		w.at(time.Second)
		w.setUpstreams(up2) // no business of the view's
		w.at(90 * time.Minute)
		asked := len(w.times("192.0.2.98"))
		if asked < 2 {
			t.Errorf("asked %d times in an hour and a half, with a TTL of an hour", asked)
		}
		w.want("a.example.com", "b.example.com") // the view goes, another name comes
		w.at(3 * time.Hour)
		if got := w.times("192.0.2.98"); len(got) > asked {
			t.Errorf("a view that nobody wants is asked at %v", got)
		}
		if got := w.told("retire"); !slices.Equal(got, []string{"1s retire " + up1}) {
			t.Errorf("retired: %q", got)
		}
		w.want("a.example.com by 192.0.2.98:53")
		if got := w.told("3h0m0s record", "192.0.2.98"); len(got) != 1 {
			t.Errorf("a view that comes back: %q", got)
		}
	})
}

// TestView_Refused: what may not be asked is not asked, and the book is told why, of the names that come later too.
func TestView_Refused(t *testing.T) {
	blocks := func(list ...string) []netip.Prefix {
		out := []netip.Prefix{}
		for _, s := range list {
			out = append(out, netip.MustParsePrefix(s))
		}
		return out
	}
	const write = "write an IP address and a port, such as 10.96.0.10:53"
	for name, tc := range map[string]struct {
		upstream string
		allowed  []netip.Prefix
		reason   string // empty: it is asked
	}{
		"public":                             {upstream: "192.0.2.98:53"},
		"private":                            {upstream: "10.0.0.53:53"},
		"this machine":                       {upstream: "127.0.0.1:53", reason: ReasonNeverAsked},
		"this machine, mapped":               {upstream: "[::ffff:127.0.0.1]:53", reason: ReasonNeverAsked},
		"metadata":                           {upstream: "169.254.169.254:80", reason: ReasonNeverAsked},
		"link-local IPv6":                    {upstream: "[fe80::1]:53", reason: ReasonNeverAsked},
		"a Service":                          {upstream: "tcp://10.96.0.1:443", reason: ReasonNeverAsked},
		"a Service, everything is allowed":   {upstream: "tcp://10.96.0.1:443", allowed: blocks("0.0.0.0/0"), reason: ReasonNeverAsked},
		"a Service that is allowed":          {upstream: "10.96.0.1:443", allowed: blocks("10.96.0.1/32"), reason: ReasonNeverAsked},
		"this machine, which is allowed":     {upstream: "127.0.0.1:53", allowed: blocks("127.0.0.0/8"), reason: ReasonNeverAsked},
		"inside the allowed blocks":          {upstream: "10.20.0.53:53", allowed: blocks("10.20.0.0/16")},
		"outside of them":                    {upstream: "192.0.2.98:53", allowed: blocks("10.0.0.0/8"), reason: ReasonNotAllowed},
		"nothing is allowed":                 {upstream: "192.0.2.98:53", allowed: blocks(), reason: ReasonNotAllowed},
		"no address":                         {upstream: "999.1.2.3:53", reason: write},
		"neither an address nor a port":      {upstream: "999.1.1.1:99999", reason: write},
		"port 0":                             {upstream: "192.0.2.98:0", reason: "DNS is port 53"},
		"unspecified":                        {upstream: "0.0.0.0:53", reason: "not the address of one server"},
		"multicast":                          {upstream: "tls://[ff02::1]:853", reason: "not the address of one server"},
		"another scheme":                     {upstream: "https://192.0.2.98", reason: "write host:port, tcp://host:port or tls://host:port#name"},
		"a name that is none, and very long": {upstream: "tls://192.0.2.98#" + strings.Repeat("x", 5000), reason: "the name after #"},
	} {
		t.Run(name, func(t *testing.T) {
			o := onlyIPv4
			o.ViewUpstreams = tc.allowed
			o.NeverAsk = func(ctx context.Context, a netip.Addr) bool {
				return neverAsk(ctx, a) || netip.MustParsePrefix("10.96.0.0/12").Contains(a)
			}
			bubble(t, o, []string{"a.example.com by " + tc.upstream}, []string{up1}, alwaysGood, func(w *world) {
				w.want("a.example.com by "+tc.upstream, "b.example.com by "+tc.upstream)
				w.at(time.Minute)
				for _, host := range []string{"a.example.com", "b.example.com"} {
					asked, failed := len(w.times(host)) > 0, len(w.told("fail "+host, tc.reason)) > 0
					if asked != (tc.reason == "") || failed != (tc.reason != "") {
						t.Errorf("%s: asked %v, told %q, want %q", host, asked, w.told(host), tc.reason)
					}
				}
			})
		})
	}
}

// TestView_MessagesFit: whatever three upstreams a policy names, what the status says of them fits into its schema.
func TestView_MessagesFit(t *testing.T) {
	long := func(i int) string {
		return fmt.Sprintf("tls://192.0.2.%d:853#%sexample.net", i, strings.Repeat("long.", 47))
	}
	for title, tc := range map[string]struct {
		upstreams []string
		allowed   []netip.Prefix
		respond   func(asked) reply
		want      string
	}{
		"not allowed":        {[]string{long(1), long(2), long(3)}, []netip.Prefix{}, alwaysGood, ReasonNotAllowed},
		"no upstream":        {[]string{strings.Repeat("1", 250), strings.Repeat("x", 250) + "://1.1.1.1", "tls://1.1.1.1#" + strings.Repeat("y", 250)}, nil, alwaysGood, "the name after #"},
		"they do not answer": {[]string{long(1), long(2), long(3)}, nil, always(reply{err: &dnsmsg.Error{Reason: dnsclient.ReasonCertificate}}), dnsclient.ReasonCertificate + " for A and AAAA from tls://192.0.2.3:853#long."},
	} {
		t.Run(title, func(t *testing.T) {
			oneProcessor(t)
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, tc.respond)
				book := addressbook.New(addressbook.Options{})
				owner := addressbook.Owner{Kind: "FQDNEgressPolicy", Namespace: "shop", Name: "web"}
				pattern, err := fqdn.ParsePattern("www.example.com")
				if err != nil {
					t.Fatal(err)
				}
				book.Want(owner, addressbook.Wants{View: addressbook.ViewOf(tc.upstreams), Patterns: []fqdn.Pattern{pattern}}, time.Now())
				r, err := New(book, Static(), Options{ViewUpstreams: tc.allowed, Exchanger: w})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error)
				go func() { ended <- r.Start(ctx) }()
				time.Sleep(time.Minute)
				message := book.Snapshot(owner, time.Now()).Patterns[0].Message
				if len(message) > 1024 || strings.Count(message, "; ") < 2 || !strings.Contains(message, tc.want) {
					t.Errorf("a message of %d bytes: %s", len(message), message)
				}
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestView_DelaysNobody is invariant 10 between views: whoever names a black hole for a thousand names waits alone.
func TestView_DelaysNobody(t *testing.T) {
	good := []string{"good.example.com", "good.example.com by 192.0.2.98"}
	names := append(numbered("bad%d.example.com by 192.0.2.99", 1000), good...)
	respond := func(a asked) reply {
		if strings.Contains(a.Upstream, "192.0.2.99") {
			return blackHole
		}
		return reply{ttl: 10}
	}
	bubble(t, onlyIPv4, names, []string{up1}, respond, func(w *world) {
		w.at(65 * time.Second)
		for _, upstream := range []string{up1, "192.0.2.98"} {
			at := w.times("good.example.com", upstream)
			if len(at) != 7 {
				t.Fatalf("%s is asked at %v", upstream, at)
			}
			for i, d := range at {
				if late := d - time.Duration(i)*10*time.Second; late > time.Millisecond {
					t.Errorf("%s: question %d is %v late", upstream, i, late)
				}
			}
		}
		if w.maxFlyer > viewWorkers+2 {
			t.Errorf("%d questions at once", w.maxFlyer)
		}
	})
}

// TestView_Bounded: beyond the limit of servers a view is refused, and asked as soon as there is room, whatever the order
// in which the resolver looks at its views.
func TestView_Bounded(t *testing.T) {
	names := numbered("a.example.com by 192.0.2.%[1]d of t%[1]d", maxViewUpstreams)
	late := "z.example.com by 198.51.100.1 of late"
	bubble(t, onlyIPv4, append([]string{late}, names...), []string{up1}, alwaysGood, func(w *world) {
		refused := w.told("fail", ReasonTooManyUpstreams)
		if len(refused) != 1 || len(w.times()) != maxViewUpstreams {
			t.Fatalf("refused %q, asked %d", refused, len(w.times()))
		}
		w.at(time.Second)
		w.want(append([]string{late}, names[1:]...)...) // one place is free
		want := []string{
			"0s fail z.example.com A by 198.51.100.1 198.51.100.1:53 " + ReasonTooManyUpstreams,
			"1s record z.example.com A by 198.51.100.1 198.51.100.1:53 Good 1h0m0s",
		}
		if d := cmp.Diff(want, w.told("z.example.com")); d != "" {
			t.Errorf("with room (-want +got):\n%s", d)
		}
		if got := len(w.times()); got != maxViewUpstreams+1 {
			t.Errorf("asked %d, want one more: the servers that had a place keep it", got)
		}
		w.want(late, "y.example.com by 198.51.100.1 of late")
		if got := w.told("y.example.com"); len(got) != 1 || !strings.Contains(got[0], "record") {
			t.Errorf("a name that comes later: %q", got)
		}
	})
}

// TestView_KeepsItsPlace: a server that is asked stays asked while another one of its view waits for room, and a new view
// does not overtake that one, wherever its name sorts.
func TestView_KeepsItsPlace(t *testing.T) {
	others := numbered("a.example.com by 192.0.2.%[1]d of t%[1]d", maxViewUpstreams-1)
	half := "m.example.com by 198.51.100.1,198.51.100.2 of half" // the second has no place
	earlier := "e.example.com by 10.0.0.1 of earlier"            // sorts before all of them
	bubble(t, onlyIPv4, append([]string{half}, others...), []string{up1}, alwaysGood, func(w *world) {
		w.at(time.Second)
		w.want(append([]string{half, earlier}, others[1:]...)...)
		want := []string{
			"0s fail m.example.com A by 198.51.100.1,198.51.100.2 198.51.100.2:53 " + ReasonTooManyUpstreams,
			"0s record m.example.com A by 198.51.100.1,198.51.100.2 198.51.100.1:53 Good 1h0m0s",
			"1s fail e.example.com A by 10.0.0.1 10.0.0.1:53 " + ReasonTooManyUpstreams,
			"1s record m.example.com A by 198.51.100.1,198.51.100.2 198.51.100.2:53 Good 1h0m0s",
		}
		got := slices.Concat(w.told("m.example.com"), w.told("e.example.com"))
		if d := cmp.Diff(want, slices.Sorted(slices.Values(got))); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
		w.want(append([]string{half}, others...)...) // what waited is gone
		w.at(2 * time.Second)
		w.want(half)
		if got := w.times("10.0.0.1"); len(got) != 0 {
			t.Errorf("a view that nobody wants is asked at %v", got)
		}
	})
}

// TestView_ThatComesBackHasNoNewBudget: to unlist a server and to list it again does not make it answer more.
func TestView_ThatComesBackHasNoNewBudget(t *testing.T) {
	o := onlyIPv4
	o.MaxQPS = 100 // ten of views, with a burst of fifty of which ten are left to healthy ones
	names := numbered("n%d.example.com by 192.0.2.99", 200)
	bubble(t, o, names, []string{up1}, alwaysGood, func(w *world) {
		for second := 1; second <= 10; second++ {
			w.want()
			w.at(time.Duration(second) * time.Second)
			w.want(names...)
		}
		if n := len(w.times("192.0.2.99")); n > 50+10*10 || n < 100 {
			t.Errorf("asked %d times in 10 s with 10 a second and a burst of 50", n)
		}
		w.want()
		w.at(time.Minute) // it is saved up again, and forgotten
		before := len(w.times("192.0.2.99"))
		w.want(names...)
		if n := len(w.times("192.0.2.99")) - before; n != 40 {
			t.Errorf("asked %d times at once after a minute, want 40", n)
		}
	})
}
