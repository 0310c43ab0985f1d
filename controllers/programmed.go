// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/netpol"
)

// programmedChecks: whether what is written is what should be.
func programmedChecks() []check {
	return []check{conflicting, altered, undone, refusedByAPI, firstWriteWaits, peersLeftOut, addressesLeftOut, audited, asPlanned}
}

func conflicting(v view) (verdict, bool) {
	if len(v.done.plan.Conflicts) == 0 {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonConflict, fmt.Sprintf("NetworkPolicy %s exists and is not ours: delete it, or give this policy "+
		"another name; if it is ours and lost its labels, put %s=%s back",
		strings.Join(v.done.plan.Conflicts, ", "), netpol.LabelPolicy, v.policy.Name))
}

func altered(v view) (verdict, bool) {
	if v.altered == "" || v.isAudit() {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonContested, fmt.Sprintf("The API server stores something else than what is written to it: %s. A mutating "+
		"webhook or admission policy does that: exclude the label %s=%s there; tried again every %s",
		v.altered, netpol.LabelManagedBy, netpol.ManagedBy, contestedPace))
}

func undone(v view) (verdict, bool) {
	if !v.contested || v.isAudit() {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonContested, fmt.Sprintf("Somebody keeps changing %s (another controller?); repaired every %s",
		strings.Join(v.done.plan.Objects, ", "), contestedPace))
}

func refusedByAPI(v view) (verdict, bool) {
	if v.done.err == nil {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonWriteFailed, v.done.err.Error())
}

func firstWriteWaits(v view) (verdict, bool) {
	if !v.done.waits {
		return verdict{}, false
	}
	return isUnknown(v1alpha1.ReasonPending, "What is written waits until the names had their first chance to be answered")
}

func peersLeftOut(v view) (verdict, bool) {
	if v.done.plan.LeftOut == 0 {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonLimitReached, fmt.Sprintf("%d peers do not fit into the NetworkPolicies of one policy and are left out: "+
		"split the policy, or use an ipBlock", v.done.plan.LeftOut))
}

func addressesLeftOut(v view) (verdict, bool) {
	limited := limitedNames(v.snapshot)
	if len(limited) == 0 {
		return verdict{}, false
	}
	return isFalse(v1alpha1.ReasonLimitReached, listed(limited)+
		": more addresses than --max-addresses-per-name; the least recently answered are left out")
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
