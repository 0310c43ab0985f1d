// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// ttl of every answer: short, so that the tour need not wait long.
const ttl = 3 * time.Second

// The name that moves in the tour, and where to.
const (
	movingName    = "www.example.com"
	oldAddress    = "192.0.2.10"
	newAddress    = "192.0.2.20"
	secondAddress = "192.0.2.21"
)

// answers are what the names of config/samples resolve to: addresses that are set aside for documentation (RFC 5737,
// RFC 3849) and, for the peered network, a private one.
func answers() map[string][]string {
	return map[string][]string{
		movingName:            {oldAddress},
		"cdn.example.org":     {"198.51.100.1", "198.51.100.2", "198.51.100.3", "2001:db8::1"},
		"smtp.example.com":    {"203.0.113.25"},
		"billing.example.org": {"10.20.3.4"},
	}
}

// setAnswers makes the server give all addresses of a name in every answer, in rotation, as most servers do.
func setAnswers(dns *dnstest.Server) {
	for name, addresses := range answers() {
		dns.Pool(name, dnstest.TTL(ttl), dnstest.RoundRobin(len(addresses)), addresses...)
	}
}
