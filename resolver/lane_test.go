// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// badOrGood is a network where names that begin with "bad" never answer.
func badOrGood(ttl uint32) func(asked) reply {
	return func(a asked) reply {
		if strings.HasPrefix(a.Question, "bad") {
			return blackHole
		}
		return reply{ttl: ttl}
	}
}

// TestInvariant10_BlackHolesDelayNobody: a thousand names that never answer, and a good name whose refresh stays on
// time, from the first second on.
func TestInvariant10_BlackHolesDelayNobody(t *testing.T) {
	names := append(numbered("bad%d.example.com", 1000), "good.example.com")
	bubble(t, setup{Options: Options{Workers: 256}}, []string{"good.example.com"}, []string{up1}, badOrGood(1), func(w *world) {
		w.at(time.Second / 2)
		w.want(names...)
		w.at(time.Minute)
		var want []time.Duration
		for s := range 61 {
			want = append(want, time.Duration(s)*time.Second)
		}
		for _, family := range []string{" A ", " AAAA "} {
			if diff := cmp.Diff(want, w.times("good", family)); diff != "" {
				t.Error(diff)
			}
		}
		if most := 256/2 + 2; w.maxFlyer > most {
			t.Errorf("%d exchanges at once, failing ones may use 128 of 256 workers", w.maxFlyer)
		}
	})
}

// TestInvariant10_NewNamesBesideBlackHoles: retries leave room for what was never asked.
func TestInvariant10_NewNamesBesideBlackHoles(t *testing.T) {
	bad := numbered("bad%d.example.com", 1000)
	bubble(t, setup{}, bad, []string{up1}, badOrGood(60), func(w *world) {
		w.at(2 * time.Minute)
		w.want(append(bad, "good.example.com")...)
		if n := len(w.times("good")); n != 2 {
			t.Errorf("asked %d of 2 questions of a new name at once", n)
		}
		if w.flying < 100 {
			t.Errorf("only %d exchanges at once: the black hole is not busy, the test says nothing", w.flying)
		}
	})
}

// TestInvariant10_ANewNameAfterACrowd: a name comes alone when a thousand of the same tenant wait for their first turn behind a
// black hole. It is asked with the next workers that come free, which takes a timeout and its retry, not when all others were.
func TestInvariant10_ANewNameAfterACrowd(t *testing.T) {
	bad := numbered("bad%d.example.com", 1000)
	bubble(t, setup{Options: Options{Workers: 256}}, bad, []string{up1}, badOrGood(60), func(w *world) {
		w.at(time.Second)
		if n := len(w.times("bad")); n == 2000 {
			t.Fatal("all were asked at once: nothing waits, the test says nothing")
		}
		w.want(append(bad, "good.example.com")...)
		w.at(5 * time.Second)
		if n := len(w.times("good")); n != 2 {
			t.Errorf("asked %d of 2 questions of a new name within 4 s", n)
		}
		w.at(4 * time.Minute)
		asked := map[string]bool{}
		for _, q := range w.asked {
			asked[q.Question] = true
		}
		if len(asked) != 2002 {
			t.Errorf("%d of 2,002 questions were asked", len(asked))
		}
	})
}

// TestInvariant10_BudgetIsHalved: questions that go on failing get half of a small budget, those that were never asked what
// the healthy ones leave, and these are on time.
func TestInvariant10_BudgetIsHalved(t *testing.T) {
	o := onlyIPv4
	o.MaxQPS = 20
	names := append(numbered("bad%d.example.com", 500), "good.example.com")
	respond := func(a asked) reply {
		if strings.HasPrefix(a.Question, "bad") {
			return reply{err: errServfail}
		}
		return reply{ttl: 1}
	}
	bubble(t, o, []string{"good.example.com"}, []string{up1}, respond, func(w *world) {
		w.at(500 * time.Millisecond)
		w.want(names...)
		w.at(30 * time.Second)
		all := w.times("bad")
		first := map[string]bool{}
		for _, line := range w.told("fail bad") {
			first[strings.Fields(line)[2]] = true
		}
		if len(first) < 450 { // 80 of the burst, and 4 of 5 of what the good one leaves of 20 a second
			t.Errorf("%d of 500 new names asked in 30 s", len(first))
		}
		if retries := len(all) - len(first); retries > 50+10*30 {
			t.Errorf("%d retries in 30 s with half of 20 a second and a burst of 50", retries)
		}
		w.at(60 * time.Second)
		if later := len(w.times("bad")) - len(all); later > 10*30+50 || later < 250 {
			t.Errorf("%d retries in further 30 s with half of 20 a second", later)
		}
		good := w.times("good")
		if len(good) != 61 || good[60] != 60*time.Second {
			t.Errorf("the good name was asked at %v", good)
		}
	})
}

func TestResolver_KeepsToItsBudget(t *testing.T) {
	o := onlyIPv4
	o.MaxQPS = 10
	bubble(t, o, numbered("n%d.example.com", 200), []string{up1, up2}, always(reply{ttl: 5}), func(w *world) {
		w.at(20 * time.Second)
		for _, up := range []string{up1, up2} {
			at := w.times(up)
			if first := slices.IndexFunc(at, func(d time.Duration) bool { return d > 0 }); first != 40 {
				t.Errorf("%d new names asked at once, the burst less the reserve is 40", first)
			}
			if len(at) > 50+10*20 || len(at) < 180 {
				t.Errorf("%d questions in 20 s at 10 a second and a burst of 50", len(at))
			}
		}
		w.at(40 * time.Second) // five new ones a second
		known := map[string]bool{}
		for _, line := range w.told("record", up1) {
			known[strings.Fields(line)[2]] = true
		}
		if len(known) != 200 {
			t.Errorf("refreshes of old names keep new ones from being asked: %d of 200 known", len(known))
		}
	})
}

// TestResolver_ManyNewNamesAtOnce: nothing spreads them out but the budget.
func TestResolver_ManyNewNamesAtOnce(t *testing.T) {
	bubble(t, setup{}, numbered("n%d.example.com", 1000), []string{up1}, always(reply{ttl: 60}), func(w *world) {
		if n := len(w.told("0s record")); n != 2000 {
			t.Errorf("%d of 2000 questions answered at once", n)
		}
	})
}

func TestShareOfWorkers(t *testing.T) {
	o := onlyIPv4
	o.Workers = 8
	bubble(t, o, numbered("bad%d.example.com", 100), []string{up1, up2}, always(blackHole), func(w *world) {
		if w.flying != 4 { // half of four, for each of two
			t.Errorf("%d exchanges at once", w.flying)
		}
		w.setUpstreams(numbered("192.0.2.%d:53", 10)[1:]...)
		if w.flying != 9 { // one each, however many upstreams there are
			t.Errorf("%d exchanges at once with nine upstreams", w.flying)
		}
	})
}
