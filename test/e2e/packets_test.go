// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"sync"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Addresses of the internet that no policy of a test allows: nobodys never, beacon by caughtUp alone.
const (
	nobodys = "198.51.100.254"
	beacon  = "198.51.100.253"
)

// wantAllowed is about now.
func (s *scene) wantAllowed(p pod, urls ...string) {
	s.t.Helper()
	s.each(urls, p.allowed)
}

// wantBlocked: the pod does not reach them now, nor during the next seconds. The plugin must know the pod: see pod and
// eventuallyBlocked.
func (s *scene) wantBlocked(p pod, urls ...string) {
	s.t.Helper()
	s.each(urls, p.staysBlocked)
}

// eventuallyBlocked waits until the plugin has blocked each of them once, and wants that to last.
func (s *scene) eventuallyBlocked(p pod, urls ...string) {
	s.t.Helper()
	s.eachEventually(urls, p.blocked)
	s.wantBlocked(p, urls...)
}

// wantNotReached is wantBlocked for addresses in the scene that no other pod reaches either, so that none can show that they
// work.
func (s *scene) wantNotReached(p pod, urls ...string) {
	s.t.Helper()
	s.each(urls, p.staysNotReached)
}

// eventuallyNotReached is eventuallyBlocked for such addresses.
func (s *scene) eventuallyNotReached(p pod, urls ...string) {
	s.t.Helper()
	s.eachEventually(urls, p.notReached)
	s.wantNotReached(p, urls...)
}

func (s *scene) eventuallyAllowed(p pod, url string) {
	s.t.Helper()
	s.eventually(func(ctx context.Context) error { return p.allowed(ctx, url) })
}

// caughtUp waits until the plugin has enforced for the pod what the API server had when it was called, in so far as it works
// in order: an address that is allowed after that is reached. It is for what a plugin may still have to do though the
// packets look right already, such as a rule that was there for a moment.
func (s *scene) caughtUp(p pod) {
	s.t.Helper()
	allow := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "beacon"},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": p.name}},
			PolicyTypes: []networkingv1.PolicyType{"Egress"},
			Egress:      []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{block(beacon + "/32")}}},
		},
	}
	s.create(allow)
	s.eventuallyAllowed(p, url(beacon, 80))
	s.remove(allow.Name, allow)
	s.eachEventually([]string{url(beacon, 80)}, p.blocked)
}

// each checks all at once, as most of a check is waiting.
func (s *scene) each(urls []string, check func(ctx context.Context, url string) error) {
	s.t.Helper()
	for _, err := range inParallel(urls, func(url string) error { return check(s.t.Context(), url) }) {
		s.t.Error(err)
	}
}

func (s *scene) eachEventually(urls []string, check func(ctx context.Context, url string) error) {
	s.t.Helper()
	errs := inParallel(urls, func(url string) error {
		return s.until(s.t.Context(), func(ctx context.Context) error { return check(ctx, url) })
	})
	for _, err := range errs {
		s.t.Error(err)
	}
	if len(errs) > 0 {
		s.t.FailNow()
	}
}

func inParallel(urls []string, check func(url string) error) (errs []error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, url := range urls {
		wg.Go(func() {
			if err := check(url); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wg.Wait()
	return errs
}

// url of an address, or a name, and a port.
func url(host string, port int) string {
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("http://%s:%d/", host, port)
}
