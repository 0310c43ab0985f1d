// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package addressbook

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
)

// v4 returns n addresses from 10.0.0.0 + first on.
func v4(first, n int) []netip.Addr {
	addrs := make([]netip.Addr, n)
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{10, 0, byte((first + i) >> 8), byte(first + i)})
	}
	return addrs
}

// benchBook returns a book with one name that so many owners want, of so many addresses.
func benchBook(owners, addresses int) (*Book, Key) {
	b := New(Options{})
	b.OnChange(func(Owner, Urgency) {})
	for i := range owners {
		b.Want(Owner{"K", fmt.Sprint("ns", i), "p"}, Wants{Patterns: []fqdn.Pattern{pattern("www.example.com")}}, start)
	}
	k := Key{Name: host("www.example.com"), Source: upstream}
	b.Record(k, Answer{Addrs: v4(0, addresses), TTL: time.Minute}, start)
	b.Record(Key{Name: k.Name, Family: IPv6, Source: upstream}, Answer{Outcome: NoData, TTL: time.Minute}, start)
	return b, k
}

// BenchmarkRecord shows that the repeat of an answer allocates nothing, whatever its size.
func BenchmarkRecord(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("repeat/%d", n), func(b *testing.B) {
			book, k := benchBook(1, n)
			a := Answer{Addrs: v4(0, n), TTL: time.Minute}
			b.ReportAllocs()
			for b.Loop() {
				book.Record(k, a, start)
			}
		})
		b.Run(fmt.Sprintf("rotate/%d", n), func(b *testing.B) {
			book, k := benchBook(1, n)
			answers := [2]Answer{{Addrs: v4(0, n), TTL: time.Minute}, {Addrs: v4((n+1)/2, n), TTL: time.Minute}}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				book.Record(k, answers[i%2], start)
			}
		})
	}
	b.Run("known/1000", func(b *testing.B) { // 500 of 1,000 that are all kept
		book, k := benchBook(1, 1000)
		answers := [2]Answer{{Addrs: v4(0, 500), TTL: time.Minute}, {Addrs: v4(500, 500), TTL: time.Minute}}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			book.Record(k, answers[i%2], start)
		}
	})
	b.Run("rotate/4/5000owners", func(b *testing.B) {
		book, k := benchBook(5000, 4)
		answers := [2]Answer{{Addrs: v4(0, 4), TTL: time.Minute}, {Addrs: v4(2, 4), TTL: time.Minute}}
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			book.Record(k, answers[i%2], start)
		}
	})
}

// BenchmarkRecordTerms is of a name that 5,000 policies list, each with a retention of its own.
func BenchmarkRecordTerms(b *testing.B) {
	book, k := benchBook(1, 4)
	for i := range 5000 {
		retention := time.Hour + time.Duration(i)*time.Second
		book.Want(Owner{"K", fmt.Sprint("ns", i), "p"}, Wants{Patterns: []fqdn.Pattern{pattern("www.example.com")}, Retention: &retention}, start)
	}
	answers := [2]Answer{{Addrs: v4(0, 4), TTL: time.Minute}, {Addrs: v4(2, 4), TTL: time.Minute}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		book.Record(k, answers[i%2], start)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			book, _ := benchBook(1, n)
			o := Owner{"K", "ns0", "p"}
			b.ReportAllocs()
			for b.Loop() {
				book.Snapshot(o, start)
			}
		})
	}
	b.Run("500names", func(b *testing.B) {
		book := New(Options{})
		o := Owner{"K", "ns0", "p"}
		ps, names := manyNames(500)
		book.Want(o, Wants{Patterns: ps}, start)
		fillBook(book, names)
		b.ReportAllocs()
		for b.Loop() {
			book.Snapshot(o, start)
		}
	})
}

// BenchmarkWant is the Want of each reconcile, which changes nothing.
func BenchmarkWant(b *testing.B) {
	book := New(Options{})
	ps, _ := manyNames(500)
	o := Owner{"K", "ns0", "p"}
	book.Want(o, Wants{Patterns: ps}, start)
	b.ReportAllocs()
	for b.Loop() {
		book.Want(o, Wants{Patterns: ps}, start)
	}
}

func BenchmarkWanted(b *testing.B) {
	book := New(Options{})
	ps, _ := manyNames(10_000)
	book.Want(Owner{"K", "ns0", "p"}, Wants{Patterns: ps}, start)
	f := book.newFollower()
	odd := []fqdn.Pattern{pattern("odd.example.net")}
	b.ReportAllocs()
	for b.Loop() {
		book.Want(Owner{"K", "ns1", "p"}, Wants{Patterns: odd}, start)
		f.follow()
		book.Forget(Owner{"K", "ns1", "p"})
	}
}

// BenchmarkMemoryPerName reports what a name with two addresses in each family costs, with its share of the owners.
func BenchmarkMemoryPerName(b *testing.B) {
	const count, perOwner = 10_000, 5
	var bytes float64
	for b.Loop() {
		ps, names := manyNames(count)
		before := heap()
		book := New(Options{})
		for i := 0; i < count; i += perOwner {
			book.Want(Owner{"FQDNEgressPolicy", fmt.Sprint("ns", i), "web"}, Wants{Patterns: ps[i : i+perOwner]}, start)
		}
		fillBook(book, names)
		bytes = float64(heap()-before) / count
		runtime.KeepAlive(book)
		runtime.KeepAlive(names)
	}
	b.ReportMetric(bytes, "bytes/name")
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func manyNames(n int) (ps []fqdn.Pattern, names []fqdn.Name) {
	for i := range n {
		p := pattern(fmt.Sprintf("host-%d.example.com", i))
		name, _ := p.Exact()
		ps, names = append(ps, p), append(names, name)
	}
	return ps, names
}

// fillBook answers each name with two addresses in each family.
func fillBook(b *Book, names []fqdn.Name) {
	for i, n := range names {
		v6 := [2]netip.Addr{}
		for j := range v6 {
			v6[j] = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i), 15: byte(j)})
		}
		b.Record(Key{Name: n, Source: upstream}, Answer{Addrs: v4(i, 2), TTL: time.Minute}, start)
		b.Record(Key{Name: n, Family: IPv6, Source: upstream}, Answer{Addrs: v6[:], TTL: time.Minute}, start)
	}
}
