// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"testing"
	"time"
)

// A pool that ends with NODATA, or with another source, is kept for the retention that the rotation needed, from then on:
// not from the last answer that differed, which may be a TTL earlier. And a snapshot says when that is over.
func TestRotation_EndsARetentionAfterTheLastAddress(t *testing.T) {
	const ttl = 2 * time.Minute
	for name, end := range map[string]func(*lake){
		"NODATA": func(l *lake) { l.told(upstream, ttl) },
		"a successor's NODATA": func(l *lake) {
			l.book.Retire("", upstream, l.now)
			l.told(second, ttl)
		},
		"no more of the family": func(l *lake) { l.book.SetFamilies([]Family{IPv6}, l.now) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLake(t, Options{}, nil)
			l.cast(60, ttl, sources[:1], l.drawing(6, 1))
			last := v4(100, 1)
			l.told(sources[0], ttl, last...)
			l.book.Retire("", sources[0], l.now)
			l.told(upstream, ttl, last...)
			retention := l.entry().Retention
			if retention <= 5*time.Minute {
				t.Fatalf("it does not rotate: retention %v", retention)
			}
			l.now = l.now.Add(ttl)
			end(l)
			over := l.now.Add(retention)
			for l.now = l.now.Add(time.Second); l.now.Before(over); l.now = l.now.Add(10 * time.Second) {
				l.book.Fail(Key{Name: host("www.example.com"), Family: IPv6, Source: "other"}, l.now.String(), l.now) // prunes
				e := l.entry()
				if e.Retention != retention || !holdsAddr(e, last[0].String(), over) {
					t.Fatalf("%v before the end: retention %v, want %v; addresses %v", over.Sub(l.now), e.Retention, retention, e.Addresses)
				}
			}
			if next := l.book.Snapshot(angler, over.Add(-1)).Next; !next.Equal(over) {
				t.Errorf("the next change is %v from the end", next.Sub(over))
			}
			l.now = over
			if e := l.entry(); e.Retention != 5*time.Minute || e.Rotation != (Rotation{}) {
				t.Errorf("at the end: retention %v, rotation %+v", e.Retention, e.Rotation)
			}
		})
	}
}

func holdsAddr(e PatternState, addr string, until time.Time) bool {
	for _, a := range e.Addresses {
		if a.Addr.String() == addr {
			return a.Until.Equal(until)
		}
	}
	return false
}
