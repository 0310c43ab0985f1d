// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// The answers of an ExternalName whose target has IPv4 addresses alone, as CoreDNS gives them: "qr aa rd".
const (
	aliasAlone = "www.example.com. 5 IN CNAME db-1.rds.example.net.\n"
	aliasAndA  = aliasAlone + "db-1.rds.example.net. 5 IN A 198.51.100.7\n"
)

func aaFlags(r reply) reply {
	r.edits = append(r.edits, authoritative)
	return r
}

// byFamily replies with one of two.
func byFamily(a, aaaa reply) func(asked) reply {
	return func(q asked) reply {
		if strings.HasSuffix(q.Question, "AAAA") {
			return aaaa
		}
		return a
	}
}

// TestAbsence_BesideAGoodAnswer: a family that the name does not have is answered as soon as the other one is, in whichever
// order they come, and never fails.
func TestAbsence_BesideAGoodAnswer(t *testing.T) {
	ns := "--shop.example. 5 IN NS ns1.shop.example.\n"
	ownNS := "--example.com. 5 IN NS ns1.example.com.\n"
	tests := map[string]struct {
		a, aaaa reply
		want    string // the word about AAAA, and when
	}{
		"an alias alone":                     {reply{text: aliasAndA}, reply{text: aliasAlone}, "NoData 5s"},
		"an alias alone, with a foreign NS":  {reply{text: aliasAndA}, reply{text: aliasAlone + ns}, "NoData 5s"},
		"an alias alone, with its zone's NS": {reply{text: aliasAndA}, reply{text: aliasAlone + ownNS}, "NoData 5s"},
		"nothing at all":                     {reply{ttl: 5}, reply{text: "--"}, "NoData 30s"},
		"the SOA of another zone":            {reply{ttl: 5}, reply{text: "--example.org. 5 IN SOA ns.example.org. a.example.org. 1 3600 600 86400 5"}, "NoData 30s"},
		"the first link of a longer chain": {reply{text: "www.example.com. 5 IN CNAME a.example.net.\na.example.net. 5 IN CNAME b.example.net.\nb.example.net. 5 IN A 192.0.2.1"},
			reply{text: "www.example.com. 5 IN CNAME A.example.net."}, "NoData 5s"},
		"NXDOMAIN of a template": {reply{ttl: 5}, reply{text: "--", edits: []func(*dns.Msg){rcode(dns.RcodeNameError)}}, "NXDomain 30s"},
		"NODATA of a template":   {reply{ttl: 5}, reply{text: "--" + testSOA}, "NoData 20s"},
	}
	for name, tc := range tests {
		for _, later := range []string{"A", "AAAA"} {
			t.Run(name+", "+later+" last", func(t *testing.T) {
				a, aaaa := aaFlags(tc.a), aaFlags(tc.aaaa)
				if later == "A" {
					a.after = 300 * time.Millisecond
				} else {
					aaaa.after = 300 * time.Millisecond
				}
				bubble(t, setup{}, www, []string{up1}, byFamily(a, aaaa), func(w *world) {
					w.at(301 * time.Millisecond)
					said := w.told("AAAA")
					if len(said) != 1 || !strings.HasSuffix(said[0], " record www.example.com AAAA "+up1+" "+tc.want) {
						t.Errorf("after the later answer the book was told %q", said)
					}
					w.at(5 * time.Minute)
					if failed := w.told("fail"); len(failed) != 0 {
						t.Errorf("the book was told of failures: %q", failed)
					}
					if n := len(w.told("record", "AAAA")); n < 9 {
						t.Errorf("AAAA was answered %d times in five minutes", n)
					}
				})
			})
		}
	}
}

