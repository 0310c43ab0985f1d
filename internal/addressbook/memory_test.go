// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// TestMemory measures what others compute the memory of the process with.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it fills a Book")
	}
	at := func(i int) Owner { return Owner{"FQDNEgressPolicy", fmt.Sprint("namespace-", i), "web"} }
	ps, names := manyNames(5000)
	for _, tt := range []struct {
		name  string
		limit int // bytes
		count int
		fill  func() (before, after *Book)
	}{
		{"an owner", BytesPerOwner, 5000, func() (*Book, *Book) {
			book := New(Options{})
			for i := range 5000 {
				book.Want(at(i), Wants{}, start)
			}
			return New(Options{}), book
		}},
		{"a pattern of an owner", BytesPerWant, 49 * 1000, func() (*Book, *Book) {
			one, fifty := New(Options{}), New(Options{})
			for i := range 1000 {
				one.Want(at(i), Wants{Patterns: ps[:1]}, start)
				fifty.Want(at(i), Wants{Patterns: ps[:50]}, start)
			}
			return one, fifty
		}},
		{"a name", BytesPerName, 5000, func() (*Book, *Book) {
			book := New(Options{})
			book.Want(at(0), Wants{Patterns: ps}, start)
			for _, n := range names {
				for _, s := range sources[:2] {
					book.Record(Key{Name: n, Source: s}, Answer{Addrs: v4(0, 1), TTL: time.Minute}, start)
					book.Record(Key{Name: n, Family: IPv6, Source: s}, Answer{Outcome: NoData, TTL: time.Minute}, start)
				}
			}
			book.Snapshot(at(0), start)
			return New(Options{}), book
		}},
		{"a name in trouble", BytesPerTrouble, 5000, func() (*Book, *Book) {
			calm, book := New(Options{}), New(Options{})
			for _, b := range []*Book{calm, book} {
				b.Want(at(0), Wants{Patterns: ps}, start)
				for _, n := range names {
					for _, s := range sources[:2] {
						for f := range Family(families) {
							k := Key{Name: n, Family: f, Source: s}
							b.Record(k, Answer{Outcome: NoData, TTL: time.Minute}, start)
							if b == book {
								b.Fail(k, "timeout", start)
								b.Record(k, Answer{Outcome: NXDomain, TTL: time.Minute}, start)
							}
						}
					}
				}
			}
			return calm, book
		}},
		{"a name of one policy, one source and two addresses", 550, 5000, func() (*Book, *Book) {
			without, book := New(Options{}), New(Options{})
			for i := range 50 {
				without.Want(at(i), Wants{}, start)
				book.Want(at(i), Wants{Patterns: ps[100*i : 100*i+100]}, start)
			}
			later := start.Add(starting)
			for i, n := range names {
				k := Key{Name: n, Source: sources[0]}
				book.Record(k, Answer{Addrs: v4(i, 1), TTL: time.Minute}, later)
				k.Family = IPv6
				book.Record(k, Answer{Addrs: []netip.Addr{netip.AddrFrom16([16]byte{0x20, 1, 14: byte(i >> 8), 15: byte(i)})}, TTL: time.Minute}, later)
			}
			for i := range 50 {
				book.Applied(at(i), book.Snapshot(at(i), later).Revision)
			}
			return without, book
		}},
		{"an address", BytesPerAddress, 20 * 1000, func() (*Book, *Book) {
			book := New(Options{})
			book.Want(at(0), Wants{Patterns: ps[:20]}, start)
			book.Want(at(1), Wants{Patterns: ps[:20], Retention: new(time.Hour)}, start)
			for round := range 4 {
				for _, n := range names[:20] {
					a := make([]netip.Addr, 500)
					for i := range a {
						a[i] = netip.AddrFrom16([16]byte{0x20, 1, 14: byte((i + round%2*500) >> 8), 15: byte(i + round%2*500)})
					}
					book.Record(Key{Name: n, Family: IPv6, Source: sources[0]}, Answer{Addrs: a, TTL: time.Minute}, start.Add(time.Duration(round)*time.Minute))
				}
			}
			book.Snapshot(at(0), start.Add(4*time.Minute))
			book.Snapshot(at(1), start.Add(4*time.Minute))
			if got := book.Stats(); got.Addresses != 20_000 || got.Captures != 20_000 {
				t.Errorf("stats %+v", got)
			}
			return New(Options{}), book
		}},
	} {
		bytes := bytesOf(tt.fill) / tt.count
		t.Logf("%s takes %d bytes", tt.name, bytes)
		if bytes > tt.limit {
			t.Errorf("%s takes %d bytes, want at most %d", tt.name, bytes, tt.limit)
		}
	}
	runtime.KeepAlive(ps)
	runtime.KeepAlive(names)
}

// bytesOf is by how much the second Book that fill makes is larger than the first.
func bytesOf(fill func() (*Book, *Book)) int {
	empty := int(heap())
	before, after := fill()
	both := int(heap()) - empty
	runtime.KeepAlive(after) // not longer
	less := int(heap()) - empty
	runtime.KeepAlive(before)
	return both - 2*less
}
