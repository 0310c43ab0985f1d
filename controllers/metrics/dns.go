// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
)

// DNS tells what is known of the cluster's DNS.
type DNS interface{ Facts() clusterdns.Facts }

// dnsGauge tells what must be known of the cluster's DNS, by kind.
type dnsGauge struct {
	dns  DNS
	desc *prometheus.Desc
}

const dnsGaugeHelp = "1 while something about the cluster's DNS must be known, by notice: no_server (its Service has no endpoint and " +
	"nothing takes its place), stand_in (the server that pods are told to ask takes its place), other_servers (pods are told to " +
	"ask a server that the DNS rule does not allow), nodelocal (NodeLocal DNSCache: nodes have caches that are not asked)."

func newDNSGauge(dns DNS) *dnsGauge {
	name := prometheus.BuildFQName(namespace, "", "cluster_dns_notice")
	return &dnsGauge{dns: dns, desc: prometheus.NewDesc(name, dnsGaugeHelp, []string{"notice"}, nil)}
}

// Describe implements prometheus.Collector.
func (g *dnsGauge) Describe(ch chan<- *prometheus.Desc) { ch <- g.desc }

// Collect implements prometheus.Collector.
func (g *dnsGauge) Collect(ch chan<- prometheus.Metric) {
	now := map[clusterdns.NoticeKind]float64{}
	for _, n := range clusterdns.Notices(g.dns.Facts(), "") {
		now[n.Kind] = 1
	}
	for _, kind := range clusterdns.NoticeKinds() {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, now[kind], string(kind))
	}
}