// TestAbsence_Alone: nothing but an answer that shares the way vouches for what a message does not prove.
func TestAbsence_Alone(t *testing.T) {
	servfail := reply{err: errServfail}
	tests := map[string]struct {
		o       setup
		a, aaaa reply
		failed  []string // families
	}{
		"a target that fails":              {setup{}, reply{text: aliasAlone}, reply{text: aliasAlone}, []string{"A", "AAAA"}},
		"an empty server":                  {setup{}, reply{text: "--"}, reply{text: "--"}, []string{"A", "AAAA"}},
		"A fails":                          {setup{}, servfail, reply{text: aliasAlone}, []string{"A", "AAAA"}},
		"A has no addresses":               {setup{}, reply{text: "--" + testSOA}, reply{text: aliasAlone}, []string{"AAAA"}},
		"A goes another way":               {setup{}, reply{text: "www.example.com. 5 IN CNAME a.example.net.\na.example.net. 5 IN A 192.0.2.1"}, reply{text: aliasAlone}, []string{"AAAA"}},
		"A has no alias":                   {setup{}, reply{ttl: 5}, reply{text: aliasAlone}, []string{"AAAA"}},
		"a referral":                       {setup{}, reply{ttl: 5}, reply{text: "--example.com. 60 IN NS ns.example.com."}, []string{"AAAA"}},
		"a referral behind an alias":       {setup{}, reply{text: aliasAndA}, reply{text: aliasAlone + "--rds.example.net. 60 IN NS ns.example.net."}, []string{"AAAA"}},
		"records of another owner":         {setup{}, reply{ttl: 5}, reply{text: "lb.example.net. 60 IN AAAA 2001:db8::1"}, []string{"AAAA"}},
		"the other family is not asked":    {onlyIPv4, reply{text: "--"}, reply{}, []string{"A"}},
		"a host with IPv6 addresses alone": {setup{}, reply{text: "--"}, reply{ttl: 5}, nil},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, tc.o, www, []string{up1}, byFamily(aaFlags(tc.a), aaFlags(tc.aaaa)), func(w *world) {
				w.at(time.Minute)
				for _, family := range []string{"A", "AAAA"} {
					failed, good := len(w.told("fail", "com "+family+" ")), len(w.told("record", "com "+family+" "))
					want := slices.Contains(tc.failed, family)
					if (failed > 0) != want || (failed > 0 && good > 0) || (failed+good == 0) != (len(tc.o.families) == 1 && family == "AAAA") {
						t.Errorf("%s: %d failures and %d answers, want failures: %v\n%q", family, failed, good, want, w.told())
					}
				}
			})
		})
	}
}

// counting is a cache before a zone that changes: an entry lasts for ttl seconds, and what it holds is what zone said when it
// began.
func counting(ttl uint32, phase time.Duration, zone func(at time.Duration) string) func(at time.Duration) string {
	return func(at time.Duration) string {
		entry := time.Duration(ttl) * time.Second
		since := (at + phase) % entry
		left := ttl - uint32(since/time.Second)
		return strings.ReplaceAll(zone(max(at-since, 0)), "TTL", fmt.Sprint(left))
	}
}

func zoneThat(until, again time.Duration, good, bad string) func(time.Duration) string {
	return func(at time.Duration) string {
		if at >= until && at < again {
			return bad
		}
		return good
	}
}

// TestAbsence_TakesNothingFromANameThatIsLost: the server loses the name, and behind a cache A outlives AAAA and comes back
// before it. What was known of AAAA must not begin to age on the word of that A.
func TestAbsence_TakesNothingFromANameThatIsLost(t *testing.T) {
	const never = 1000 * time.Hour
	const a, aaaa, lost = "www.example.com. TTL IN A 192.0.2.1", "www.example.com. TTL IN AAAA 2001:db8::1", "--"
	for name, back := range map[string]time.Duration{"for good": never, "for a while": 150 * time.Second} {
		for _, phase := range []time.Duration{0, 7 * time.Second, 29 * time.Second} {
			t.Run(fmt.Sprintf("%s, %v", name, phase), func(t *testing.T) {
				v4 := counting(30, phase, zoneThat(40*time.Second, back, a, lost))
				v6 := counting(20, 0, zoneThat(40*time.Second, back, aaaa, lost))
				respond := func(q asked) reply {
					if strings.HasSuffix(q.Question, "AAAA") {
						return reply{text: v6(q.At)}
					}
					return reply{text: v4(q.At)}
				}
				bubble(t, setup{}, www, []string{up1}, respond, func(w *world) {
					w.at(10 * time.Minute)
					if gone := w.told("NoData"); len(gone) != 0 {
						t.Errorf("the book was told %q", gone)
					}
					if len(w.told("fail", "AAAA")) == 0 || len(w.told("fail", " A ")) == 0 {
						t.Errorf("nobody was told of the loss: %q", w.told("fail"))
					}
				})
			})
		}
	}
}

