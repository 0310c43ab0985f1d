// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsmsg"
)

// TestMemory measures what the Resolver keeps of names and questions, beside the Book: once each question was answered, the next
// ones are due in minutes.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it asks 100,000 questions")
	}
	const names = 10_000
	plain := reply{ttl: 3600}
	alias := reply{text: "%s. 3600 IN CNAME a.cdn.example.net.\na.cdn.example.net. 3600 IN CNAME b.cdn.example.net.\nb.cdn.example.net. 3600 IN %s"}
	one, three := keptBytes(t, names, plain, 1), keptBytes(t, names, plain, 3)
	for _, tt := range []struct {
		name        string
		each, limit int // bytes
	}{
		{"a name with two questions", one / names, 300},
		{"one further question", (three - one) / (4 * names), 115},
		{"an alias of a name with two questions", (keptBytes(t, names, alias, 1) - one) / names, 70},
	} {
		t.Logf("%s takes %d bytes", tt.name, tt.each)
		if tt.each > tt.limit {
			t.Errorf("%s takes %d bytes, want at most %d", tt.name, tt.each, tt.limit)
		}
	}
}

// keptBytes is what a Resolver keeps that asks so many names in both families, at so many upstreams that give one answer.
func keptBytes(t *testing.T, count int, said reply, upstreams int) int {
	w := &world{t: t, book: newBook()}
	net := instant{messages: map[dnsmsg.Question]*dnsmsg.Message{}}
	names := numbered("n%d.example.com", count)
	for _, s := range names {
		for _, address := range []string{"A 192.0.2.1", "AAAA 2001:db8::1"} {
			qtype, _, _ := strings.Cut(address, " ")
			q := questionFor(t, s+" "+qtype)
			said := said
			if said.text != "" {
				said.text = fmt.Sprintf(said.text, s, address)
			}
			net.messages[q] = (*dnsmsg.Message)(w.message(q, said))
		}
	}
	w.list(names)
	w.book.SetFamilies([]addressbook.Family{addressbook.IPv4, addressbook.IPv6}, time.Now())
	recorded := make(chan struct{}, 2*count*upstreams)
	var us []dnsclient.Upstream
	for _, s := range numbered("192.0.2.%d:53", upstreams+1)[1:] {
		us = append(us, mustUpstream(t, s))
	}
	before := heapBytes()
	r, err := New(&silentBook{Book: w.book, recorded: recorded}, Static(us...), Options{MaxQPS: 1 << 30, Workers: 64, Exchanger: net})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- r.Start(ctx) }()
	for range cap(recorded) {
		<-recorded
	}
	kept := int(heapBytes()) - int(before)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return kept
}
