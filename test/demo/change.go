// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// move gives the name another address.
func move(ctx context.Context, w *world) error {
	w.say.step("The host moves: " + movingName + " is " + newAddress + " now, no longer " + oldAddress + ".")
	lag, err := w.changeAnswer(ctx, newAddress)
	if err != nil {
		return err
	}
	w.say.seen("allowed %s after the TTL of the last answer (%s) had ended", lag.Round(time.Millisecond), ttl)
	if err := w.allows(oldAddress)(ctx); err != nil {
		return fmt.Errorf("the old address went at once: %w", err)
	}
	w.say.seen("the old address is still allowed: pods may hold the old answer")
	return nil
}

// grow waits until the old address has had its time, and adds one: one write brings the new one and takes the old one.
func grow(ctx context.Context, w *world) error {
	w.say.step(fmt.Sprintf("The old address has %s more (--retention, by default 5m); then the next write takes it along.", retention))
	if err := w.awaitRetained(ctx); err != nil {
		return err
	}
	if _, err := w.changeAnswer(ctx, newAddress, secondAddress); err != nil {
		return err
	}
	if w.allows(oldAddress)(ctx) == nil {
		return fmt.Errorf("%s is still allowed after the write that was to take it along", oldAddress)
	}
	w.say.seen("%s has a second address now, and %s is gone", movingName, oldAddress)
	return w.allows(newAddress)(ctx)
}

// awaitRetained waits until the retention of the old address is over, and sees it allowed until then.
func (w *world) awaitRetained(ctx context.Context) error {
	over := w.lastAsked().Add(retention) // the answer to that question was the first without it
	_, err := await(ctx, "the retention to be over", patience, func(ctx context.Context) error {
		if time.Now().After(over) {
			return nil
		}
		if err := w.allows(oldAddress)(ctx); err != nil {
			return fatal{fmt.Errorf("%s went too early: %w", oldAddress, err)}
		}
		return errors.New("it is not")
	})
	return err
}

// changeAnswer gives the moving name these addresses, waits until the last of them is allowed, shows what changed, and
// returns how long that was after the end of the answer that the controller had got before.
func (w *world) changeAnswer(ctx context.Context, addresses ...string) (time.Duration, error) {
	before, err := w.networkPolicyYAML(ctx)
	if err != nil {
		return 0, err
	}
	// Not while a question is being answered, or it were unknown which answer it got.
	_, err = await(ctx, "a moment between two questions for "+movingName, patience, func(context.Context) error {
		if age := time.Since(w.lastAsked()); age < 100*time.Millisecond || age > ttl-100*time.Millisecond {
			return fmt.Errorf("the last question came %s ago", age)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	ends := w.lastAsked().Add(ttl)
	w.dns.Set(movingName, dnstest.TTL(ttl), addresses...)
	latest := addresses[len(addresses)-1]
	at, err := await(ctx, latest+" to be allowed", patience, w.allows(latest))
	if err != nil {
		return 0, err
	}
	after, err := w.networkPolicyYAML(ctx)
	if err != nil {
		return 0, err
	}
	w.say.command(networkPolicyCommand + "   # what changed:")
	w.say.changes(blocksChanged(before, after))
	return at.Sub(ends), nil
}

// lastAsked is when the controller asked for the moving name last.
func (w *world) lastAsked() time.Time {
	queries := w.dns.Queries(movingName, dns.TypeA)
	if len(queries) == 0 {
		return time.Time{}
	}
	return queries[len(queries)-1].At
}
