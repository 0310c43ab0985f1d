// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Promise 10 among tenants. Each test has tenants that ask for more than there is, and the tenant "quiet", whose questions
// must be asked within the bounds that the lane's comment computes: with k others and Q questions a second
//
//	healthy   2 (k+1) / Q      fresh   2.5 (k+1) / Q      retry   10 (k+1) / Q
//
// and rounding, as the loop wakes for a token up to two milliseconds late.
const (
	testQPS  = 1000
	rounding = 2 * time.Millisecond
)

func bound(questions int, slots float64, others int) time.Duration {
	return time.Duration(float64(questions)*slots*float64(others+1)/testQPS*float64(time.Second)) + rounding
}

// greedyOr answers names that begin with "greedy" so, and all others with a TTL of one second.
func greedyOr(greedy reply) func(asked) reply {
	return func(a asked) reply {
		if strings.HasPrefix(a.Question, "greedy") {
			return greedy
		}
		return reply{ttl: 1, after: time.Millisecond}
	}
}

// greedyNames are n names of each of k tenants.
func greedyNames(k, n int) []string {
	var names []string
	for i := range k {
		names = append(names, numbered(fmt.Sprintf("greedy%d-%%[1]d.example.com of greedy%d", i, i), n)...)
	}
	return names
}

const (
	quietName = "quiet.example.com of quiet"
	newPolicy = 5 // names of it
)

// mustBeOnTime checks that the quiet name is asked every second, and each time within the bound of healthy questions.
func (w *world) mustBeOnTime(from, until time.Duration, others int) {
	w.t.Helper()
	var late time.Duration
	for _, family := range []string{" A ", " AAAA "} {
		at := slices.DeleteFunc(w.times("quiet.", family), func(d time.Duration) bool { return d < from || d > until })
		if seconds := int((until - from) / time.Second); len(at) < seconds-1 {
			w.t.Fatalf("asked %d times in %d s", len(at), seconds)
		}
		for i, d := range at[1:] {
			// Its TTL of one second begins with the answer, a millisecond after the question.
			late = max(late, d-at[i]-time.Second-time.Millisecond)
		}
	}
	w.t.Logf("the quiet name is asked up to %v late", late)
	if most := bound(2, 2, others); late > most {
		w.t.Errorf("it is asked up to %v late, want at most %v", late, most)
	}
}

// mustAskNew lists a new policy of the quiet tenant beside these names, and checks that all its questions are asked within the
// bound of fresh ones.
func (w *world) mustAskNew(others int, names ...string) {
	w.t.Helper()
	since := w.now()
	w.want(append(slices.Clone(names), numbered("new%d.example.com of quiet", newPolicy)...)...)
	most := bound(2*newPolicy, 2.5, others)
	w.at(since + most)
	asked := w.times("new")
	if len(asked) != 2*newPolicy {
		w.t.Fatalf("%d of %d questions of a new policy were asked within %v", len(asked), 2*newPolicy, most)
	}
	w.t.Logf("a new policy is asked about within %v", slices.Max(asked)-since)
}

// mustBeBusy checks that the greedy tenants got about as many questions as there were, or the test says nothing.
func (w *world) mustBeBusy(from, until time.Duration, perSecond float64) {
	w.t.Helper()
	n := 0
	for _, d := range w.times("greedy") {
		if d >= from && d < until {
			n++
		}
	}
	if got := float64(n) / (until - from).Seconds(); got < perSecond {
		w.t.Errorf("the greedy tenants were asked %.0f questions a second, want %.0f for the test to say something", got, perSecond)
	}
}

// TestInvariant10_HungryTenant: 5,000 names with a TTL of zero want 10,000 questions a second of the thousand.
func TestInvariant10_HungryTenant(t *testing.T) {
	for _, tenants := range []int{1, 10} {
		t.Run(fmt.Sprint(tenants), func(t *testing.T) {
			names := append(greedyNames(tenants, 5000/tenants), quietName)
			bubble(t, setup{}, names, []string{up1}, greedyOr(reply{ttl: 0, after: time.Millisecond}), func(w *world) {
				w.at(10 * time.Second)
				w.mustAskNew(tenants, names...)
				w.at(15 * time.Second)
				w.mustBeOnTime(5*time.Second, 15*time.Second, tenants)
				w.mustBeBusy(8*time.Second, 15*time.Second, 0.95*testQPS)
			})
		})
	}
}

