// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package fqdn

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// listed is something of a pattern.
type listed struct{ p Pattern }

func (l listed) Pattern() Pattern { return l.p }

func (l listed) String() string { return l.p.String() }

func indexed(t testing.TB, patterns ...string) *Index[listed] {
	t.Helper()
	x := NewIndex[listed]()
	for _, s := range patterns {
		p, err := ParsePattern(s)
		if err != nil {
			t.Fatal(err)
		}
		x.Add(listed{p})
	}
	return x
}

func TestIndex_Matching(t *testing.T) {
	x := indexed(t, "example.com", "*.example.com", "*.a.example.com", "b.a.example.com", "*.com.au", "example.com")
	for name, want := range map[string]string{
		"example.com":       "[example.com]",
		"www.example.com":   "[*.example.com]",
		"a.example.com":     "[*.example.com]",
		"b.a.example.com":   "[*.example.com *.a.example.com b.a.example.com]",
		"c.b.a.example.com": "[*.example.com *.a.example.com]",
		"notexample.com":    "[]",
		"com.au":            "[]",
		"shop.com.au":       "[*.com.au]",
		"example.org":       "[]",
	} {
		n, err := ParseName(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(x.Matching(n)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if got := x.Matches(n); got != (want != "[]") {
			t.Errorf("%s: matches %t", name, got)
		}
	}
	if x.Matches(Name{}) {
		t.Error("the zero Name matches")
	}
	x.Add(listed{})
	x.Remove(Pattern{})
	if x.Matches(Name{}) {
		t.Error("the zero Name matches the zero Pattern")
	}
}

// Every bucket is shared by several.
func TestIndex_OfMany(t *testing.T) {
	x := NewIndex[listed]()
	each := func(do func(Pattern, Name)) {
		for i := range 20_000 {
			p, _ := ParsePattern(fmt.Sprintf("host-%d.example.com", i))
			n, _ := p.Exact()
			do(p, n)
		}
	}
	each(func(p Pattern, _ Name) { x.Add(listed{p}) })
	each(func(_ Pattern, n Name) {
		if !x.Matches(n) {
			t.Fatalf("%s is lost", n)
		}
	})
	each(func(p Pattern, n Name) {
		if x.Remove(p); x.Matches(n) {
			t.Fatalf("%s stays", n)
		}
	})
}

// someLabels make few names, so that the draws meet.
func someLabels() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"a", "b", "co", "example"})
}

func drawName(t *rapid.T, what string) string {
	return strings.Join(rapid.SliceOfN(someLabels(), 2, 5).Draw(t, what), ".")
}

// TestIndexAgainstNaive compares the index with a list that is walked.
func TestIndexAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, naive := NewIndex[listed](), []Pattern{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				p, err := ParsePattern(rapid.SampledFrom([]string{"", "*."}).Draw(t, "wildcard") + drawName(t, "pattern"))
				if err != nil {
					t.Fatal(err)
				}
				x.Add(listed{p})
				if !slices.Contains(naive, p) {
					naive = append(naive, p)
				}
			},
			"remove": func(t *rapid.T) {
				if len(naive) == 0 {
					return
				}
				p := rapid.SampledFrom(naive).Draw(t, "gone")
				x.Remove(p)
				naive = slices.DeleteFunc(naive, func(q Pattern) bool { return p == q })
			},
			"": func(t *rapid.T) {
				n, err := ParseName(drawName(t, "name"))
				if err != nil {
					t.Fatal(err)
				}
				var want []listed
				for _, p := range naive {
					if p.Matches(n) {
						want = append(want, listed{p})
					}
				}
				slices.SortFunc(want, func(l, m listed) int {
					return len(strings.TrimPrefix(l.p.s, wildcard)) - len(strings.TrimPrefix(m.p.s, wildcard))
				})
				if got, there := x.Get(n.Pattern()), slices.Contains(naive, n.Pattern()); there != (got.p == n.Pattern()) || !there && got != (listed{}) {
					t.Fatalf("%s: got %v", n, got)
				}
				all := map[Pattern]int{}
				x.Each(func(l listed) { all[l.p]++ })
				for _, p := range naive {
					if all[p] != 1 || x.Get(p).p != p {
						t.Fatalf("%s is there %d times", p, all[p])
					}
				}
				if len(all) != len(naive) {
					t.Fatalf("there is %v, want %v", all, naive)
				}
				if got := x.Matching(n); !slices.Equal(got, want) || x.Matches(n) != (len(want) > 0) {
					t.Fatalf("%s: %v, want %v", n, got, want)
				}
			},
		})
	})
}

