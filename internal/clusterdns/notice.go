// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package clusterdns

import (
	"fmt"
	"net/netip"
	"strings"
)

// Notice is something about the cluster's DNS that a person must know.
type Notice struct {
	Kind NoticeKind
	Text string
	// InStatus: it stands in the status of the policies too, as their DNS rule or their names depend on it.
	InStatus bool
}

// NoticeKind is the value of the label notice of a metric.
type NoticeKind string

// The kinds of Notice.
const (
	NoServer     NoticeKind = "no_server"     // the Service has no endpoint, and nothing takes its place
	StandIn      NoticeKind = "stand_in"      // the server that pods are told to ask takes its place
	OtherServers NoticeKind = "other_servers" // pods are told to ask a server that the DNS rule does not allow
	NodeLocal    NoticeKind = "nodelocal"     // nodes have caches that are not asked
)

// NoticeKinds returns all of them.
func NoticeKinds() []NoticeKind { return []NoticeKind{NoServer, StandIn, OtherServers, NodeLocal} }

// Notices returns the notices that hold for the facts; service is the name of the DNS Service, such as
// "kube-system/kube-dns". The same facts give the same words.
func Notices(f Facts, service string) []Notice {
	var notices []Notice
	state := "is not there"
	if f.Found {
		state = "has no ready endpoint"
	}
	switch {
	case f.Asked == AskedStandIns:
		notices = append(notices, Notice{StandIn, fmt.Sprintf("the cluster DNS Service %s %s, so %s, which pods are told "+
			"to ask, takes its place in the DNS rule and in --upstreams cluster", service, state, joined(f.StandIns)), true})
	case f.Asked == AskedNobody && f.Found:
		notices = append(notices, Notice{NoServer, fmt.Sprintf("the cluster DNS Service %s %s, and nothing is known to "+
			"take its place: set --cluster-dns to the address in a pod's /etc/resolv.conf", service, state), true})
	case f.Asked == AskedNobody:
		notices = append(notices, Notice{NoServer, fmt.Sprintf("the cluster DNS Service %s %s, so the DNS rule follows the "+
			"convention (pods k8s-app=kube-dns of kube-system, port 53): set --cluster-dns-service to the Service, or "+
			"--cluster-dns to the address in a pod's /etc/resolv.conf", service, state), true})
	}
	if len(f.OtherServers) > 0 {
		notices = append(notices, Notice{OtherServers, fmt.Sprintf("pods are told to ask %s, which is no address of the "+
			"cluster DNS Service %s, and the DNS rule does not allow it: set --cluster-dns, and see docs/platforms.md",
			joined(f.OtherServers), service), true})
	}
	if f.NodeLocalDNS {
		notices = append(notices, Notice{NodeLocal, "NodeLocal DNSCache is there: every node has a cache of its own that may " +
			"answer pods otherwise than the cluster's DNS; keep a retention longer than the TTLs, and see docs/cluster-dns.md for " +
			"--cluster-dns", false})
	}
	return notices
}

// StatusNotice returns the text of the notices that belong in the status of a policy; empty when there is none.
func StatusNotice(f Facts, service string) string {
	var texts []string
	for _, n := range Notices(f, service) {
		if n.InStatus {
			texts = append(texts, n.Text)
		}
	}
	return strings.Join(texts, "; ")
}

func joined(addrs []netip.Addr) string {
	texts := make([]string, len(addrs))
	for i, a := range addrs {
		texts[i] = a.String()
	}
	return strings.Join(texts, " and ")
}
