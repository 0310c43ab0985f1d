// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Command enforcer makes NetworkPolicies true on a node of the kind cluster of this test suite, whose CNI plugins only
// connect pods. It stands in for the policy engine of a CNI there and nowhere else: nobody should run it on a cluster
// that matters. It was written to be read, not to scale: every change compiles all policies of the cluster anew.
//
// It watches pods, namespaces and NetworkPolicies, compiles them to one nftables table, and replaces what is in it in
// one transaction whenever its text changed. Packets are judged at the forward hook, first for the egress of the pod
// that sent them, then for the ingress of the pod that gets them: `nft list table inet fqdn_egress_e2e` reads in that
// order, and its counters say what was dropped since the last replacement.
//
// What it does: networking.k8s.io/v1 NetworkPolicy, both directions, IPv4 and IPv6, with pod and namespace selectors,
// ipBlock and except, TCP, UDP and SCTP, endPort, and named ports, which are looked up in the pod that is spoken to.
//
// What a reader should know:
//   - Connections that are open stay open whatever the policies become; so do UDP exchanges while conntrack has them.
//   - Judged is what kube-proxy made of a packet: the endpoint of a Service, not its cluster IP, as with most CNIs. A
//     pod that reaches itself through a Service is judged like any other.
//   - What a node sends or gets itself is not forwarded, so not judged: the kubelet's probes, a pod's way to its own
//     node, and thereby to the API server where that runs on it. Pods on the host network are neither isolated nor
//     peers.
//   - Pods that share a bridge reach each other through the forward hook only while bridge-nf-call-iptables and
//     bridge-nf-call-ip6tables are 1; if a bridge exists and they are not, it says so and does not become ready.
//   - A new pod is open, and no peer of any other, until the API server knows its address and this program was told:
//     for a second or so after its containers started. The engine of a CNI does this before they start.
//   - With -sync it is as slow as plugins are that work on the rules of a whole node for seconds, and with -reject it
//     answers what it blocks: what a test suite needs to hold on those too.
//   - Nobody watches the table: who deletes it opens the node until the next change of a policy or pod.
//
// When it ends it leaves the table in place, so that its restart opens nothing. When nft refuses a ruleset the former
// one stands, and it tries again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "enforcer:", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "enforcer:", err)
		return 1
	}
	return 0
}

type options struct {
	kubeconfig string
	ready      string
	bridge     string
	sync       time.Duration
	reject     bool
}

func parseOptions(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("enforcer", flag.ContinueOnError)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "the cluster to watch; by default the one that it runs in")
	flags.StringVar(&o.ready, "ready-address", "127.0.0.1:9099", "where /readyz answers")
	flags.StringVar(&o.bridge, "bridge", "cni0", "the bridge that connects the pods of this node, if there is one")
	flags.DurationVar(&o.sync, "sync", 0, "how long each change of the rules takes, as with a slow plugin: a change that comes meanwhile\n"+
		"waits for the next, so it is enforced after once to twice this time")
	flags.BoolVar(&o.reject, "reject", false, "answer what is blocked with ICMP, as some plugins do, instead of dropping it")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, nil
}

// serve enforces until ctx ends. The table stays.
func serve(ctx context.Context, o options) error {
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	e := newEnforcer(klog.Background(), func(ctx context.Context, ruleset string) error {
		return errors.Join(load(ctx, []string{"nft"}, ruleset), checkBridge("/", o.bridge))
	})
	e.sync = o.sync
	if o.reject {
		e.block = reject
	}
	failed := make(chan error, 1)
	go func() { failed <- e.answer(ctx, o.ready) }()
	read, err := watch(ctx, client, e.wake)
	if err != nil {
		return err
	}
	go e.run(ctx, read)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}