// FuzzIndex: whatever the names are, the index agrees with Pattern.Matches.
func FuzzIndex(f *testing.F) {
	f.Add("*.example.com", "www.example.com")
	f.Add("www.example.com", "WWW.EXAMPLE.COM.")
	f.Add("*.e.com", "e.com")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		p, err := ParsePattern(pattern)
		if err != nil {
			return
		}
		n, err := ParseName(name)
		if err != nil {
			return
		}
		x := NewIndex[listed]()
		x.Add(listed{p})
		if got := x.Matches(n); got != p.Matches(n) {
			t.Errorf("%s of %s: %t", p, n, got)
		}
		x.Remove(p)
		if x.Matches(n) {
			t.Errorf("%s of %s: still there", p, n)
		}
	})
}

// For the race detector; and a pattern that stays is found whatever else comes and goes.
func TestIndex_ConcurrentUse(t *testing.T) {
	x := indexed(t, "stays.example.com")
	stays, _ := ParseName("stays.example.com")
	var wg sync.WaitGroup
	for g := range 2 {
		wg.Go(func() {
			for i := range 2000 {
				p, _ := ParsePattern(fmt.Sprintf("*.x%d-%d.example.com", g, i%50))
				x.Add(listed{p})
				x.Remove(p)
			}
		})
		wg.Go(func() {
			for range 2000 {
				if !x.Matches(stays) || x.Get(stays.Pattern()) == (listed{}) {
					t.Error("it is gone")
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkIndex has 50,000 patterns, a tenth of them wildcards.
// numbered is one of several under a pattern, one after the other.
type numbered struct {
	p      Pattern
	number int
}

func (n *numbered) Pattern() Pattern { return n.p }

// A name goes and comes back as another one while others read. A reader gets one that was there at some time of its call, or none.
func TestIndex_GetOfANameThatComesBack(t *testing.T) {
	x := NewIndex[*numbered]()
	p, err := ParsePattern("www.example.com")
	if err != nil {
		t.Fatal(err)
	}
	var added, removed atomic.Int64
	var readers sync.WaitGroup
	over := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				gone := removed.Load()
				if n := x.Get(p); n != nil && (int64(n.number) <= gone || int64(n.number) > added.Load()) {
					t.Errorf("got number %d when %d were gone and %d had come", n.number, gone, added.Load())
					return
				}
			}
		})
	}
	for i := range 10_000 {
		added.Add(1)
		x.Add(&numbered{p, i + 1})
		if n := x.Get(p); n == nil || n.number != i+1 {
			t.Errorf("after number %d was added: %v", i+1, n)
		}
		x.Remove(p)
		removed.Add(1)
		if n := x.Get(p); n != nil {
			t.Errorf("number %d is there after it was removed", n.number)
		}
	}
	close(over)
	readers.Wait()
	x.Each(func(n *numbered) { t.Errorf("number %d is left", n.number) })
}

func BenchmarkIndex(b *testing.B) {
	x := NewIndex[listed]()
	names := make([]Name, 1024)
	for i := range 50_000 {
		form := "host-%d.shop-%d.example.com"
		if i%10 == 0 {
			form = "*.zone-%d.shop-%d.example.net"
		}
		p, err := ParsePattern(fmt.Sprintf(form, i, i%100))
		if err != nil {
			b.Fatal(err)
		}
		x.Add(listed{p})
	}
	for kind, form := range map[string]string{"miss": "pod-%d.region-%d.elb.amazonaws.com", "near": "www.host-%d.shop-%d.example.com",
		"exact": "host-%d.shop-%d.example.com", "wildcard": "www.zone-%d.shop-%d.example.net"} {
		for i := range names {
			n, err := ParseName(fmt.Sprintf(form, i*10, i*10%100))
			if err != nil {
				b.Fatal(err)
			}
			names[i] = n
		}
		b.Run(kind, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				x.Matches(names[i%len(names)])
			}
		})
	}
	b.Run("change", func(b *testing.B) {
		p, _ := ParsePattern("*.new.example.org")
		b.ReportAllocs()
		for b.Loop() {
			x.Add(listed{p})
			x.Remove(p)
		}
	})
	b.Run("get", func(b *testing.B) {
		p, _ := ParsePattern("host-777.shop-77.example.com")
		b.ReportAllocs()
		for b.Loop() {
			x.Get(p)
		}
	})
}
