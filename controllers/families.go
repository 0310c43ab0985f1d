// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"net/netip"
	"slices"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
)

// Families keeps the book to the address families that the cluster has: those of its pods and of its DNS Service. Some
// network plugins lose all policies of a node over one peer of a family that the node does not have.
//
// A family that comes is asked for at once. The addresses of one that goes are retained by the book, as those of a name
// that changes, so nothing is lost by following at once.
type Families struct {
	Book       *addressbook.Book
	ClusterDNS ClusterDNS
	// PodIPs are addresses of a pod of this cluster: the controller's own. Nil outside of a cluster.
	PodIPs []netip.Addr
	Clock  clock.PassiveClock
	Log    logr.Logger
}

// Start follows the families until ctx ends.
func (f *Families) Start(ctx context.Context) error {
	wake := make(chan struct{}, 1)
	f.ClusterDNS.OnChange(func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	if !f.ClusterDNS.WaitForSync(ctx) {
		return nil
	}
	for {
		f.follow()
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
		}
	}
}

func (f *Families) follow() {
	families := FamiliesOf(f.PodIPs, f.ClusterDNS.Facts())
	if slices.Equal(families, f.Book.Families()) {
		return
	}
	f.Log.Info("The cluster has other address families than before", "families", familyNames(families))
	f.Book.SetFamilies(families, f.Clock.Now())
}

// NeedLeaderElection tells the manager to run it on standbys too.
func (f *Families) NeedLeaderElection() bool { return false }

// FamiliesOf returns the families of a pod's addresses and of the DNS Service's, in order. Both without an address of a pod,
// as outside of a cluster.
func FamiliesOf(podIPs []netip.Addr, dns clusterdns.Facts) []addressbook.Family {
	var families []addressbook.Family
	for _, a := range slices.Concat(podIPs, dns.ClusterIPs) {
		if a.Unmap().Is4() {
			families = append(families, addressbook.IPv4)
		} else {
			families = append(families, addressbook.IPv6)
		}
	}
	if len(podIPs) == 0 {
		families = []addressbook.Family{addressbook.IPv4, addressbook.IPv6}
	}
	slices.Sort(families)
	return slices.Compact(families)
}

func familyNames(families []addressbook.Family) []string {
	names := make([]string, len(families))
	for i, f := range families {
		names[i] = map[addressbook.Family]string{addressbook.IPv4: "IPv4", addressbook.IPv6: "IPv6"}[f]
	}
	return names
}