// TestAbsence_OfAFamilyThatIsSwitchedOff: AAAA is gone for good, by a template without an authority section. That is not told
// before A is from an entry that began since, is no failure meanwhile, and is NODATA then.
func TestAbsence_OfAFamilyThatIsSwitchedOff(t *testing.T) {
	v4 := counting(30, 0, zoneThat(time.Hour, time.Hour, "www.example.com. TTL IN A 192.0.2.1", ""))
	v6 := counting(12, 0, zoneThat(40*time.Second, time.Hour, "www.example.com. TTL IN AAAA 2001:db8::1", "--"))
	respond := func(q asked) reply {
		if strings.HasSuffix(q.Question, "AAAA") {
			return reply{text: v6(q.At)}
		}
		return reply{text: v4(q.At)}
	}
	bubble(t, setup{}, www, []string{up1}, respond, func(w *world) {
		w.at(10 * time.Minute)
		if failed := w.told("fail"); len(failed) != 0 {
			t.Errorf("the book was told of failures: %q", failed)
		}
		gone := w.told("AAAA", "NoData")
		if len(gone) == 0 || !strings.HasPrefix(gone[0], "1m0") { // A's entries end at 30 s, 60 s, ...; AAAA is found gone at 48 s
			t.Errorf("the book was told %q", gone)
		}
	})
}

// TestAbsence_TakesNoIPv4: AAAA answers, A comes as an alias alone. Pods that live on IPv4 keep it.
func TestAbsence_TakesNoIPv4(t *testing.T) {
	respond := func(q asked) reply {
		switch {
		case strings.HasSuffix(q.Question, "AAAA"):
			return reply{text: aliasAlone + "db-1.rds.example.net. 5 IN AAAA 2001:db8::1"}
		case q.At < 30*time.Second:
			return reply{text: aliasAndA}
		}
		return reply{text: aliasAlone}
	}
	bubble(t, setup{}, www, []string{up1}, respond, func(w *world) {
		w.at(10 * time.Minute)
		if gone := w.told("NoData"); len(gone) != 0 || len(w.told("fail", " A ")) == 0 || len(w.told("fail", "AAAA")) != 0 {
			t.Errorf("the book was told %q and %q", gone, w.told("fail"))
		}
	})
}

// TestAbsence_LearntLater: A fails at first. AAAA waits for its first good answer and no longer.
func TestAbsence_LearntLater(t *testing.T) {
	respond := func(q asked) reply {
		switch {
		case strings.HasSuffix(q.Question, "AAAA"):
			return reply{text: aliasAlone}
		case q.At < time.Second:
			return reply{err: errServfail}
		}
		return reply{text: aliasAndA}
	}
	bubble(t, setup{}, www, []string{up1}, respond, func(w *world) {
		w.at(2 * time.Second)
		want := []string{
			"0s fail www.example.com A 192.0.2.53:53 SERVFAIL",
			"0s fail www.example.com AAAA 192.0.2.53:53 no addresses and no SOA record",
			"1.25s record www.example.com A 192.0.2.53:53 Good 5s",
			"1.25s record www.example.com AAAA 192.0.2.53:53 NoData 5s",
		}
		got := w.told()
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestResolver_SaysOneOwnerOnly: the owner of an answer about another name changes each time; what a status says does not.
func TestResolver_SaysOneOwnerOnly(t *testing.T) {
	respond := func(q asked) reply {
		if q.At > time.Minute && q.At < 2*time.Minute {
			return reply{ttl: 5}
		}
		return reply{text: fmt.Sprintf("lb-%d.elb.example.net. 5 IN A 192.0.2.1", q.At/time.Millisecond)}
	}
	bubble(t, onlyIPv4, www, []string{up1}, respond, func(w *world) {
		said := map[string]bool{}
		for _, until := range []time.Duration{time.Minute, 3 * time.Minute} {
			w.at(until)
			for _, line := range w.told("fail") {
				_, words, _ := strings.Cut(line, "fail ")
				said[words] = true
			}
			if want := int(until/time.Minute+1) / 2; len(said) != want { // one before it answered, one after
				t.Errorf("after %v the book had been told %d things: %v", until, len(said), said)
			}
		}
	})
}
