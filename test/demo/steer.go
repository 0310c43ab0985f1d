// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/internal/fqdn"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

const steerHelp = `Change DNS by typing here:
   set NAME ADDRESS...   give a name these addresses
   unset NAME            make it NXDOMAIN
   servfail [NAME]       answer with SERVFAIL; without a name, for all names
   drop [NAME]           answer nothing
   heal                  answer everything again
   quit                  end, as Ctrl-C does`

// errQuit ends the reading of commands.
var errQuit = errors.New("quit")

// steering changes the answers of the DNS server as a person says.
type steering struct {
	dns    *dnstest.Server
	broken map[string]bool // "" for all names
}

// do does what one line says. Its error is for the person who typed it.
func (s steering) do(words []string) error {
	if len(words) == 0 {
		return nil
	}
	command, args := words[0], words[1:]
	name := ""
	if len(args) > 0 {
		n, err := fqdn.ParseName(args[0])
		if err != nil {
			return fmt.Errorf("%q is no name: %w", args[0], err)
		}
		name, args = n.String(), args[1:]
	}
	switch command {
	case "set":
		return s.set(name, args)
	case "unset":
		s.dns.Remove(name)
	case "servfail":
		s.fail(name, dnstest.Rcode(dns.RcodeServerFailure))
	case "drop":
		s.fail(name, dnstest.Drop())
	case "heal":
		for broken := range s.broken {
			s.dns.Heal(broken)
		}
	case "quit":
		return errQuit
	default:
		return fmt.Errorf("no such command: %q\n%s", command, steerHelp)
	}
	return nil
}

func (s steering) set(name string, addresses []string) error {
	if len(addresses) == 0 {
		return errors.New("write a name and its addresses: set " + movingName + " " + newAddress)
	}
	for _, a := range addresses {
		if _, err := netip.ParseAddr(a); err != nil {
			return fmt.Errorf("%q is no address: %w", a, err)
		}
	}
	s.dns.Set(name, dnstest.TTL(ttl), addresses...)
	return nil
}

func (s steering) fail(name string, fault dnstest.Fault) {
	s.dns.Break(name, fault)
	s.broken[name] = true
}
