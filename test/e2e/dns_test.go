// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package e2e

import (
	"encoding/json"
	"testing"

	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// ttl of the answers, in seconds: CoreDNS keeps none shorter than 5 s.
const ttl = 5

// setName makes a name have these addresses from now on.
func (c *cluster) setName(t *testing.T, name string, addresses ...string) {
	t.Helper()
	c.control(t, "PUT", "names", name, dnstest.Records{TTLSeconds: ttl, Addresses: addresses})
}

// setPool makes each answer hold so many of the addresses, in turn.
func (c *cluster) setPool(t *testing.T, name string, perAnswer int, addresses ...string) {
	t.Helper()
	c.control(t, "PUT", "names", name, dnstest.Records{TTLSeconds: ttl, Addresses: addresses, PerAnswer: perAnswer})
}

// breakName makes questions for a name fail.
func (c *cluster) breakName(t *testing.T, name string, failure dnstest.Failure) {
	t.Helper()
	c.control(t, "PUT", "failures", name, failure)
}

func (c *cluster) healName(t *testing.T, name string) {
	t.Helper()
	c.control(t, "DELETE", "failures", name, nil)
}

// control reaches the DNS server through the API server, as the tests are not in the cluster's network.
func (c *cluster) control(t *testing.T, method, what, name string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	err = c.kube.CoreV1().RESTClient().Verb(method).Namespace(worldNamespace).Resource("services").Name("dns:control").
		SubResource("proxy").Suffix(what, name).SetHeader("Content-Type", "application/json").Body(text).Do(t.Context()).Error()
	if err != nil {
		t.Fatalf("%s %s %s: %v", method, what, name, err)
	}
}
