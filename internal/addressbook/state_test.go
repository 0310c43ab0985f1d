// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestState(t *testing.T) {
	for _, c := range []struct {
		name    string
		words   func(*world)
		state   State
		message string
	}{
		{"NXDOMAIN", func(w *world) {
			w.absent(upstream, IPv4, NXDomain)
			w.absent(upstream, IPv6, NXDomain)
		}, NotFound, "NXDOMAIN from 10.96.0.10:53"},
		{"NXDOMAIN with retained addresses", func(w *world) {
			w.answer(upstream, 0, "192.0.2.1", "192.0.2.2")
			w.absent(upstream, IPv4, NXDomain)
			w.absent(upstream, IPv6, NXDomain)
		}, NotFound, "NXDOMAIN from 10.96.0.10:53, keeping 2 addresses"},
		{"NXDOMAIN here, NODATA there", func(w *world) {
			w.absent(upstream, IPv4, NXDomain)
			w.absent(upstream, IPv6, NXDomain)
			w.absent(second, IPv4, NoData)
		}, NotFound, "NXDOMAIN from 10.96.0.10:53; no A records (NODATA) from 10.96.0.11:53"},
		{"NXDOMAIN here, failing there", func(w *world) {
			w.absent(upstream, IPv4, NXDomain)
			w.absent(upstream, IPv6, NXDomain)
			w.fails(second, IPv4, "REFUSED")
			w.pass(time.Minute)
		}, NotFound, "NXDOMAIN from 10.96.0.10:53; REFUSED from 10.96.0.11:53 while others answer"},
		{"a good answer without addresses", func(w *world) {
			w.Record(Key{Name: host(www), Source: upstream}, Answer{}, w.now)
			w.absent(upstream, IPv6, NoData)
		}, NotFound, "no A or AAAA records (NODATA) from 10.96.0.10:53" + otherHosts},
		{"both families fail in one way", func(w *world) {
			w.fails(upstream, IPv4, "SERVFAIL")
			w.fails(upstream, IPv6, "SERVFAIL")
		}, Failing, "SERVFAIL for A and AAAA from 10.96.0.10:53"},
		{"a failure without a reason", func(w *world) {
			w.fails(upstream, IPv4, "")
			w.fails(upstream, IPv6, "")
		}, Failing, "failure for A and AAAA from 10.96.0.10:53"},
		{"one upstream of two answers", func(w *world) {
			w.answer(upstream, 0, "192.0.2.1")
			w.absent(upstream, IPv6, NoData)
			w.fails(second, IPv4, "timeout")
			w.pass(time.Minute)
		}, Resolved, "timeout from 10.96.0.11:53 while others answer"},
		{"no upstream of two answers", func(w *world) {
			w.answer(upstream, 0, "192.0.2.1", "192.0.2.2")
			w.absent(upstream, IPv6, NoData)
			w.fails(upstream, IPv4, "SERVFAIL")
			w.fails(second, IPv4, "timeout")
		}, Stale, "SERVFAIL for A from 10.96.0.10:53; timeout for A from 10.96.0.11:53, keeping 2 addresses"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			c.words(w)
			w.expectState(c.state, c.message)
		})
	}
}

func TestState_OfAWildcard(t *testing.T) {
	w := newWorld(t, Options{})
	w.wants(web, nil, "*.example.com", www)
	w.expectState(Pending, "nothing observes names yet, so this pattern adds no address")
	if names := w.newFollower().wanted(); fmt.Sprint(names) != "["+www+"]" {
		t.Errorf("wanted %v", names)
	}
}

func TestMessages_AreStable(t *testing.T) {
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.fails(second, IPv4, "timeout")
	w.fails(second, IPv6, "timeout")
	w.pass(time.Minute)
	before := w.entry().Message
	for range 3 {
		w.pass(time.Minute)
		w.fails(second, IPv6, "timeout")
		w.fails(second, IPv4, "timeout")
		w.answer(upstream, time.Minute, "192.0.2.1")
	}
	if got := w.entry().Message; got != before || !strings.Contains(got, "timeout") {
		t.Errorf("message %q, was %q", got, before)
	}
}

// TestState_SaysWhatToWriteInstead: no hint where nothing is known to be better than the name.
func TestState_SaysWhatToWriteInstead(t *testing.T) {
	const said, none = "NXDOMAIN from 10.96.0.10:53", "no A or AAAA records (NODATA) from 10.96.0.10:53"
	for _, c := range []struct {
		name, title string
		words       func(*world)
		message     string
	}{
		{"cluster0.example.net", "SRV alone", absentIn(NoData, NoData), none + otherHosts},
		{"payments.billing", "a Service with its namespace", absentIn(NXDomain, NXDomain), said + shortService},
		{"payments.billing.svc", "a Service up to svc", absentIn(NXDomain, NXDomain), said + shortService},
		{"payments.billing.svc.cluster.local", "a whole Service", absentIn(NXDomain, NXDomain), said + wholeService},
		{"db-0.db.billing.svc.cluster.local", "a pod of a headless Service", absentIn(NXDomain, NXDomain), said + wholeService},
		{"www.example.com", "a host", absentIn(NXDomain, NXDomain), said},
		{"svc.example.com", "a host called svc", absentIn(NXDomain, NXDomain), said},
		{"example.com", "a domain that exists in one family's answer", absentIn(NXDomain, NoData),
			said},
		{"example.com", "a domain of which one server says nothing", func(w *world) {
			absentIn(NXDomain, NXDomain)(w)
			w.fails(second, IPv4, "timeout")
			w.pass(time.Minute)
		}, said + "; timeout from 10.96.0.11:53 while others answer"},
	} {
		t.Run(c.title, func(t *testing.T) {
			before := www
			www = c.name
			defer func() { www = before }()
			w := newWorld(t, Options{})
			c.words(w)
			w.expectState(NotFound, c.message)
		})
	}
}

func absentIn(a, aaaa Outcome) func(*world) {
	return func(w *world) {
		w.absent(upstream, IPv4, a)
		w.absent(upstream, IPv6, aaaa)
	}
}

// TestState_ADomainThatAnswersGetsNoHint: example.com looks like a Service, and is none.
func TestState_ADomainThatAnswersGetsNoHint(t *testing.T) {
	before := www
	www = "example.com"
	defer func() { www = before }()
	w := newWorld(t, Options{})
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.absent(upstream, IPv6, NXDomain)
	w.expectState(Resolved, "")
}
