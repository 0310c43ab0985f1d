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
	return []check{conflicting, altered, undone, refusedByAPI, firstWriteWaits, writesWait, peersLeftOut, limitedByBook, audited, asPlanned}
}

func conflicting(v view) (verdict, bool) {
	if len(v.result.Conflicts) == 0 {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonConflict, fmt.Sprintf("NetworkPolicy %s exists and is not ours: delete it, or give this policy "+
		"another name; if it is ours and lost its labels, put %s=%s back",
		strings.Join(v.result.Conflicts, ", "), netpol.LabelPolicy, v.policy.Name))
}

func altered(v view) (verdict, bool) {
	if len(v.result.Altered) == 0 || v.isAudit() {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonContested, fmt.Sprintf("The API server stores something else than what is written to it: %s. A mutating "+
		"webhook or admission policy does that: exclude the label %s=%s there; tried again every %s",
		listed(v.result.Altered), netpol.LabelManagedBy, netpol.ManagedBy, target.ContestedPace))
}

func undone(v view) (verdict, bool) {
	if !v.result.Contested || v.isAudit() {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonContested, fmt.Sprintf("Somebody keeps changing %s (another controller?); repaired every %s",
		strings.Join(v.result.Planned, ", "), target.ContestedPace))
}

func refusedByAPI(v view) (verdict, bool) {
	if v.result.Error == "" {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonWriteFailed, v.result.Error)
}

func firstWriteWaits(v view) (verdict, bool) {
	if !v.result.Waits {
		return verdict{}, false
	}
	return isUnknown(v1alpha1.ReasonPending, "What is written waits until the names had their first chance to be answered")
}

func peersLeftOut(v view) (verdict, bool) {
	if v.result.LeftOut == 0 {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonLimitReached, fmt.Sprintf("%d peers do not fit into the NetworkPolicies of one policy and are left out: "+
		"split the policy, or use an ipBlock", v.result.LeftOut))
}

func limitedByBook(v view) (verdict, bool) {
	limits := limitsOf(v.snapshot)
	if len(limits) == 0 {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonLimitReached, listed(limits[0].names)+": "+limits[0].says)
}

func writesWait(v view) (verdict, bool) {
	if v.result.Limit == "" {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonLimitReached, heldBack(v.result.Limit))
}

func audited(v view) (verdict, bool) {
	return verdict{metav1.ConditionTrue, v1alpha1.ReasonAudit,
		"Mode Audit: names are resolved and reported, no NetworkPolicy is written"}, v.isAudit()
}

func asPlanned(v view) (verdict, bool) {
	message := "The NetworkPolicies are written"
	if v.dnsRemark != "" && v.policy.Spec.ClusterDNS != v1alpha1.ClusterDNSOmit {
		message += "; " + v.dnsRemark
	}
	return isTrue(v1alpha1.ReasonProgrammed, message)
}
