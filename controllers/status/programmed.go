// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package status

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/controllers/target"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// programmedChecks: whether what is written is what should be.
func programmedChecks() []check {
	return []check{
		conflicting, altered, undone, refusedByAPI, firstWriteWaits, writesWait, awaitsTurn, peersLeftOut, noRoomForPeers, limitedByBook,
		audited, asPlanned,
	}
}

func conflicting(d draft) (verdict, bool) {
	if len(d.result.Conflicts) == 0 {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonConflict, fmt.Sprintf("NetworkPolicy %s exists and is not ours: delete it, or give this policy "+
		"another name; if it is ours and lost its labels, put %s=%s back",
		strings.Join(d.result.Conflicts, ", "), netpol.LabelPolicy, d.policy.Name))
}

func altered(d draft) (verdict, bool) {
	if len(d.result.Altered) == 0 || d.isAudit() {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonContested, fmt.Sprintf("The API server stores something else than what is written to it: %s. A mutating "+
		"webhook or admission policy does that: exclude the label %s=%s there; tried again every %s",
		listed(d.result.Altered), netpol.LabelManagedBy, netpol.ManagedBy, target.ContestedPace))
}

func undone(d draft) (verdict, bool) {
	if !d.result.Contested || d.isAudit() {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonContested, fmt.Sprintf("Somebody keeps changing %s (another controller?); repaired every %s",
		strings.Join(d.result.Planned, ", "), target.ContestedPace))
}

func refusedByAPI(d draft) (verdict, bool) {
	if d.result.Error == "" {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonWriteFailed, d.result.Error)
}

func firstWriteWaits(d draft) (verdict, bool) {
	if !d.result.Waits {
		return verdict{}, false
	}
	return isUnknown(v1alpha1.ReasonPending, "What is written waits until the names had their first chance to be answered")
}

func peersLeftOut(d draft) (verdict, bool) {
	if d.result.LeftOut == 0 {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonLimitReached, fmt.Sprintf("%d peers do not fit into the NetworkPolicies of one policy and are left out: "+
		"split the policy, or use an ipBlock", d.result.LeftOut))
}

func noRoomForPeers(d draft) (verdict, bool) {
	if d.result.NoRoom == 0 {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonLimitReached, fmt.Sprintf("%d peers are left out, because %s", d.result.NoRoom, noRoom(d.result.RoomLimit)))
}

func limitedByBook(d draft) (verdict, bool) {
	limits := limitsOf(d.result.Names)
	if len(limits) == 0 {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonLimitReached, listed(limits[0].names)+": "+limits[0].says)
}

func writesWait(d draft) (verdict, bool) {
	if d.result.Limit == "" {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonLimitReached, heldBack(d.result.Limit))
}

// awaitsTurn: whatever is written is of another generation. A wait that is long has been told by writesWait.
func awaitsTurn(d draft) (verdict, bool) {
	if !d.result.AwaitsTurn {
		return verdict{}, false
	}
	return isUnknown(v1alpha1.ReasonPending, "What is written waits for its turn: this namespace has much to write now")
}

func audited(d draft) (verdict, bool) {
	return verdict{metav1.ConditionTrue, v1alpha1.ReasonAudit,
		"Mode Audit: names are resolved and reported, no NetworkPolicy is written"}, d.isAudit()
}

func asPlanned(d draft) (verdict, bool) {
	message := "The NetworkPolicies are written"
	if d.dnsRemark != "" && d.policy.Spec.ClusterDNS != v1alpha1.ClusterDNSOmit {
		message += "; " + d.dnsRemark
	}
	return isTrue(v1alpha1.ReasonProgrammed, message)
}
