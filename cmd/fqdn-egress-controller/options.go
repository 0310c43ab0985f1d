// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// options are the flags.
type options struct {
	upstreams                     string
	policyUpstreams               string
	minTTL, maxTTL                time.Duration
	retention, maxRetention       time.Duration
	maxStale                      time.Duration
	maxAddressesPerName           int
	maxNamesPerNamespace          int
	maxAddressesPerNamespace      int
	maxPeersPerNamespace          int
	maxQPS                        int
	ipFamilies                    string
	clusterCIDRs                  string
	nat64Prefixes                 string
	clusterDNS                    string
	clusterDNSService             string
	metricsAddress, healthAddress string
	pprofAddress                  string
	leaderElect                   bool
	leaderElectionNamespace       string
	maxConcurrentReconciles       int
	log                           zap.Options

	parsed parsedOptions
}

// parsedOptions are the flags that are lists or names, as validate read them.
type parsedOptions struct {
	upstreams upstreams
	// policyUpstreams is nil for any.
	policyUpstreams []netip.Prefix
	// families is nil for auto.
	families      []addressbook.Family
	clusterCIDRs  []netip.Prefix
	nat64Prefixes []netip.Prefix
	clusterDNS    []netip.Addr
	dnsService    types.NamespacedName
}

// parseOptions reads the flags. The error is one line that says which flag is wrong and what it takes.
func parseOptions(args []string, usage io.Writer) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("fqdn-egress-controller", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // the error is printed once, by main
	o.bind(fs)
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fs.SetOutput(usage)
		fs.Usage()
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%w (see --help)", err)
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q (see --help)", fs.Arg(0))
	}
	if o.upstreams == "" {
		o.upstreams = defaultUpstreams(fs)
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *options) bind(fs *flag.FlagSet) {
	config.RegisterFlags(fs)
	o.bindDNS(fs)
	fs.StringVar(&o.clusterCIDRs, "cluster-cidrs", "",
		"Comma-separated blocks of the cluster (pods, nodes, before Kubernetes 1.33 also Services) that no answer may open.")
	fs.StringVar(&o.nat64Prefixes, "nat64-prefixes", "",
		"Comma-separated NAT64 prefixes of the network beside 64:ff9b::/96 and 64:ff9b:1::/48, so that the guard sees the IPv4 "+
			"address inside of an answer.")
	fs.StringVar(&o.clusterDNS, "cluster-dns", "",
		"Comma-separated addresses of the cluster's DNS beside its Service, for the DNS rule: 169.254.20.10 with NodeLocal DNSCache. "+
			"Where the Service has no endpoint and resolv.conf does not say whom pods ask, they are also asked.")
	fs.StringVar(&o.clusterDNSService, "cluster-dns-service", "kube-system/kube-dns",
		"Namespace and name of the Service of the cluster's DNS.")
	fs.StringVar(&o.metricsAddress, "metrics-bind-address", ":8080", "Where metrics are served (HTTP); 0 switches them off.")
	fs.StringVar(&o.healthAddress, "health-probe-bind-address", ":8081", "Where /healthz and /readyz are served; 0 switches them off.")
	fs.StringVar(&o.pprofAddress, "pprof-bind-address", "0",
		"Where profiles are served (HTTP, /debug/pprof/), for whoever can reach it; 0, the default, switches them off.")
	fs.BoolVar(&o.leaderElect, "leader-elect", false, "Elect a leader, so that several replicas can run and one writes.")
	fs.StringVar(&o.leaderElectionNamespace, "leader-election-namespace", "",
		"Namespace of the leader election Lease; the process's own by default.")
	intVar(fs, &o.maxConcurrentReconciles, "max-concurrent-reconciles", 64,
		"Policies whose rules are looked at at once; those of one namespace have at most a quarter of that.")
	o.log.BindFlags(fs)
}

