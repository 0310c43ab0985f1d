// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// alwaysAllowed checks that at every instant from now until stop is called each of these addresses is allowed on the TCP
// port. A moment without any NetworkPolicy allows nothing. Something must have been written meanwhile, or nothing was tried.
func (w *world) alwaysAllowed(port int32, addrs ...string) (stop func()) {
	w.t.Helper()
	return w.watchAlways(func(nps []networkingv1.NetworkPolicy) error {
		got := allowedBy(nps, port)
		for _, a := range addrs {
			if !slices.Contains(got, a) {
				return fmt.Errorf("%s is not allowed on port %d any more, only %v", a, port, got)
			}
		}
		return nil
	})
}

// watchAlways checks every state that the NetworkPolicies of the namespace go through, from the first object on until stop
// is called. What it finds fails the test, and so does a watch that ends early or brings nothing. Every caller stops it.
func (w *world) watchAlways(check func([]networkingv1.NetworkPolicy) error) (stop func()) {
	w.t.Helper()
	now := &networkingv1.NetworkPolicyList{}
	if err := w.client.List(w.t.Context(), now, client.InNamespace(w.namespace)); err != nil {
		w.t.Fatal(err)
	}
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: now.ResourceVersion}}
	watcher, err := w.client.Watch(w.t.Context(), &networkingv1.NetworkPolicyList{}, client.InNamespace(w.namespace), from)
	if err != nil {
		w.t.Fatal(err)
	}
	a := newAlways(check, now.Items)
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		a.follow(watcher.ResultChan())
	}()
	end := func() {
		a.stop()
		watcher.Stop()
		<-followed
	}
	judged := false
	w.t.Cleanup(func() { // a test that failed did not come to its stop
		end()
		if !judged && !w.t.Failed() {
			w.t.Error("the watch was never stopped, so what it saw was never judged")
		}
	})
	return func() {
		w.t.Helper()
		judged = true
		w.eventually(func() error { return a.reached(w.versions(&networkingv1.NetworkPolicyList{})) })
		end()
		if err := a.verdict(); err != nil {
			w.t.Error(err)
		}
	}
}

// always checks every state that a set of NetworkPolicies goes through.
type always struct {
	check func([]networkingv1.NetworkPolicy) error

	mu      sync.Mutex
	state   map[string]networkingv1.NetworkPolicy // by name
	begun   bool                                  // there was an object
	events  int
	stopped bool
	errs    []error
}

func newAlways(check func([]networkingv1.NetworkPolicy) error, now []networkingv1.NetworkPolicy) *always {
	a := &always{check: check, state: map[string]networkingv1.NetworkPolicy{}}
	for _, np := range now {
		a.state[np.Name] = np
	}
	a.judge()
	return a
}

// follow returns when the watch ends.
func (a *always) follow(events <-chan watch.Event) {
	for event := range events {
		a.take(event)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.stopped {
		a.fault(errors.New("the watch ended before the test did: nobody looked since"))
	}
}

func (a *always) take(event watch.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return // a client that stops reads the end of its own connection, and calls that an error
	}
	np, ok := event.Object.(*networkingv1.NetworkPolicy)
	switch {
	case !ok:
		a.fault(fmt.Errorf("the watch brought %s: %+v", event.Type, event.Object))
		return
	case event.Type == watch.Deleted:
		delete(a.state, np.Name)
	default:
		a.state[np.Name] = *np
	}
	a.events++
	a.judge()
}

func (a *always) judge() {
	a.begun = a.begun || len(a.state) > 0
	if !a.begun {
		return
	}
	if err := a.check(slices.Collect(maps.Values(a.state))); err != nil {
		a.fault(err)
	}
}

// fault keeps the first few: what was wrong once often is so in every state after.
func (a *always) fault(err error) {
	if len(a.errs) < 5 {
		a.errs = append(a.errs, err)
	}
}

// reached is nil once the watch has brought these versions.
func (a *always) reached(versions map[string]string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	have := map[string]string{}
	for _, np := range a.state {
		have[versionKey(&np)] = np.ResourceVersion
	}
	if !maps.Equal(have, versions) {
		return fmt.Errorf("the watch brought %v, there is %v", have, versions)
	}
	return nil
}

// stop says that the end of the watch is no fault any more.
func (a *always) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stopped = true
}

// verdict is all that was found. It is for when follow has returned.
func (a *always) verdict() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.events == 0 {
		a.fault(errors.New("nothing was written while the NetworkPolicies were watched: nothing was tried"))
	}
	return errors.Join(a.errs...)
}
