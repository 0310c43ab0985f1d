// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fqdn-egress/fqdn-egress/test/controller"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
	"github.com/fqdn-egress/fqdn-egress/test/pause"
	"github.com/fqdn-egress/fqdn-egress/test/rules"
)

// plainWorkers is how many requests a plain client has in flight.
const plainWorkers = 16

// patience is how long a measurement waits for what must come.
const patience = 5 * time.Minute

// readyTimeout is how long the controller may take to become ready.
const readyTimeout = time.Minute

// quiet is how long after the last thing that is waited for a count of writes or queries is taken: longer than the five
// seconds for which the controller may hold back a status.
const quiet = 7 * time.Second

// trial is one controller process with its policies and DNS server, from empty namespaces on.
type trial struct {
	*bench
	workload   workload
	dns        *dnstest.Server
	others     []*dnstest.Server // that are asked too
	controller *controller.Process
	watch      *rules.Watch

	begun      mark      // in the audit log, before the first policy
	lastCreate time.Time // the last creation of a policy had returned
	complete   time.Time // the last NetworkPolicy was complete
}

// begin returns when the controller is ready and has nothing to do.
func (b *bench) begin(ctx context.Context, w workload, flags ...string) (_ *trial, err error) {
	t := &trial{bench: b, workload: w}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.end())
		}
	}()
	if t.dns, err = dnstest.New("", dnstest.CacheLike()); err != nil {
		return nil, err
	}
	w.load(t.dns)
	for len(t.others)+1 < w.servers {
		other, err := dnstest.New("", dnstest.CacheLike())
		if err != nil {
			return nil, err
		}
		t.others = append(t.others, other)
		w.load(other)
	}
	for _, name := range w.allNamespaces() {
		if err := b.namespace(ctx, name); err != nil {
			return nil, err
		}
	}
	if t.watch, err = rules.Start(ctx, b.client); err != nil {
		return nil, err
	}
	if _, err := t.startController(ctx, flags...); err != nil {
		return nil, err
	}
	t.begun, err = b.audit.now()
	return t, err
}

// startController returns how long the controller took to be ready.
func (t *trial) startController(ctx context.Context, flags ...string) (ready time.Duration, err error) {
	t.controller, err = controller.Start(controller.Options{
		Binary: t.binary, Kubeconfig: t.access.Kubeconfig, Log: filepath.Join(t.dir, "controller.log"), Profiles: true,
		Env:   t.deployment.Env,
		Flags: slices.Concat([]string{"--upstreams", t.upstreams()}, t.options.controllerFlags, flags),
	})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return t.controller.Ready(ctx)
}

func (t *trial) upstreams() string {
	all := []string{t.dns.Addr().String()}
	for _, other := range t.others {
		all = append(all, other.Addr().String())
	}
	return strings.Join(all, ",")
}

// end stops all and empties the namespaces. The context of the measurement may be over.
func (t *trial) end() error {
	if t.controller != nil {
		t.controller.Kill()
	}
	if t.watch != nil {
		t.watch.Stop()
	}
	var err error
	if t.dns != nil {
		err = t.dns.Close()
	}
	for _, other := range t.others {
		err = errors.Join(err, other.Close())
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return errors.Join(err, t.clear(ctx, t.workload.allNamespaces()...))
}

// createAll creates the policies and waits for their NetworkPolicies.
func (t *trial) createAll(ctx context.Context) error {
	expectation := t.watch.Expect(t.workload.wants())
	err := parallel(ctx, t.workload.policies, func(ctx context.Context, i int) error {
		return t.client.Create(ctx, t.workload.policy(i))
	})
	if err != nil {
		return fmt.Errorf("creating policies: %w", err)
	}
	t.lastCreate = time.Now()
	at, err := expectation.Await(ctx, patience)
	if err != nil {
		return fmt.Errorf("%w; the controller's log ends: %s", err, t.controller.Log.Tail(20))
	}
	t.complete = at[len(at)-1]
	return nil
}

// settle waits until every policy says that it is ready, and then until the controller writes nothing any more.
func (t *trial) settle(ctx context.Context) error {
	deadline := time.Now().Add(patience)
	for {
		policies, err := t.controller.Metric(ctx, "fqdn_egress_policies")
		if err != nil {
			return err
		}
		notReady, err := t.controller.Metric(ctx, "fqdn_egress_policies_not_ready")
		if err != nil {
			return err
		}
		if int(policies) == t.workload.policies && notReady == 0 {
			return t.awaitQuiet(ctx)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%v of %v policies are ready after %s", policies-notReady, policies, patience)
		}
		if err := pause.For(ctx, time.Second); err != nil {
			return err
		}
	}
}

// awaitQuiet waits until nothing has been written for a while.
func (t *trial) awaitQuiet(ctx context.Context) error {
	deadline := time.Now().Add(patience)
	for last, since := mark(-1), time.Now(); time.Since(since) < quiet; {
		now, err := t.audit.now()
		if err != nil {
			return err
		}
		if now != last {
			last, since = now, time.Now()
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("something is still written after %s", patience)
		}
		if err := pause.For(ctx, quiet/10); err != nil {
			return err
		}
	}
	return nil
}

// during runs do on a new trial and ends the trial.
func (b *bench) during(ctx context.Context, w workload, do func(*trial) error, flags ...string) error {
	t, err := b.begin(ctx, w, flags...)
	if err != nil {
		return err
	}
	return errors.Join(do(t), t.end())
}

// parallel calls do for 0 to n-1, as a plain client does: with a fixed number of workers.
func parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(plainWorkers)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}