func (o *options) bindDNS(fs *flag.FlagSet) {
	fs.StringVar(&o.upstreams, "upstreams", "",
		"Comma-separated upstreams, each asked on its own: cluster (every endpoint of the cluster's DNS), system (resolv.conf), "+
			"host:port (UDP, TCP when truncated), tcp://host:port or tls://host:port#name (DNS over TLS; the certificate must be for "+
			"name, without #name for the address). Default: cluster in a cluster, else system.")
	fs.StringVar(&o.policyUpstreams, "policy-upstreams", policyUpstreamsNone,
		"Which DNS servers policies may name in spec.upstreams: none, any (but what the guard never opens), or "+
			"comma-separated blocks. The controller asks them from its own place in the network.")
	durationVar(fs, &o.minTTL, "min-ttl", time.Second,
		"A name is not asked more often than this, whatever its TTL; only a new answer of one that rotates is confirmed at once.")
	durationVar(fs, &o.maxTTL, "max-ttl", 5*time.Minute, "A name is asked at least this often, whatever its TTL.")
	durationVar(fs, &o.retention, "retention", 5*time.Minute,
		"How long an address stays after the last answer that held it expired, for policies that set no retentionSeconds; longer "+
			"where a name rotates through addresses that come back later.")
	durationVar(fs, &o.maxRetention, "max-retention", time.Hour,
		"The longest that the rotation of a name may make --retention.")
	durationVar(fs, &o.maxStale, "max-stale", addressbook.DefaultMaxStale, "How long errors keep an address whose answer expired.")
	intVar(fs, &o.maxAddressesPerName, "max-addresses-per-name", addressbook.DefaultMaxAddressesPerName, "Addresses kept of one name.")
	intVar(fs, &o.maxNamesPerNamespace, "max-names-per-namespace", addressbook.DefaultMaxNamesPerTenant,
		"Distinct names and patterns of all policies of one namespace; where several list the same, ten times as many in all. "+
			"Further ones are not asked for, and their status says so; the rules of the others stay.")
	intVar(fs, &o.maxAddressesPerNamespace, "max-addresses-per-namespace", addressbook.DefaultMaxAddressesPerTenant,
		"Addresses kept of the names of one namespace. Further ones are left out, and the status says so; what is allowed already stays.")
	intVar(fs, &o.maxPeersPerNamespace, "max-peers-per-namespace", target.DefaultMaxPeersPerTenant,
		"Peers of all generated NetworkPolicies of one namespace. Addresses beyond that are left out, and the status says so; what is "+
			"allowed already stays.")
	intVar(fs, &o.maxQPS, "max-qps", 1000, "Queries a second to one DNS server, whoever asks it; bursts may be five times as large.")
	fs.StringVar(&o.ipFamilies, "ip-families", ipFamiliesAuto,
		"Address families to ask for and to write: IPv4, IPv6, both, or auto: those of the controller's own pod (the variable POD_IPS) "+
			"and of the cluster's DNS Service; both outside of a cluster.")
}

// defaultUpstreams is the same caches that the pods ask where there is a cluster around the process.
func defaultUpstreams(fs *flag.FlagSet) string {
	kubeconfig := fs.Lookup(config.KubeconfigFlagName)
	if os.Getenv("KUBERNETES_SERVICE_HOST") != "" && (kubeconfig == nil || kubeconfig.Value.String() == "") {
		return upstreamCluster
	}
	return upstreamSystem
}

func (o *options) validate() (err error) {
	if o.parsed.families, err = parseFamilies(o.ipFamilies); err != nil {
		return err
	}
	if o.parsed.upstreams, err = parseUpstreams(o.upstreams); err != nil {
		return err
	}
	if o.parsed.policyUpstreams, err = parsePolicyUpstreams(o.policyUpstreams); err != nil {
		return err
	}
	if o.parsed.clusterCIDRs, err = parseList(o.clusterCIDRs, netip.ParsePrefix); err != nil {
		return fmt.Errorf("--cluster-cidrs: %w: write blocks such as 10.244.0.0/16,fd00:10:244::/56", err)
	}
	if o.parsed.nat64Prefixes, err = parseList(o.nat64Prefixes, parseNAT64Prefix); err != nil {
		return fmt.Errorf("--nat64-prefixes: %w", err)
	}
	if o.parsed.clusterDNS, err = parseList(o.clusterDNS, netip.ParseAddr); err != nil {
		return fmt.Errorf("--cluster-dns: %w: write addresses such as 169.254.20.10", err)
	}
	namespace, name, ok := strings.Cut(o.clusterDNSService, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("--cluster-dns-service: %q is not namespace/name, such as kube-system/kube-dns", o.clusterDNSService)
	}
	o.parsed.dnsService = types.NamespacedName{Namespace: namespace, Name: name}
	return o.validateBounds()
}

