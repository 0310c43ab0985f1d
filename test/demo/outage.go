// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// serverFails answers every question with SERVFAIL.
func serverFails(ctx context.Context, w *world) error {
	w.say.step("DNS fails: every answer is SERVFAIL now.")
	return w.outage(ctx, dnstest.Rcode(dns.RcodeServerFailure), "SERVFAIL")
}

// blackHole answers nothing.
func blackHole(ctx context.Context, w *world) error {
	w.say.step("It gets worse: no answer at all.")
	return w.outage(ctx, dnstest.Drop(), "timeout")
}

// outage breaks all of DNS and waits until every name of the policy says so.
func (w *world) outage(ctx context.Context, fault dnstest.Fault, words string) error {
	before, err := w.networkPolicyYAML(ctx)
	if err != nil {
		return err
	}
	due := time.Now().Add(ttl + retention) // the last good answer, if it came just now, counts no longer than that
	w.dns.Break("", fault)
	_, err = await(ctx, "every name to be Stale because of "+words, patience, w.names(v1alpha1.FQDNStale, words))
	if err != nil {
		return err
	}
	if err := w.show(ctx, states, "-n", namespace, "describe", "fep", policyName); err != nil {
		return err
	}
	after, err := w.networkPolicyYAML(ctx)
	if err != nil {
		return err
	}
	if before != after {
		w.say.changes(blocksChanged(before, after))
		return fmt.Errorf("NetworkPolicy %s changed while DNS failed", networkPolicy)
	}
	w.say.seen("the NetworkPolicy is byte for byte what it was (sha256 %.4x...)", sha256.Sum256([]byte(after)))
	return w.writtenAnew(ctx, due)
}

// writtenAnew makes the controller write the NetworkPolicy once the last good answers are due, and compares. An address that
// was lost would go with the next write and not before, so a NetworkPolicy that nobody wrote says little.
func (w *world) writtenAnew(ctx context.Context, due time.Time) error {
	_, err := await(ctx, "the retention to be over", patience, func(context.Context) error {
		if time.Now().Before(due) {
			return errors.New("it is not")
		}
		return nil
	})
	if err != nil {
		return err
	}
	before, err := w.allowed(ctx)
	if err != nil {
		return err
	}
	if err := w.show(ctx, whole, "-n", namespace, "delete", "networkpolicy", networkPolicy); err != nil {
		return err
	}
	_, err = await(ctx, "the NetworkPolicy to be written anew", patience, func(ctx context.Context) error {
		after, err := w.allowed(ctx)
		if err == nil && !slices.Equal(before, after) {
			return fatal{fmt.Errorf("it allowed %v and allows %v", before, after)}
		}
		return err
	})
	if err != nil {
		return err
	}
	w.say.seen("somebody deleted it, and it is back: with every address, although no name resolves")
	return nil
}

// recovers ends the outage.
func recovers(ctx context.Context, w *world) error {
	w.say.step("DNS is back. What a person should know of was an event.")
	w.dns.Heal("")
	if _, err := await(ctx, "every name to be Resolved", patience, w.names(v1alpha1.FQDNResolved, "")); err != nil {
		return err
	}
	if _, err := await(ctx, "the event ResolutionRecovered", patience, w.recorded("ResolutionRecovered")); err != nil {
		return err
	}
	return w.show(ctx, whole, "-n", namespace, "events", "--for", "fep/"+policyName)
}

// states leaves of `kubectl describe` what it says of each name, without the addresses.
func states(out string) string {
	var kept strings.Builder
	for _, line := range linesWith(section(out, "Fqdns:"), "Fqdn:", "Message:", "State:") {
		label, value, _ := strings.Cut(line, ":")
		fmt.Fprintf(&kept, "%-9s %s\n", label+":", strings.TrimSpace(value))
	}
	return kept.String()
}
