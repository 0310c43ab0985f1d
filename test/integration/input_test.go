// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// lastLine is what a person sees who starts the controller and finds it ended.
func lastLine(p *process) string { return p.log.Tail(1) }

func TestBadFlagsEndWithOneClearLine(t *testing.T) {
	for flags, want := range map[string]string{
		"--no-such-flag":                    "not defined: -no-such-flag",
		"--upstreams=nonsense":              "--upstreams:",
		"--upstreams=tls://192.0.2.1:853#x": "the name after #",
		"--upstreams=192.0.2.1#a.example":   "tls://host:port#name",
		"--upstreams=,":                     "--upstreams: name at least one",
		"--min-ttl=-1s":                     "--min-ttl: -1s is not a positive duration",
		"--min-ttl=10m":                     "--min-ttl: 10m0s is longer than --max-ttl",
		"--max-qps=0":                       "--max-qps: 0 is not a positive number",
		"--ip-families=IPv5":                "--ip-families:",
		"--cluster-cidrs=10.0.0.0":          "--cluster-cidrs:",
		"--cluster-dns=dns.example.com":     "--cluster-dns:",
		"--cluster-dns-service=kube-dns":    "--cluster-dns-service:",
		"extra":                             "unexpected argument",
	} {
		t.Run(flags, func(t *testing.T) {
			p := start(t, "unused", flags)
			if code := p.exit(); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			if got := p.log.String(); !strings.Contains(got, want) || strings.Count(strings.TrimSpace(got), "\n") != 0 {
				t.Errorf("want one line with %q, got:\n%s", want, got)
			}
		})
	}
}

func TestHelpListsTheFlags(t *testing.T) {
	p := start(t, "unused", "--help")
	if code := p.exit(); code != 0 || !strings.Contains(p.log.String(), "-cluster-dns-service") {
		t.Errorf("exit code %d:\n%s", code, p.log.String())
	}
}

func TestUnreachableAPIServerIsOneClearLine(t *testing.T) {
	config := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(config, []byte(`{apiVersion: v1, kind: Config, current-context: x,
clusters: [{name: x, cluster: {server: "http://127.0.0.2:1"}}], contexts: [{name: x, context: {cluster: x, user: x}}], users: [{name: x}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, config)
	if code := p.exit(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if got := lastLine(p); !strings.HasPrefix(got, "fqdn-egress-controller: ") || !strings.Contains(got, "127.0.0.2:1") {
		t.Errorf("last line: %s", got)
	}
}

func TestMissingCRDIsOneClearLine(t *testing.T) {
	bare := apiserver.StartForTest(t, apiserver.Options{CRDs: []string{}})
	p := start(t, bare.Kubeconfig)
	if code := p.exit(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if got := lastLine(p); !strings.Contains(got, "install the CRD") || !strings.Contains(got, "config/crd") {
		t.Errorf("last line: %s", got)
	}
}

func TestMissingPermissionIsOneClearLine(t *testing.T) {
	w := newWorld(t)
	nobody, err := w.server.User("nobody")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, nobody.Kubeconfig)
	if code := p.exit(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	if got := lastLine(p); !strings.Contains(got, "no permission") || !strings.Contains(got, "nobody") {
		t.Errorf("last line: %s", got)
	}
}

func TestUnreachableUpstreamIsReportedAndSurvived(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1")
	w.dns.Break("", dnstest.Drop()) // nobody answers
	p := w.start()
	w.create("web", nil, rule(443, "www.example.com"))
	status := w.wantState("web", "www.example.com", "Failing")
	if !strings.Contains(status.Message, "timeout") || !strings.Contains(status.Message, w.dns.Addr().String()) {
		t.Errorf("message: %q", status.Message)
	}
	eventually(t, func() error { return logHas(p, w.dns.Addr().String()) })
	w.dns.Heal("")
	w.wantAllowed(443, "192.0.2.1")
}
