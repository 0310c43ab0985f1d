// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
)

// writeLine is what the log says of one write of a NetworkPolicy.
type writeLine struct {
	Time          time.Time    `json:"ts"`
	Msg           string       `json:"msg"`
	Namespace     string       `json:"namespace"`
	Name          string       `json:"name"`
	NetworkPolicy string       `json:"networkPolicy"`
	Verb          string       `json:"verb"`
	Came          []blockGroup `json:"came"`
	Went          []blockGroup `json:"went"`
}

type blockGroup struct {
	Why       string   `json:"why"`
	Ports     string   `json:"ports"`
	Names     []string `json:"names"`
	Sources   []string `json:"sources"`
	Addresses []string `json:"addresses"`
}

// written returns the lines about writes, and each as it stands in the log.
func (p *process) written() (lines []writeLine, raw []string) {
	p.t.Helper()
	for text := range strings.Lines(p.log.String()) {
		var line writeLine
		if err := json.Unmarshal([]byte(text), &line); err == nil && line.Msg == "Wrote NetworkPolicy" {
			lines, raw = append(lines, line), append(raw, text)
		}
	}
	return lines, raw
}

func about(groups []blockGroup, address string) (blockGroup, bool) {
	i := slices.IndexFunc(groups, func(g blockGroup) bool { return slices.Contains(g.Addresses, address) })
	if i < 0 {
		return blockGroup{}, false
	}
	return groups[i], true
}

// When was 203.0.113.99 allowed, and why? When was it taken away?
func TestTheLogTellsWhenAnAddressWasAllowedAndWhy(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "203.0.113.99", "10.0.0.9")
	w.dns.Set("db.example.com", shortTTL, "198.51.100.1")
	p := w.start("--retention", "1s")
	w.create("web", nil, rule(443, "www.example.com"), rule(5432, "db.example.com"))
	w.wantAllowed(443, "203.0.113.99")
	w.dns.Set("www.example.com", shortTTL, "203.0.113.100")
	w.wantAllowed(443, "203.0.113.99", "203.0.113.100")
	w.waitForQueries(6, "www.example.com") // a TTL apart each: retention is over, and it goes with the next write
	w.edit("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Egress = append(s.Egress, rule(80, "www.example.com")) })
	w.wantAllowed(443, "203.0.113.100")

	var came, went []writeLine
	eventually(t, func() error { // the log comes after the API server has shown the write to others
		came, went = nil, nil
		lines, raw := p.written()
		for i, line := range lines {
			if _, ok := about(line.Came, "203.0.113.99"); ok {
				came = append(came, line)
				t.Log(raw[i])
			}
			if _, ok := about(line.Went, "203.0.113.99"); ok {
				went = append(went, line)
				t.Log(raw[i])
			}
		}
		if len(came) != 1 || len(went) != 1 {
			return fmt.Errorf("it came %d times and went %d times, want once each:\n%s", len(came), len(went), strings.Join(raw, ""))
		}
		return nil
	})
	group, _ := about(came[0].Came, "203.0.113.99")
	if group.Why != "answers" || group.Ports != "TCP/443" || !slices.Equal(group.Names, []string{"www.example.com"}) ||
		!slices.Equal(group.Sources, []string{w.dns.Addr().String()}) {
		t.Errorf("why it came: %+v", group)
	}
	if c := came[0]; c.Namespace != w.namespace || c.Name != "web" || c.NetworkPolicy != "web-fqdn" || c.Verb != "create" || c.Time.IsZero() {
		t.Errorf("whose it is: %+v", c)
	}
	if group, _ := about(went[0].Went, "203.0.113.99"); group.Ports != "TCP/443" || !slices.Equal(group.Names, []string{"www.example.com"}) {
		t.Errorf("why it went: %+v", group)
	}
	if _, raw := p.written(); strings.Contains(strings.Join(raw, ""), "10.0.0.9") {
		t.Error("an address that the guard refused stands in the log as written")
	}
}
