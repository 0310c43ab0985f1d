// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"os"
)

// The variables that the Deployment sets from the pod's own status.
const (
	envPodIPs  = "POD_IPS"  // status.podIPs
	envHostIPs = "HOST_IPS" // status.hostIPs
)

// pod is what the process knows of the pod that it runs in. The zero value: it runs in none, or was not told.
type pod struct{ podIPs, hostIPs []netip.Addr }

func ownPod() (p pod, err error) {
	for _, v := range []struct {
		name string
		to   *[]netip.Addr
	}{{envPodIPs, &p.podIPs}, {envHostIPs, &p.hostIPs}} {
		if *v.to, err = parseList(os.Getenv(v.name), netip.ParseAddr); err != nil {
			return pod{}, fmt.Errorf("the variable %s: %w: take it from the pod's status, as config/manager/deployment.yaml does", v.name, err)
		}
	}
	return p, nil
}

// public returns the addresses of the pod and its node that the guard would take for the internet.
func (p pod) public() []string {
	sharedSpace := netip.MustParsePrefix("100.64.0.0/10") // RFC 6598; EKS gives it to pods
	var public []string
	for _, addrs := range [][]netip.Addr{p.podIPs, p.hostIPs} {
		for _, a := range addrs {
			if a.IsGlobalUnicast() && !a.IsPrivate() && !sharedSpace.Contains(a) {
				public = append(public, a.String())
			}
		}
	}
	return public
}
