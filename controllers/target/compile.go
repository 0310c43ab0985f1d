// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package target

import (
	"context"
	"fmt"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// compile decides what is to be written, and reserves the room for it. If others took some of that meanwhile, it decides again with
// what is left. In mode Audit nothing is written, and no room is needed.
func (r *Reconciler) compile(s *situation, now time.Time) netpol.Plan {
	in, live := s.input(r.options), peersIn(s.owned())
	room := r.peers.look(s.key, live)
	s.limit = room.limit
	if s.isAudit() {
		return netpol.Compile(in, now)
	}
	in.Room = &room.peers
	plan := netpol.Compile(in, now)
	more := plan.Peers - live
	taken := r.peers.reserve(s.key, more)
	if taken.peers >= min(more, room.peers) {
		return plan
	}
	s.limit, in.Room = taken.limit, &taken.peers
	return netpol.Compile(in, now)
}

// settlePeers counts what is live after a look. A target that will be looked at again anyway does not wait for room.
func (r *Reconciler) settlePeers(s *situation, done *attempt) {
	isThrough := s.memory.looked.done && !done.waits && !done.repairs
	r.peers.settle(s.key, peersIn(s.owned()), isThrough && done.plan.NoRoom > 0)
}

// countPeers counts the live peers of all targets at the first reconcile, so that they count before anything new does. Those that turn
// out to be nobody's are given back when the watch brings their NetworkPolicies to their targets.
func (r *Reconciler) countPeers(ctx context.Context) error {
	return r.peers.begin(func() (map[Key]int, error) {
		list := &networkingv1.NetworkPolicyList{}
		if err := r.api.Client.List(ctx, list, client.DisableReadYourWritesConsistency, client.UnsafeDisableDeepCopy); err != nil {
			return nil, fmt.Errorf("listing NetworkPolicies to count their peers: %w", err)
		}
		counts := map[Key]int{}
		for i := range list.Items {
			np := &list.Items[i]
			for _, policy := range netpol.PoliciesOf(np, netpol.NamespacedKind()) {
				counts[KeyOf(types.NamespacedName{Namespace: np.Namespace, Name: policy})] += peersIn(list.Items[i : i+1])
			}
		}
		return counts, nil
	})
}
