// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
)

var _ Book = (*addressbook.Book)(nil)

// The upstreams of the tests.
const (
	up1 = "192.0.2.53:53"
	up2 = "192.0.2.54:53"
)

var (
	onlyIPv4 = setup{families: []addressbook.Family{addressbook.IPv4}}
	www      = []string{"www.example.com"}
)

func TestResolver_AsksWhenTheAnswerExpires(t *testing.T) {
	tests := map[string]struct {
		reply reply
		until time.Duration
		want  []time.Duration
		first string // what the book is told first
	}{
		"TTL": {reply{ttl: 10}, 35 * time.Second, secondsOf(0, 10, 20, 30), "0s record www.example.com A 192.0.2.53:53 Good 10s"},
		"from when the answer came": {reply{ttl: 10, after: 500 * time.Millisecond}, 25 * time.Second, secondsOf(0, 10.5, 21),
			"500ms record www.example.com A 192.0.2.53:53 Good 10s"},
		"Edge2: TTL 0":          {reply{ttl: 0}, 3500 * time.Millisecond, secondsOf(0, 1, 2, 3), "0s record www.example.com A 192.0.2.53:53 Good 0s"},
		"Edge3: TTL of days":    {reply{ttl: 7 * 86400}, 11 * time.Minute, secondsOf(0, 300, 600), "0s record www.example.com A 192.0.2.53:53 Good 168h0m0s"},
		"Edge3: longest TTL":    {reply{ttl: 1<<31 - 1}, 6 * time.Minute, secondsOf(0, 300), "0s record www.example.com A 192.0.2.53:53 Good 596523h14m7s"},
		"negative, with SOA":    {reply{text: "--" + testSOA}, 45 * time.Second, secondsOf(0, 20, 40), "0s record www.example.com A 192.0.2.53:53 NoData 20s"},
		"negative, without SOA": {reply{text: "--", edits: []func(*dns.Msg){rcode(dns.RcodeNameError)}}, 65 * time.Second, secondsOf(0, 30, 60), "0s record www.example.com A 192.0.2.53:53 NXDomain 30s"},
		"Edge4: lowest TTL of a chain": {reply{text: "www.example.com. 5 IN CNAME a.example.net.\na.example.net. 60 IN A 192.0.2.1"}, 11 * time.Second,
			secondsOf(0, 5, 10), "0s record www.example.com A 192.0.2.53:53 Good 5s"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, onlyIPv4, www, []string{up1}, always(tc.reply), func(w *world) {
				w.at(tc.until)
				if diff := cmp.Diff(tc.want, w.times()); diff != "" {
					t.Error(diff)
				}
				if told := w.told(); told[0] != tc.first || len(told) != len(tc.want) {
					t.Errorf("the book was told %q", told)
				}
			})
		})
	}
}

func TestResolver_ClampIsAnOption(t *testing.T) {
	o := onlyIPv4
	o.MinTTL, o.MaxTTL = 3*time.Second, 7*time.Second
	for ttl, want := range map[uint32][]time.Duration{1: secondsOf(0, 3, 6), 5: secondsOf(0, 5), 100: secondsOf(0, 7)} {
		bubble(t, o, www, []string{up1}, always(reply{ttl: ttl}), func(w *world) {
			w.at(8 * time.Second)
			if diff := cmp.Diff(want, w.times()); diff != "" {
				t.Errorf("TTL %d: %s", ttl, diff)
			}
		})
	}
}

func TestResolver_BacksOff(t *testing.T) {
	bubble(t, onlyIPv4, www, []string{up1}, always(reply{err: errServfail}), func(w *world) {
		w.at(20 * time.Second)
		if diff := cmp.Diff(secondsOf(0, 1.25, 3.75, 8.75, 13.75, 18.75), w.times()); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff("0s fail www.example.com A 192.0.2.53:53 SERVFAIL", w.told()[0]); diff != "" {
			t.Error(diff)
		}
		w.at(10 * time.Minute)
		late := w.times()
		if gap := late[len(late)-1] - late[len(late)-2]; gap != 30*time.Second {
			t.Errorf("after ten minutes of failures asked every %v", gap)
		}
		w.setReply(always(reply{ttl: 5}))
		w.at(11 * time.Minute)
		w.setReply(always(reply{err: errServfail}))
		w.at(12 * time.Minute)
		first := w.told("fail")
		again := w.times()
		from := slices.IndexFunc(again, func(at time.Duration) bool { return at > 11*time.Minute })
		if gap := again[from+1] - again[from]; gap != 1250*time.Millisecond || len(first) == 0 {
			t.Errorf("after a success backed off by %v", gap)
		}
		if told := w.told("retire"); len(told) != 0 {
			t.Errorf("an upstream that fails is an upstream still: %q", told)
		}
	})
}

func TestBackoff_StaysWithinItsBounds(t *testing.T) {
	for failures := 1; failures < 100; failures++ {
		for _, random := range []float64{0, 0.5, 0.999999} {
			if d := backoff(failures, time.Minute, random); d < time.Second || d > 5*time.Second {
				t.Errorf("backoff %d with %v: %v", failures, random, d)
			}
			if d := backoff(failures, 5*time.Minute, random); d < 24*time.Second || d > 30*time.Second {
				t.Errorf("long backoff %d with %v: %v", failures, random, d)
			}
		}
	}
}

// TestEdge12_OneFamilyFails: the families of a name have nothing to do with each other.
func TestEdge12_OneFamilyFails(t *testing.T) {
	respond := func(a asked) reply {
		if strings.HasSuffix(a.Question, "AAAA") {
			return reply{err: errServfail}
		}
		return reply{ttl: 10}
	}
	bubble(t, setup{}, www, []string{up1}, respond, func(w *world) {
		w.at(25 * time.Second)
		if diff := cmp.Diff(secondsOf(0, 10, 20), w.times("com A ")); diff != "" {
			t.Error(diff)
		}
		if good, bad := w.told("record", "com A "), w.told("fail", "AAAA"); len(good) != 3 || len(bad) < 3 || len(w.told("fail")) != len(bad) {
			t.Errorf("the book was told %q", w.told())
		}
	})
}