// TestInvariant10_BlackHoleTenant: each question about 4,000 names that never answer holds a worker for four seconds.
func TestInvariant10_BlackHoleTenant(t *testing.T) {
	for _, tenants := range []int{1, 10} {
		t.Run(fmt.Sprint(tenants), func(t *testing.T) {
			names := append(greedyNames(tenants, 4000/tenants), quietName)
			bubble(t, setup{}, names, []string{up1}, greedyOr(blackHole), func(w *world) {
				w.mustAskNew(tenants, names...) // while all are fresh
				w.at(20 * time.Second)
				w.mustBeOnTime(0, 20*time.Second, tenants)
				if n := w.mostAtOnce(); n > defaultWorkers/2+2*newPolicy+2 || n < defaultWorkers/4 {
					t.Errorf("%d questions at once, of %d workers", n, defaultWorkers)
				}
				w.at(90 * time.Second)
				w.mustAskNewAgain(tenants, names...) // while all are retries
				w.mustBeOnTime(time.Minute, 90*time.Second, tenants)
			})
		})
	}
}

// mostAtOnce is how many questions were in flight at the same time.
func (w *world) mostAtOnce() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.maxFlyer
}

// mustAskNewAgain unlists the new policy, and is mustAskNew then.
func (w *world) mustAskNewAgain(others int, names ...string) {
	w.t.Helper()
	w.want(names...)
	w.mu.Lock()
	w.asked = slices.DeleteFunc(w.asked, func(a asked) bool { return strings.HasPrefix(a.Question, "new") })
	w.mu.Unlock()
	w.mustAskNew(others, names...)
}

// TestInvariant10_ChurningTenant: 500 names are replaced each two seconds. Names of the quiet tenant that fail are asked again all
// the same.
func TestInvariant10_ChurningTenant(t *testing.T) {
	respond := func(a asked) reply {
		if strings.HasPrefix(a.Question, "dead") {
			return reply{err: errServfail, after: time.Millisecond}
		}
		return greedyOr(reply{ttl: 300, after: 20 * time.Millisecond})(a)
	}
	dead := numbered("dead%d.example.com of quiet", 3)
	o := setup{Options: Options{MaxQPS: 200}} // of which the fresh ones want 500
	bubble(t, o, append(dead, quietName), []string{up1}, respond, func(w *world) {
		for round := range 15 {
			fresh := numbered(fmt.Sprintf("greedy-%d-%%d.example.com of greedy", round), 500)
			w.want(append(fresh, append(dead, quietName)...)...)
			w.at(time.Duration(round+1) * 2 * time.Second)
		}
		for _, name := range []string{"dead0", "dead1", "dead2"} {
			at := w.times(name, " A ")
			for i, d := range at[1:] {
				// Its backoff is at most 5 s; six retries of the tenant may wait for each other.
				if late := d - at[i] - maxBackoff; late > 6*bound(1, 10*testQPS/200, 1) {
					t.Errorf("%s: retried %v after the backoff", name, late)
				}
			}
			if len(at) < 6 {
				t.Errorf("%s was asked %d times in half a minute", name, len(at))
			}
		}
		w.mustBeBusy(10*time.Second, 30*time.Second, 0.9*200)
	})
}

// TestInvariant10_DeadTenant: 5,000 names that fail at once, listed before all others.
func TestInvariant10_DeadTenant(t *testing.T) {
	for _, tenants := range []int{1, 10} {
		t.Run(fmt.Sprint(tenants), func(t *testing.T) {
			names := greedyNames(tenants, 5000/tenants)
			bubble(t, setup{}, names, []string{up1}, greedyOr(reply{err: errServfail, after: time.Millisecond}), func(w *world) {
				w.at(time.Second)
				names := append(names, quietName)
				w.want(names...)
				w.mustAskNew(tenants, names...) // while all are fresh
				w.at(25 * time.Second)
				w.mustAskNewAgain(tenants, names...) // while all are retries
				w.mustBeOnTime(2*time.Second, 25*time.Second, tenants)
				w.mustBeBusy(15*time.Second, 25*time.Second, 0.95*testQPS/2)
			})
		})
	}
}

// TestInvariant10_OneTenantHasAll: who is alone has all of the budget.
func TestInvariant10_OneTenantHasAll(t *testing.T) {
	bubble(t, setup{}, greedyNames(1, 5000), []string{up1}, greedyOr(reply{ttl: 0, after: time.Millisecond}), func(w *world) {
		w.at(15 * time.Second)
		w.mustBeBusy(10*time.Second, 15*time.Second, 0.99*testQPS)
	})
}

