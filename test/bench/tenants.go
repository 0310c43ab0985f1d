// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fqdn-egress/fqdn-egress/test/tenants"
)

const (
	// tenantLooks is how often the quiet tenant's address moves, and a new policy comes, before and beside the noisy one.
	tenantLooks = 4
	// waitAtMost is how long a wait is waited for; a longer one counts as that.
	waitAtMost = time.Minute
	// healsAfter is how long a name of the quiet tenant fails.
	healsAfter = 2 * time.Second

	// What is promised of a tenant beside a noisy one, and the longest pause after failures beside it.
	followedLater = 1.0 // seconds more than twice as late as on a quiet machine
	completeIn    = 2.5 // seconds
	maxBackoff    = 5.0 // seconds
	bytesASecond  = 1 << 20
)

// noisyTenants are the rows of the scenario tenants.
func noisyTenants() []tenants.Noisy {
	return []tenants.Noisy{
		tenants.Hungry(25, 200),
		tenants.BlackHole(10, 400),
		tenants.EverNew(20, 4, 300),
		tenants.Churn(500, 2*time.Second),
		tenants.Dead(10, 500),
	}
}

// tenants measures, for each noisy tenant on a controller of its own, how long a quiet one waits beside it.
func (b *bench) tenants(ctx context.Context) ([]figure, error) {
	var figures []figure
	for _, noisy := range noisyTenants() {
		if len(b.options.tenants) > 0 && !b.options.tenants[noisy.Name] {
			continue
		}
		b.say("%s: %s", noisy.Name, noisy.Says)
		more, err := b.beside(ctx, noisy)
		if err != nil {
			return figures, fmt.Errorf("%s: %w", noisy.Name, err)
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// besides is what was measured beside a noisy tenant, and before it came.
type besides struct {
	quiet, beside             tenants.Waits
	quietHealed, besideHealed time.Duration
	bytes                     float64 // a second
	peak                      float64 // bytes
	cpu                       float64 // seconds of the controller a second
}

func (b *bench) beside(ctx context.Context, noisy tenants.Noisy) ([]figure, error) {
	var all besides
	err := b.during(ctx, workload{ttl: longTTL}, func(t *trial) (err error) {
		neighbour, err := tenants.NewNeighbour(ctx, b.client, t.dns, waitAtMost)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, neighbour.Stop()) }()
		if all.quiet, all.quietHealed, err = t.look(ctx, neighbour); err != nil {
			return err
		}
		return t.makeNoise(ctx, noisy, neighbour, &all)
	})
	return all.figures(noisy, float64(b.deployment.MemoryLimit)), err
}

func (t *trial) makeNoise(ctx context.Context, noisy tenants.Noisy, neighbour *tenants.Neighbour, all *besides) (err error) {
	bytes, err := tenants.BytesWritten(ctx, t.plane)
	if err != nil {
		return err
	}
	cpu, err := t.cpuSeconds(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	noise, err := noisy.Start(ctx, t.client, t.dns)
	if err != nil {
		return err
	}
	defer func() {
		t.controller.Kill() // or it may write for a policy that is being deleted, and nothing here collects what is left of one
		err = errors.Join(err, noise.Stop())
	}()
	stopProfile := t.startProfile(ctx, "tenants-"+noisy.Name, convergeProfile)
	if all.beside, all.besideHealed, err = t.look(ctx, neighbour); err != nil {
		return err
	}
	written, err := tenants.BytesWritten(ctx, t.plane)
	if err != nil {
		return err
	}
	after, err := t.cpuSeconds(ctx)
	if err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	all.bytes, all.cpu = (written-bytes)/took, (after-cpu)/took
	if all.peak, err = t.controller.PeakMemory(); err != nil {
		return err
	}
	return stopProfile()
}

// look measures a few moves and new policies, and a name that heals.
func (t *trial) look(ctx context.Context, neighbour *tenants.Neighbour) (tenants.Waits, time.Duration, error) {
	waits, err := neighbour.Look(ctx, tenantLooks, waitAtMost)
	if err != nil {
		return waits, 0, fmt.Errorf("%w; the controller's log ends: %s", err, t.controller.Log.Tail(20))
	}
	healed, err := neighbour.Healed(ctx, healsAfter, waitAtMost)
	return waits, healed, err
}

func (b besides) figures(noisy tenants.Noisy, memoryLimit float64) []figure {
	name := func(s string) string { return noisy.Name + ": " + s }
	last := tenantLooks - 1
	if len(b.beside.Followed) <= last || len(b.quiet.Followed) <= last {
		return nil
	}
	quiet := b.quiet.Followed[last]
	const created = "the create returned -> its NetworkPolicy has all addresses of 5 names"
	return []figure{
		seconds(name("move followed, on the quiet machine"), quiet,
			fmt.Sprintf("end of the cached TTL -> watch brought the NetworkPolicy; longest of %d, shortest %.3f s", tenantLooks, b.quiet.Followed[0].Seconds())),
		seconds(name("move followed, beside it"), b.beside.Followed[last],
			fmt.Sprintf("the same; shortest %.3f s; aim: 1 s + 2 x the quiet lag; beside %s", b.beside.Followed[0].Seconds(), noisy.Says)).
			atMost(followedLater + 2*quiet.Seconds()),
		seconds(name("new policy complete, on the quiet machine"), b.quiet.Completed[last], created),
		seconds(name("new policy complete, beside it"), b.beside.Completed[last],
			fmt.Sprintf("the same; shortest %.3f s", b.beside.Completed[0].Seconds())).atMost(completeIn),
		seconds(name("failing name healed, on the quiet machine"), b.quietHealed, "it answers -> its address is allowed"),
		seconds(name("failing name healed, beside it"), b.besideHealed, "the same; aim: the longest pause after a failure + 1 s").atMost(maxBackoff + followedLater),
		figure{Name: name("bytes written"), Value: b.bytes / 1024, Unit: "KiB/s", Span: "bodies of NetworkPolicies and status patches, a second"}.
			atMost(bytesASecond / 1024),
		figure{Name: name("resident at most"), Value: b.peak / (1 << 20), Unit: "MiB", Span: "aim: the limit of config/manager"}.
			atMost(memoryLimit / (1 << 20)),
		{Name: name("CPU"), Value: 100 * b.cpu, Unit: "%", Span: "of one core, beside it"},
	}
}