func TestResolver_SwitchesAFamilyOff(t *testing.T) {
	bubble(t, onlyIPv4, www, []string{up1}, always(reply{ttl: 10}), func(w *world) {
		if n := len(w.times("AAAA")); n != 0 || len(w.times(" A ")) != 1 {
			t.Errorf("asked %d times for AAAA, %d times for A", n, len(w.times(" A ")))
		}
	})
}

func TestResolver_NamesComeAndGo(t *testing.T) {
	bubble(t, onlyIPv4, www, []string{up1}, always(reply{ttl: 10}), func(w *world) {
		w.at(3 * time.Second)
		w.want("api.example.com", "www.example.com", "zzz.example.com")
		w.at(5 * time.Second)
		w.want("api.example.com")
		w.at(24 * time.Second)
		got := [][]time.Duration{w.times("www"), w.times("api"), w.times("zzz")}
		if diff := cmp.Diff([][]time.Duration{secondsOf(0), secondsOf(3, 13, 23), secondsOf(3)}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestResolver_DropsAnswersOfNamesThatLeft(t *testing.T) {
	bubble(t, onlyIPv4, www, []string{up1}, always(reply{ttl: 10, after: time.Second}), func(w *world) {
		w.want("api.example.com")
		w.at(900 * time.Millisecond)
		w.want("api.example.com", "www.example.com") // wanted again while the first question is still on its way
		w.at(time.Minute)
		if diff := cmp.Diff(secondsOf(0, .9, 12.9-1, 22.9), w.times("www")[:4]); diff != "" {
			t.Error(diff)
		}
		if told := w.told("www"); told[0] != "1.9s record www.example.com A 192.0.2.53:53 Good 10s" {
			t.Errorf("the book was told %q", told)
		}
	})
}

func TestEdge6_OneDeadUpstreamOfTwo(t *testing.T) {
	respond := func(a asked) reply {
		if a.Upstream == up2 {
			return blackHole
		}
		return reply{ttl: 5}
	}
	bubble(t, onlyIPv4, numbered("n%d.example.com", 2000), []string{up1, up2}, respond, func(w *world) {
		w.at(60 * time.Second)
		for _, name := range []string{"n0.", "n999.", "n1999."} {
			if diff := cmp.Diff(secondsOf(0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60), w.times(name, up1)); diff != "" {
				t.Errorf("%s through the upstream that lives: %s", name, diff)
			}
		}
		if failed := w.told("fail"); len(failed) == 0 || len(w.told("fail", up2)) != len(failed) {
			t.Errorf("%d failures, %d of the dead upstream", len(failed), len(w.told("fail", up2)))
		}
	})
}

func TestResolver_UpstreamsComeAndGo(t *testing.T) {
	bubble(t, onlyIPv4, www, []string{up1}, always(reply{ttl: 10, after: 100 * time.Millisecond}), func(w *world) {
		w.at(5 * time.Second)
		w.setUpstreams(up1, up2) // a new one is asked at once
		w.at(10*time.Second + 150*time.Millisecond)
		w.setUpstreams(up2) // the old one is being asked: its answer comes too late
		w.at(16 * time.Second)
		w.setUpstreams(up1, up2) // and back
		w.at(20 * time.Second)
		w.setUpstreams() // all gone
		w.at(40 * time.Second)
		want := []string{
			"100ms record www.example.com A 192.0.2.53:53 Good 10s",
			"5.1s record www.example.com A 192.0.2.54:53 Good 10s",
			"10.15s retire 192.0.2.53:53",
			"15.2s record www.example.com A 192.0.2.54:53 Good 10s",
			"16.1s record www.example.com A 192.0.2.53:53 Good 10s",
			"20s retire 192.0.2.53:53",
			"20s retire 192.0.2.54:53",
		}
		got := w.told()
		slices.Sort(got[len(got)-2:])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(secondsOf(0, 10.1, 16), w.times(up1)); diff != "" {
			t.Error(diff)
		}
		if w.flying != 0 {
			t.Errorf("%d exchanges with upstreams that left go on", w.flying)
		}
	})
}

func TestResolver_WaitsForAnUpstream(t *testing.T) {
	bubble(t, onlyIPv4, www, nil, always(reply{ttl: 10}), func(w *world) {
		w.at(time.Hour + time.Minute)
		if n := len(w.told()); n != 0 {
			t.Errorf("without an upstream the book was told %q", w.told())
		}
		w.setUpstreams(up1)
		if diff := cmp.Diff([]time.Duration{time.Hour + time.Minute}, w.times()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestResolver_StartsOnce(t *testing.T) {
	oneProcessor(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		r, err := New(w, Static(), Options{Exchanger: w})
		if err != nil {
			t.Fatal(err)
		}
		if !r.NeedLeaderElection() {
			t.Error("standbys would ask too")
		}
		go func() { _ = r.Start(t.Context()) }()
		synctest.Wait()
		if err := r.Start(t.Context()); err == nil {
			t.Error("a second Start was accepted")
		}
	})
}

func TestNew_RefusesOptions(t *testing.T) {
	for name, o := range map[string]Options{
		"clamp":    {MinTTL: time.Minute, MaxTTL: time.Second},
		"negative": {MinTTL: -time.Second},
		"budget":   {MaxQPS: -1},
		"workers":  {Workers: -1},
	} {
		if _, err := New(newWorld(t, nil), Static(), o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
