// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"errors"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// What the tests of the invariants rest on must itself be able to fail.
func TestAlwaysFindsWhatIsWrong(t *testing.T) {
	np := func(name string) *networkingv1.NetworkPolicy {
		return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	good, bad := np("good"), np("bad")
	check := func(nps []networkingv1.NetworkPolicy) error {
		if len(nps) == 0 {
			return errors.New("none is left")
		}
		for _, np := range nps {
			if np.Name == "bad" {
				return errors.New("a bad one")
			}
		}
		return nil
	}
	for name, tc := range map[string]struct {
		now       []networkingv1.NetworkPolicy
		events    []watch.Event
		endsEarly bool
		want      string // empty: no fault
	}{
		"nothing is wrong":              {events: []watch.Event{{Type: watch.Added, Object: good}, {Type: watch.Modified, Object: good}}},
		"before the first object":       {events: []watch.Event{{Type: watch.Added, Object: good}}},
		"nothing happens":               {now: []networkingv1.NetworkPolicy{*good}, want: "nothing was tried"},
		"bad from the start":            {now: []networkingv1.NetworkPolicy{*bad}, events: []watch.Event{{Type: watch.Deleted, Object: bad}, {Type: watch.Added, Object: good}}, want: "a bad one"},
		"bad for a moment":              {now: []networkingv1.NetworkPolicy{*good}, events: []watch.Event{{Type: watch.Added, Object: bad}, {Type: watch.Deleted, Object: bad}}, want: "a bad one"},
		"the last object goes":          {now: []networkingv1.NetworkPolicy{*good}, events: []watch.Event{{Type: watch.Deleted, Object: good}}, want: "none is left"},
		"the API server gives an error": {now: []networkingv1.NetworkPolicy{*good}, events: []watch.Event{{Type: watch.Error, Object: &metav1.Status{Message: "too old resource version"}}}, want: "too old resource version"},
		"the watch ends":                {now: []networkingv1.NetworkPolicy{*good}, events: []watch.Event{{Type: watch.Modified, Object: good}}, endsEarly: true, want: "ended before"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAlways(check, tc.now)
			events := make(chan watch.Event, 1)
			for _, e := range tc.events {
				a.take(e)
			}
			if !tc.endsEarly {
				a.stop()
			}
			events <- watch.Event{Type: watch.Error, Object: &metav1.Status{Message: "the end of the connection"}}
			close(events)
			a.follow(events)
			err := a.verdict()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("verdict %v, want %q", err, tc.want)
			}
		})
	}
}

func TestAlwaysIsNotOverBeforeTheWatchIs(t *testing.T) {
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "web-fqdn", ResourceVersion: "1"}}
	a := newAlways(func([]networkingv1.NetworkPolicy) error { return nil }, []networkingv1.NetworkPolicy{*np})
	there := map[string]string{versionKey(np): "2"}
	if err := a.reached(there); err == nil {
		t.Error("a version that the watch did not bring is taken for seen")
	}
	np.ResourceVersion = "2"
	a.take(watch.Event{Type: watch.Modified, Object: np})
	if err := a.reached(there); err != nil {
		t.Error(err)
	}
}