func (o *options) validateBounds() error {
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{
		{"min-ttl", o.minTTL}, {"max-ttl", o.maxTTL}, {"retention", o.retention},
		{"max-retention", o.maxRetention}, {"max-stale", o.maxStale},
	} {
		if d.value <= 0 {
			return fmt.Errorf("--%s: %s is not a positive duration, such as 30s", d.flag, d.value)
		}
	}
	for _, n := range []struct {
		flag  string
		value int
	}{
		{"max-addresses-per-name", o.maxAddressesPerName}, {"max-qps", o.maxQPS},
		{"max-names-per-namespace", o.maxNamesPerNamespace}, {"max-addresses-per-namespace", o.maxAddressesPerNamespace},
		{"max-peers-per-namespace", o.maxPeersPerNamespace}, {"max-concurrent-reconciles", o.maxConcurrentReconciles},
	} {
		if n.value <= 0 {
			return fmt.Errorf("--%s: %d is not a positive number, such as 1000", n.flag, n.value)
		}
	}
	if o.minTTL > o.maxTTL {
		return fmt.Errorf("--min-ttl: %s is longer than --max-ttl %s", o.minTTL, o.maxTTL)
	}
	if o.retention > o.maxRetention {
		return fmt.Errorf("--retention: %s is longer than --max-retention %s", o.retention, o.maxRetention)
	}
	return nil
}

// parsePolicyUpstreams returns nil for any, and an empty list for none.
func parsePolicyUpstreams(list string) ([]netip.Prefix, error) {
	switch list {
	case policyUpstreamsAny:
		return nil, nil
	case policyUpstreamsNone:
		return []netip.Prefix{}, nil
	}
	blocks, err := parseList(list, netip.ParsePrefix)
	if err == nil && len(blocks) == 0 {
		err = errors.New("nothing is named")
	}
	if err != nil {
		return nil, fmt.Errorf("--policy-upstreams: %w: write none, any, or blocks such as 10.0.0.53/32,10.1.0.0/16", err)
	}
	return blocks, nil
}

func parseNAT64Prefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%w: write prefixes such as 2001:db8:64::/96", err)
	}
	return p, netpol.CheckNAT64(p)
}

// ipFamiliesAuto is --ip-families where the cluster says which it has.
const ipFamiliesAuto = "auto"

// parseFamilies returns nil for auto.
func parseFamilies(list string) ([]addressbook.Family, error) {
	if list == ipFamiliesAuto {
		return nil, nil
	}
	families, err := parseList(list, func(f string) (addressbook.Family, error) {
		switch strings.ToLower(f) {
		case "ipv4":
			return addressbook.IPv4, nil
		case "ipv6":
			return addressbook.IPv6, nil
		}
		return 0, fmt.Errorf("%q is no family", f)
	})
	if err == nil && len(families) == 0 {
		err = errors.New("nothing is named")
	}
	if err != nil {
		return nil, fmt.Errorf("--ip-families: %w: write auto, IPv4, IPv6 or IPv4,IPv6", err)
	}
	return families, nil
}

// parseList reads a comma-separated list; an empty string is an empty list.
func parseList[T any](s string, parse func(string) (T, error)) ([]T, error) {
	var out []T
	for item := range strings.SplitSeq(s, ",") {
		item = strings.TrimSpace(item)
		if item == "" {
			continue
		}
		v, err := parse(item)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
