// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
)

// serve wires the parts together and runs them until ctx ends or one fails. The book stands between those who write
// to it (the resolver) and those who read it (the controllers).
func serve(ctx context.Context, o *options) error {
	log := newLogger(zap.UseFlagOptions(&o.log))
	ctrl.SetLogger(log)
	klog.SetLogger(log.WithName("client-go"))

	self, err := ownPod()
	if err != nil {
		return err
	}
	warnOfPublicAddresses(log, o, self)
	mgr, err := newManager(o)
	if err != nil {
		return err
	}
	if err := preflight(ctx, mgr); err != nil {
		return err
	}
	book := addressbook.New(addressbook.Options{
		Families: firstFamilies(o, self), Retention: o.retention, MaxRetention: o.maxRetention, MaxStale: o.maxStale,
		MaxAddressesPerName: o.maxAddressesPerName, MaxNamesPerTenant: o.maxNamesPerNamespace,
		MaxAddressesPerTenant: o.maxAddressesPerNamespace,
	})
	follower, err := clusterdns.New(mgr.GetConfig(), o.parsed.dnsService, clusterdns.Options{
		PodServers: podServers(log), Extra: o.parsed.clusterDNS,
	})
	if err != nil {
		return fmt.Errorf("following the cluster's DNS: %w", err)
	}
	if err := mgr.Add(follower); err != nil {
		return fmt.Errorf("adding the cluster DNS follower: %w", err)
	}
	guard, err := newGuard(mgr, o)
	if err != nil {
		return err
	}
	if err := addResolver(mgr, o, book, follower, guard.Current); err != nil {
		return err
	}
	if err := controllers.Setup(ctx, mgr, book, follower, guard, controllers.Options{
		Target: target.Options{
			ExtraDNS: o.parsed.clusterDNS, MaxStale: o.maxStale, MaxPeersPerTenant: o.maxPeersPerNamespace,
		},
		DNSService:     o.parsed.dnsService.String(),
		Workers:        o.maxConcurrentReconciles,
		LeaderElect:    o.leaderElect,
		FollowFamilies: o.parsed.families == nil,
		PodIPs:         self.podIPs,
	}); err != nil {
		return err
	}
	if err := addProbes(mgr, follower); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

func warnOfPublicAddresses(log logr.Logger, o *options, self pod) {
	if public := self.public(); len(public) > 0 && len(o.parsed.clusterCIDRs) == 0 {
		log.Info("Pods or nodes have public addresses, and --cluster-cidrs is empty: an answer could open them. "+
			"Set it to the ranges of pods and nodes", "addresses", public)
	}
}

func newManager(o *options) (ctrl.Manager, error) {
	config, err := ctrl.GetConfig()
	if err != nil {
		return nil, fmt.Errorf("no way to an API server (--kubeconfig, KUBECONFIG, or run in a cluster): %w", err)
	}
	config.QPS = -1 // the API server's priority and fairness says when it is enough
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	consistent := true
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         controllers.CacheOptions(),
		Client:                        client.Options{Cache: &client.CacheOptions{EnableReadYourWritesConsistency: &consistent}},
		Metrics:                       metricsserver.Options{BindAddress: o.metricsAddress},
		HealthProbeBindAddress:        o.healthAddress,
		PprofBindAddress:              o.pprofAddress,
		LeaderElection:                o.leaderElect,
		LeaderElectionID:              "fqdn-egress-controller",
		LeaderElectionNamespace:       o.leaderElectionNamespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to the API server at %s: %w", config.Host, err)
	}
	return mgr, nil
}

func newGuard(mgr ctrl.Manager, o *options) (*controllers.Guard, error) {
	serviceCIDRs, err := serves(mgr, networkingv1.SchemeGroupVersion.WithKind("ServiceCIDR"))
	if err != nil {
		return nil, fmt.Errorf("asking the API server for ServiceCIDR: %w", err)
	}
	return &controllers.Guard{
		Client: mgr.GetClient(), ClusterCIDRs: o.parsed.clusterCIDRs, NAT64Prefixes: o.parsed.nat64Prefixes, ServiceCIDRs: serviceCIDRs,
	}, nil
}

// firstFamilies is what is asked until the cluster's DNS Service is known.
func firstFamilies(o *options, self pod) []addressbook.Family {
	if o.parsed.families != nil {
		return o.parsed.families
	}
	return controllers.FamiliesOf(self.podIPs, clusterdns.Facts{})
}

// addProbes makes the process ready when its caches are, as a standby too: then it can take over at once.
func addProbes(mgr ctrl.Manager, follower *clusterdns.Follower) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("adding the liveness probe: %w", err)
	}
	synced := func(req *http.Request) error {
		ctx, cancel := context.WithTimeout(req.Context(), time.Second)
		defer cancel()
		if !mgr.GetCache().WaitForCacheSync(ctx) || !follower.WaitForSync(ctx) {
			return fmt.Errorf("caches are not synced yet")
		}
		return nil
	}
	if err := mgr.AddReadyzCheck("caches", synced); err != nil {
		return fmt.Errorf("adding the readiness probe: %w", err)
	}
	return nil
}
