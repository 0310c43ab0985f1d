// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package target keeps the NetworkPolicies of one policy in one namespace true to its spec and to the addresses that the
// addressbook knows. It never resolves a name, and writes no status: what came of it is a Result for others to tell.
//
// Reconcile in reconciler.go is the table of contents. A write may be held up for these reasons:
//
//	firstwrite.go   a new policy's names have their first chance to be answered
//	pace.go         the buckets of the target, the tenant and the process (causes.go: why something is written)
//	contest.go      somebody undoes what is written, or the API server alters it
//	fence.go        the process was stopped, and may lead no more
//
// And peers may be left out of it, because the tenant or all have as many as they may: peers.go.
package target

import (
	"context"
	"net/netip"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/addressbook"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// FieldManager is the name under which the controller writes.
const FieldManager = "fqdn-egress-controller"

// Key is one target: one policy in one namespace. An FQDNEgressPolicy has one, in its own namespace.
type Key struct {
	Owner     addressbook.Owner
	Namespace string
}

// KeyOf returns the target of the FQDNEgressPolicy of that name.
func KeyOf(policy types.NamespacedName) Key {
	return Key{
		Owner:     addressbook.Owner{Kind: v1alpha1.Kind, Namespace: policy.Namespace, Name: policy.Name},
		Namespace: policy.Namespace,
	}
}

// Policy returns the name of the policy.
func (k Key) Policy() types.NamespacedName {
	return types.NamespacedName{Namespace: k.Owner.Namespace, Name: k.Owner.Name}
}

// Tenant returns whose share of what is scarce the target uses.
func (k Key) Tenant() string { return string(k.Owner.Tenant()) }

// How pressing a look at a target is, the most pressing first: classes of its queue.
const (
	// Edited: the policy came, went or was edited, which may be a revocation.
	Edited = iota
	// Awaited: addresses came, and somebody holds back an answer until they are allowed.
	Awaited
	// Added: addresses came, or room for some that were left out.
	Added
	// Changed: one of its NetworkPolicies did, which may need repair.
	Changed
	// Later: the time has come, addresses went, a write is tried again, or all targets are looked at.
	Later
)

// Book is what targets need of an addressbook.Book. It is safe for concurrent use.
type Book interface {
	Want(addressbook.Owner, addressbook.Wants, time.Time)
	Forget(addressbook.Owner)
	Snapshot(addressbook.Owner, time.Time) addressbook.Snapshot
	Holders(addressbook.Subject, netip.Addr) []addressbook.Source
	Applied(addressbook.Owner, addressbook.Revision)
	SetHealthy(addressbook.Owner, bool)
}

// ClusterDNS is where the facts of the DNS rule come from. It is safe for concurrent use.
type ClusterDNS interface{ Facts() clusterdns.Facts }

// GuardFunc returns the guard without what a policy allows. It is safe for concurrent use, and reads from a cache.
type GuardFunc func(context.Context) (netpol.Guard, error)
