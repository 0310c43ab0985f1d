// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"testing"
	"time"
)

func TestRetire(t *testing.T) {
	t.Run("without a successor MaxStale bounds", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, time.Minute, "192.0.2.1")
		w.absent(upstream, IPv6, NoData)
		w.Retire("", upstream, w.now)
		w.expect("192.0.2.1 current 24h1m0s")
		w.expectState(Resolved, "")
	})
	t.Run("the successor's answer starts retention", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, time.Second, "192.0.2.1")
		w.answer(second, time.Second, "192.0.2.2") // before: does not count
		w.Retire("", upstream, w.now)
		w.expect("192.0.2.1 current 24h0m1s", "192.0.2.2")
		w.pass(10 * time.Second)
		w.absent(second, IPv6, NoData)   // another question: does not count
		w.fails(second, IPv4, "timeout") // no good answer
		w.expect("192.0.2.1 current 23h59m51s", "192.0.2.2 current 23h59m51s")
		w.answer(second, time.Second, "192.0.2.2")
		w.expect("192.0.2.1 5m0s", "192.0.2.2")
	})
	t.Run("retention starts at the expiry if that is later", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, time.Hour, "192.0.2.1")
		w.Retire("", upstream, w.now)
		w.answer(second, time.Second, "192.0.2.2")
		w.expect("192.0.2.1 1h5m0s", "192.0.2.2")
	})
	t.Run("a repeat by the successor counts too", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, 0, "192.0.2.1")
		w.answer(second, 0, "192.0.2.2")
		w.Retire("", upstream, w.now)
		w.notified = nil
		w.answer(second, 0, "192.0.2.2")
		w.expectNotified(web)
		w.expect("192.0.2.1 5m0s", "192.0.2.2")
	})
	t.Run("an answer brings the source back", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, 0, "192.0.2.1")
		w.Retire("", upstream, w.now)
		w.answer(upstream, 0, "192.0.2.1")
		w.expect("192.0.2.1")
	})
	t.Run("an address of both sources stays, and wakes nobody", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answer(upstream, 0, "192.0.2.1")
		w.answer(second, 0, "192.0.2.1")
		w.notified = nil
		w.Retire("", upstream, w.now)
		w.expectNotified()
		w.expect("192.0.2.1")
	})
	t.Run("of a source that nobody knows", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.Retire("", "nobody", w.now)
		w.expectNotified()
	})
	t.Run("wakes an owner of several names once", func(t *testing.T) {
		w := newWorld(t, Options{})
		w.wants(web, nil, www, "other.example.com")
		w.answer(upstream, 0, "192.0.2.1")
		w.Record(Key{Name: host("other.example.com"), Source: upstream}, Answer{Addrs: v4(1, 1)}, w.now)
		w.notified = nil
		w.Retire("", upstream, w.now)
		w.expectNotified(web)
	})
}

func TestRetire_OfAllSourcesKeepsTheState(t *testing.T) {
	for _, c := range []struct {
		name  string
		words func(*world)
	}{
		{"resolved", func(w *world) {
			w.answer(upstream, 0, "192.0.2.1")
			w.answer(second, 0, "192.0.2.1")
			w.absent(upstream, IPv6, NoData)
		}},
		{"not found", func(w *world) {
			w.absent(second, IPv4, NXDomain)
			w.absent(second, IPv6, NXDomain)
		}},
		{"failing", func(w *world) {
			w.fails(second, IPv4, "timeout")
			w.fails(second, IPv6, "SERVFAIL")
		}},
		{"stale", func(w *world) {
			w.answer(second, 0, "192.0.2.1")
			w.fails(second, IPv4, "timeout")
			w.absent(second, IPv6, NoData)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			c.words(w)
			before := w.entry()
			w.Retire("", upstream, w.now)
			w.pass(time.Second)
			w.Retire("", second, w.now)
			w.expectState(before.State, before.Message)
			if got, want := len(w.entry().Addresses), len(before.Addresses); got != want {
				t.Errorf("%d addresses, want %d", got, want)
			}
		})
	}
}

func TestRetire_TheLastToGoHaveTheSay(t *testing.T) {
	w := newWorld(t, Options{})
	w.absent(upstream, IPv6, NoData)
	w.answer(upstream, time.Minute, "192.0.2.1")
	w.answer(second, time.Minute, "192.0.2.1")
	w.fails("10.96.0.9:53", IPv4, "timeout")
	w.Retire("", second, w.now)
	w.pass(time.Second)
	w.Retire("", upstream, w.now)
	w.pass(time.Second)
	w.Retire("", "10.96.0.9:53", w.now)
	w.expectState(Stale, "timeout for A from 10.96.0.9:53, keeping 1 address")
}
