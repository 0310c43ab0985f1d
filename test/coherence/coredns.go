// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
	"github.com/fqdn-egress/fqdn-egress/test/controller"
	"github.com/fqdn-egress/fqdn-egress/test/pause"
)

// kubernetesCache is what the Corefile that Kubernetes comes with says to the cache.
const kubernetesCache = 30

// corefile gives each address a cache of its own before an authoritative server. No answer lasts for longer than
// seconds.
func corefile(forwards map[string]string, seconds int, block string) string {
	var b strings.Builder
	for address, to := range forwards {
		port := address[strings.LastIndex(address, ":")+1:]
		fmt.Fprintf(&b, ".:%s {\n bind 127.0.0.1\n forward . %s\n cache %d {\n  %s\n }\n}\n", port, to, seconds, block)
	}
	return b.String()
}

// startCoreDNS starts one process with a cache for each replica of each configuration.
func (w *world) startCoreDNS(ctx context.Context) error {
	forwards := map[string]string{}
	for _, s := range w.sites {
		for range s.shape.Replicas {
			address, err := freeAddress()
			if err != nil {
				return err
			}
			forwards[address] = s.authority.Addr().String()
			s.upstreams = append(s.upstreams, address)
		}
	}
	binary := w.options.corednsPath
	if binary == "" {
		var err error
		if binary, err = apiserver.CoreDNS(ctx, os.Stderr); err != nil {
			return err
		}
	}
	c, err := startCoreDNS(ctx, binary, w.dir, w.logDir(), corefile(forwards, kubernetesCache, w.options.corednsCache))
	w.coredns = c
	return err
}

// startCoreDNS returns when every server answers.
func startCoreDNS(ctx context.Context, binary, dir, logs, conf string) (*controller.Child, error) {
	path := filepath.Join(dir, "Corefile")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return nil, err
	}
	c, err := controller.StartChild(exec.Command(binary, "-conf", path), filepath.Join(logs, "coredns.log"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(conf) {
		port, ok := strings.CutSuffix(strings.TrimSpace(line), " {")
		if port, ok2 := strings.CutPrefix(port, ".:"); ok && ok2 {
			if err := answers(ctx, "127.0.0.1:"+port, c); err != nil {
				c.Kill()
				return nil, err
			}
		}
	}
	return c, nil
}

func answers(ctx context.Context, address string, c *controller.Child) error {
	for {
		q := new(dns.Msg).SetQuestion("ready.example.", dns.TypeA)
		client := dns.Client{Timeout: 100 * time.Millisecond}
		if _, _, err := client.Exchange(q, address); err == nil {
			return nil
		}
		if err := c.Failure(); err != nil {
			return err
		}
		if err := pause.For(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// freeAddress returns an address that is free for UDP and TCP.
func freeAddress() (string, error) {
	for {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		address := conn.LocalAddr().String()
		l, err := net.Listen("tcp", address)
		_ = conn.Close()
		if err == nil {
			return address, l.Close()
		}
	}
}
