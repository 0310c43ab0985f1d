// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
	"github.com/fqdn-egress/fqdn-egress/resolver"
)

// The words of --upstreams that are no address.
const (
	upstreamCluster = "cluster"
	upstreamSystem  = "system"
)

// The words of --policy-upstreams that are no blocks.
const (
	policyUpstreamsNone = "none"
	policyUpstreamsAny  = "any"
)

const resolvConf = "/etc/resolv.conf"

func addResolver(
	mgr ctrl.Manager, o *options, book *addressbook.Book, follower *clusterdns.Follower, guard guardOf,
) error {
	log := mgr.GetLogger().WithName("resolver")
	sources, err := o.parsed.upstreams.sources(follower, log)
	if err != nil {
		return err
	}
	r, err := resolver.New(book, resolver.Merge(sources...), resolver.Options{
		MinTTL: o.minTTL, MaxTTL: o.maxTTL, MaxQPS: o.maxQPS,
		ViewUpstreams: o.parsed.policyUpstreams, NeverAsk: guard.refuses,
		Registerer: metrics.Registry, Log: log,
	})
	if err != nil {
		return fmt.Errorf("setting up the resolver: %w", err)
	}
	if err := mgr.Add(r); err != nil {
		return fmt.Errorf("adding the resolver: %w", err)
	}
	return nil
}

// guardOf returns the guard of all policies.
type guardOf func(context.Context) (netpol.Guard, error)

// refuses tells whether no policy may open an address, whatever private space it allows. Then none may have it asked
// either: the status would tell which ports of the cluster answer. While nobody knows, none may.
func (g guardOf) refuses(ctx context.Context, addr netip.Addr) bool {
	guard, err := g(ctx)
	if err != nil {
		return true
	}
	guard.AllowedPrivate = []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	_, refused := guard.Admit(addr)
	return refused != ""
}

// upstreams is --upstreams, read.
type upstreams struct {
	cluster, system bool
	fixed           []dnsclient.Upstream
}

func parseUpstreams(list string) (upstreams, error) {
	var us upstreams
	for word := range strings.SplitSeq(list, ",") {
		switch word = strings.TrimSpace(word); word {
		case "":
		case upstreamCluster:
			us.cluster = true
		case upstreamSystem:
			us.system = true
		default:
			upstream, err := dnsclient.ParseUpstream(word)
			if err != nil {
				return upstreams{}, fmt.Errorf("--upstreams: upstream %q: %w", word, err)
			}
			us.fixed = append(us.fixed, upstream)
		}
	}
	if !us.cluster && !us.system && len(us.fixed) == 0 {
		return upstreams{}, errors.New("--upstreams: name at least one: cluster, system, host:port, tcp://host:port or tls://host:port#name")
	}
	return us, nil
}

// sources returns where the resolver learns of the upstreams and of their coming and going.
func (us upstreams) sources(follower *clusterdns.Follower, log logr.Logger) ([]resolver.UpstreamSource, error) {
	sources := []resolver.UpstreamSource{resolver.Static(us.fixed...)}
	if us.cluster {
		sources = append(sources, resolver.Cluster(follower.Upstreams))
	}
	if us.system {
		conf, err := resolver.NewResolvConf(resolvConf, clock.RealClock{}, log)
		if err != nil {
			return nil, fmt.Errorf("--upstreams system: %w", err)
		}
		sources = append(sources, conf)
	}
	return sources, nil
}

// podServers returns the servers that the kubelet tells pods to ask, if the process is such a pod; else nil.
func podServers(log logr.Logger) []netip.Addr {
	conf, err := resolver.ReadConf(resolvConf)
	if err != nil {
		log.Info("Cannot tell which DNS servers pods are told to ask", "reason", err.Error())
		return nil
	}
	if !conf.ClusterFirst() {
		return nil
	}
	return conf.Nameservers
}
