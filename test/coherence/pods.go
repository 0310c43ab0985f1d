// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/pause"
)

// podsPerShape is how many pods each configuration has.
const podsPerShape = 8

// lookup is what a pod was told.
type lookup struct {
	addrs    []netip.Addr
	at       time.Time // when the answer came
	resolver int
	entry    uint64 // zero: not known
}

// pod looks up through a random cache, in intervals that are exponentially distributed, until the context ends.
type pod struct {
	site     *site
	interval time.Duration
	conns    []*dns.Conn
}

func (p *pod) run(ctx context.Context) error {
	for _, addr := range p.site.upstreams {
		conn, err := net.Dial("udp", addr)
		if err != nil {
			return err
		}
		defer conn.Close()
		p.conns = append(p.conns, &dns.Conn{Conn: conn})
	}
	for pause.For(ctx, time.Duration(rand.ExpFloat64()*float64(p.interval))) == nil {
		found, err := p.ask()
		if err != nil {
			p.site.lookupFailed()
			continue
		}
		p.site.connects.Go(func() { p.site.connect(ctx, found, found.addrs[rand.IntN(len(found.addrs))]) })
	}
	return nil
}

func (p *pod) ask() (lookup, error) {
	q := new(dns.Msg).SetQuestion(dns.Fqdn(p.site.shape.host()), dns.TypeA)
	q.SetEdns0(1232, false)
	q.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: entryOption}}
	l := lookup{resolver: rand.IntN(len(p.conns))}
	client := dns.Client{UDPSize: 1232, Timeout: 2 * time.Second}
	m, _, err := client.ExchangeWithConn(q, p.conns[l.resolver])
	if err != nil {
		return l, err
	}
	l.at, l.addrs = time.Now(), addressesIn(m)
	if len(l.addrs) == 0 {
		return l, errors.New("no addresses")
	}
	if opt := m.IsEdns0(); opt != nil && len(opt.Option) > 0 {
		if number, ok := opt.Option[0].(*dns.EDNS0_LOCAL); ok && len(number.Data) == 8 {
			l.entry = binary.BigEndian.Uint64(number.Data)
		}
	}
	return l, nil
}