// TestInvariant10_RestartedEndpoint: an upstream that is new is asked everything with the whole budget, beside one that is
// refreshed.
func TestInvariant10_RestartedEndpoint(t *testing.T) {
	names := numbered("greedy%d.example.com", 10_000)
	bubble(t, onlyIPv4, names, []string{up1}, greedyOr(reply{ttl: 300, after: time.Millisecond}), func(w *world) {
		w.at(30 * time.Second)
		w.setUpstreams(up1, up2)
		w.at(30*time.Second + time.Duration(10_000-4*testQPS)*time.Second/testQPS + 100*time.Millisecond)
		if n := len(w.times(up2)); n != 10_000 {
			t.Errorf("%d of 10,000 questions were asked at %v", n, w.now())
		}
	})
}

// TestInvariant10_NewNamesLeaveTheReserve: with 20 questions a second, one that waits for its turn is 50 ms late or more. What is
// due beside new names does not wait.
func TestInvariant10_NewNamesLeaveTheReserve(t *testing.T) {
	o := onlyIPv4
	o.MaxQPS = 20
	respond := func(a asked) reply {
		if strings.HasPrefix(a.Question, "greedy") {
			return reply{ttl: 300}
		}
		return reply{ttl: 1, after: 7 * time.Millisecond}
	}
	bubble(t, o, append(greedyNames(1, 5000), quietName), []string{up1}, respond, func(w *world) {
		w.at(time.Minute)
		at := w.times("quiet")
		for i := 2; i < len(at); i++ { // the first one is new as well, and a part of the burst
			if pause := at[i] - at[i-1]; pause != 1007*time.Millisecond {
				t.Errorf("asked after %v at %v", pause, at[i])
			}
		}
		if len(at) < 59 {
			t.Errorf("asked %d times in a minute", len(at))
		}
		w.mustBeBusy(10*time.Second, time.Minute, 18)
	})
}

// TestInvariant10_SharedName: a name that a greedy tenant lists too takes the turn of whoever comes first.
func TestInvariant10_SharedName(t *testing.T) {
	names := append(greedyNames(1, 5000), quietName, "quiet.example.com of greedy0")
	bubble(t, setup{}, names, []string{up1}, greedyOr(reply{ttl: 0, after: time.Millisecond}), func(w *world) {
		w.at(5 * time.Second)
		w.want(append(greedyNames(1, 5000), "quiet.example.com of greedy0")...) // the quiet tenant leaves, and comes back
		w.at(7 * time.Second)
		w.want(names...)
		w.at(20 * time.Second)
		w.mustBeOnTime(10*time.Second, 20*time.Second, 1)
	})
}

// TestInvariant10_ServerHasOneBudget: however many lanes lead to an address, it gets no more than MaxQPS, and of views a tenth; the names of
// the process are on time.
func TestInvariant10_ServerHasOneBudget(t *testing.T) {
	var names []string
	for i := range 16 { // sixteen ports and transports of the server that the process asks too
		names = append(names, numbered(fmt.Sprintf("greedy%%[1]d.example.com by 192.0.2.53:%d,tcp://192.0.2.53:%d of greedy%%[1]d", 53+i, 53+i), 200)...)
	}
	respond := func(a asked) reply {
		if strings.HasPrefix(a.Question, "greedy") {
			return reply{ttl: 0, after: time.Millisecond}
		}
		return reply{ttl: 1, after: time.Millisecond}
	}
	bubble(t, setup{}, append(names, quietName), []string{up1}, respond, func(w *world) {
		w.at(10 * time.Second)
		w.mustBeOnTime(time.Second, 10*time.Second, 0)
		views := len(w.times("greedy"))
		if most := (burstSeconds + 10) * testQPS / viewShare; views > most || views < most*9/10 {
			t.Errorf("views asked the server %d questions in 10 s, want about %d", views, most)
		}
		w.want(append(greedyNames(1, 1000), append(names, quietName)...)...) // names of the process want all of it too
		before := len(w.times(""))
		w.at(20 * time.Second)
		if all, most := len(w.times(""))-before, (burstSeconds+10)*testQPS; all > most || all < most*9/10 {
			t.Errorf("the server was asked %d questions in 10 s, at most %d are allowed", all, most)
		}
		w.want(quietName) // a view that goes and comes back has no new burst
		w.at(21 * time.Second)
		before = len(w.times(""))
		w.want(append(names, quietName)...)
		if again := len(w.times("")) - before; again > 2*testQPS/viewShare {
			t.Errorf("views that came back asked %d questions at once", again)
		}
	})
}
