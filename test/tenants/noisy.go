// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package tenants

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// Noisy is a tenant that asks for more than there is.
type Noisy struct {
	Name string // one lower case word
	Says string // how much it asks for, in words

	hosts [][]string                              // of each of its policies
	serve func(dns *dnstest.Server, host string)  // how a host is answered
	again func(round int, host []string) []string // the hosts of its only policy in the next round; nil: they stay
	every time.Duration                           // of a round
}

// zone is where the hosts of a tenant are.
func zone(tenant string) string { return tenant + ".example" }

// distinct returns the hosts of so many policies, none of which is in two.
func distinct(tenant string, policies, hosts int) [][]string {
	all := make([][]string, policies)
	for i := range all {
		all[i] = names(zone(tenant), i*hosts, hosts)
	}
	return all
}

// Hungry lists hosts whose TTL is 0, so that each is due again at once.
func Hungry(policies, hosts int) Noisy {
	return Noisy{
		Name: "hungry", Says: fmt.Sprintf("%d policies x %d names of TTL 0", policies, hosts),
		hosts: distinct("hungry", policies, hosts),
		serve: func(dns *dnstest.Server, host string) { dns.Set(host, 0, "198.51.100.1", "2001:db8:1::1") },
	}
}

// BlackHole lists hosts whose questions are never answered.
func BlackHole(policies, hosts int) Noisy {
	return Noisy{
		Name: "blackhole", Says: fmt.Sprintf("%d policies x %d names that never answer", policies, hosts),
		hosts: distinct("blackhole", policies, hosts),
		serve: func(dns *dnstest.Server, host string) { dns.Break(host, dnstest.Drop()) },
	}
}

// EverNew lists hosts with so many IPv6 addresses in each answer, none of which was in an answer before, at a TTL of a second.
func EverNew(policies, hosts, addresses int) Noisy {
	first := 0
	return Noisy{
		Name: "evernew", Says: fmt.Sprintf("%d policies x %d names with %d new AAAA an answer at TTL 1", policies, hosts, addresses),
		hosts: distinct("evernew", policies, hosts),
		serve: func(dns *dnstest.Server, host string) {
			dns.Pool(host, dnstest.TTL(time.Second), dnstest.EverNew(addresses), fmt.Sprintf("2001:db8:2:%x::", first))
			first++
		},
	}
}

// Churn has one policy and replaces all of its hosts again and again by new ones, which do not fail.
func Churn(hosts int, every time.Duration) Noisy {
	return Noisy{
		Name: "churn", Says: fmt.Sprintf("%d names replaced each %s", hosts, every),
		hosts: distinct("churn", 1, hosts),
		serve: func(dns *dnstest.Server, _ string) {
			dns.Set("*."+zone("churn"), dnstest.TTL(time.Minute), "198.51.100.1", "2001:db8:1::1")
		},
		again: func(round int, last []string) []string { return names(zone("churn"), round*len(last), len(last)) },
		every: every,
	}
}

// Dead lists hosts that fail at once, each time.
func Dead(policies, hosts int) Noisy {
	const servfail = 2
	return Noisy{
		Name: "dead", Says: fmt.Sprintf("%d policies x %d names that fail", policies, hosts),
		hosts: distinct("dead", policies, hosts),
		serve: func(dns *dnstest.Server, host string) { dns.Break(host, dnstest.Rcode(servfail)) },
	}
}

// Noise is a noisy tenant at work.
type Noise struct {
	Namespace string

	client client.Client
	stop   context.CancelFunc
	ended  chan struct{}
	err    error // of what went on, once it ended
}

// writers is how many policies a tenant creates at the same time.
const writers = 8

// Start makes a namespace with the policies of the tenant and lets the server answer for them. It returns when all are created.
func (n Noisy) Start(ctx context.Context, c client.Client, dns *dnstest.Server) (_ *Noise, err error) {
	for _, hosts := range n.hosts {
		for _, host := range hosts {
			n.serve(dns, host)
		}
	}
	noise := &Noise{client: c, stop: func() {}, ended: make(chan struct{})}
	if noise.Namespace, err = newNamespace(ctx, c, n.Name); err != nil {
		return nil, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for i, hosts := range n.hosts {
		group.Go(func() error { return c.Create(groupCtx, Policy(noise.Namespace, policyName(i), hosts...)) })
	}
	if err := group.Wait(); err != nil {
		close(noise.ended)
		return nil, errors.Join(err, noise.Stop())
	}
	if n.again == nil {
		close(noise.ended)
		return noise, nil
	}
	ctx, noise.stop = context.WithCancel(ctx)
	go func() {
		defer close(noise.ended)
		noise.err = n.goOn(ctx, noise)
	}()
	return noise, nil
}

func policyName(i int) string { return fmt.Sprintf("noise-%03d", i) }

// goOn replaces the hosts of the only policy in each round, until ctx ends.
func (n Noisy) goOn(ctx context.Context, noise *Noise) error {
	tick := time.NewTicker(n.every)
	defer tick.Stop()
	hosts := n.hosts[0]
	for round := 1; ; round++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		hosts = n.again(round, hosts)
		if err := noise.replace(ctx, hosts); err != nil && ctx.Err() == nil {
			return fmt.Errorf("round %d of %s: %w", round, n.Name, err)
		}
	}
}

// replace writes the hosts of the only policy. It updates, so that its bytes can be told from the controller's patches.
func (n *Noise) replace(ctx context.Context, hosts []string) error {
	for {
		p := &v1alpha1.FQDNEgressPolicy{}
		if err := n.client.Get(ctx, client.ObjectKey{Namespace: n.Namespace, Name: policyName(0)}, p); err != nil {
			return err
		}
		p.Spec = Policy(n.Namespace, policyName(0), hosts...).Spec
		if err := n.client.Update(ctx, p); !apierrors.IsConflict(err) {
			return err
		}
	}
}

// stopTimeout is how long the policies of a tenant may take to be deleted.
const stopTimeout = time.Minute

// Stop ends the tenant and deletes its policies and what was generated from them. It returns what went wrong meanwhile.
func (n *Noise) Stop() error {
	n.stop()
	<-n.ended
	return errors.Join(n.err, empty(n.client, n.Namespace))
}

// empty deletes the policies of a namespace and their NetworkPolicies. The context of a measurement may be over.
func empty(c client.Client, namespace string) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	for _, kind := range []client.Object{&v1alpha1.FQDNEgressPolicy{}, &networkingv1.NetworkPolicy{}} {
		if err := c.DeleteAllOf(ctx, kind, client.InNamespace(namespace)); err != nil {
			return fmt.Errorf("emptying namespace %s: %w", namespace, err)
		}
	}
	return nil
}
