// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import "github.com/prometheus/client_golang/prometheus"

// dnsGauge tells what must be known of the cluster's DNS, by kind.
type dnsGauge struct {
	dns  ClusterDNS
	desc *prometheus.Desc
}

const dnsGaugeHelp = "1 while something about the cluster's DNS must be known, by notice: no_server (its Service has no endpoint and " +
	"nothing takes its place), stand_in (the server that pods are told to ask takes its place), other_servers (pods are told to " +
	"ask a server that the DNS rule does not allow), nodelocal (NodeLocal DNSCache: nodes have caches that are not asked)."

func newDNSGauge(dns ClusterDNS) *dnsGauge {
	name := prometheus.BuildFQName(metricsNamespace, "", "cluster_dns_notice")
	return &dnsGauge{dns: dns, desc: prometheus.NewDesc(name, dnsGaugeHelp, []string{"notice"}, nil)}
}

// Describe implements prometheus.Collector.
func (g *dnsGauge) Describe(ch chan<- *prometheus.Desc) { ch <- g.desc }

// Collect implements prometheus.Collector.
func (g *dnsGauge) Collect(ch chan<- prometheus.Metric) {
	now := map[string]float64{noticeNoServer: 0, noticeStandIn: 0, noticeOtherServers: 0, noticeNodeLocal: 0}
	for _, n := range dnsNotices(g.dns.Facts(), "") {
		now[n.kind] = 1
	}
	for kind, value := range now {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, value, kind)
	}
}
