// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package dnstest

import (
	"encoding/binary"
	"math/rand/v2"
	"net"

	"github.com/miekg/dns"
)

// Rotation picks the records of one answer from a pool. It is called by one goroutine at a time.
type Rotation func(pool []dns.RR) []dns.RR

// RoundRobin gives k records, each time starting where the last answer ended.
func RoundRobin(k int) func() Rotation {
	return func() Rotation {
		next := 0
		return func(pool []dns.RR) []dns.RR {
			picked := make([]dns.RR, min(k, len(pool)))
			for i := range picked {
				picked[i] = pool[(next+i)%len(pool)]
			}
			next = (next + len(picked)) % len(pool)
			return picked
		}
	}
}

// Random gives k records that the seed's random sequence picks.
func Random(k int, seed uint64) func() Rotation {
	return func() Rotation {
		r := rand.New(rand.NewPCG(seed, seed))
		return func(pool []dns.RR) []dns.RR {
			picked := make([]dns.RR, min(k, len(pool)))
			for i, from := range r.Perm(len(pool))[:len(picked)] {
				picked[i] = pool[from]
			}
			return picked
		}
	}
}

// EverNew gives k records of which no two ever have the same address: the pool's first record, with the last four bytes of its
// address counted up.
func EverNew(k int) func() Rotation {
	return func() Rotation {
		next := uint32(0)
		return func(pool []dns.RR) []dns.RR {
			picked := make([]dns.RR, k)
			for i := range picked {
				picked[i] = dns.Copy(pool[0])
				var addr net.IP
				switch rr := picked[i].(type) {
				case *dns.A:
					addr = rr.A
				case *dns.AAAA:
					addr = rr.AAAA
				}
				last := addr[len(addr)-4:]
				binary.BigEndian.PutUint32(last, binary.BigEndian.Uint32(last)+next)
				next++
			}
			return picked
		}
	}
}
