// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package resolver

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/fqdn-egress/fqdn-egress/internal/dnsclient"
)

// resolvConfEvery is how often the file is looked at, as the Go and glibc resolvers do.
const resolvConfEvery = 5 * time.Second

// ResolvConf is the source of the nameservers of a resolv.conf file (resolv.conf(5)). Search domains and ndots do not
// matter to it: names are always asked absolute. A file that later cannot be read, or names none, leaves the upstreams as
// they were.
type ResolvConf struct {
	path  string
	clock clock.Clock
	log   logr.Logger

	mu        sync.Mutex
	upstreams []Listed
	stamp     fileStamp
	changed   chan struct{}
}

// fileStamp tells a changed file; the inode is left out, a rename changes the time.
type fileStamp struct {
	modified time.Time
	size     int64
}

// NewResolvConf reads the file at path, usually /etc/resolv.conf; it fails when that is not possible. A nil clock is
// the real one.
func NewResolvConf(path string, clk clock.Clock, log logr.Logger) (*ResolvConf, error) {
	if clk == nil {
		clk = clock.RealClock{}
	}
	r := &ResolvConf{path: path, clock: clk, log: log, changed: make(chan struct{})}
	if err := r.reread(); err != nil {
		return nil, err
	}
	return r, nil
}

// Upstreams implements UpstreamSource.
func (r *ResolvConf) Upstreams() ([]Listed, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.upstreams), r.changed
}

// Start looks at the file every five seconds until ctx ends.
func (r *ResolvConf) Start(ctx context.Context) error {
	broken := false
	for {
		timer := r.clock.NewTimer(resolvConfEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C():
		}
		err := r.reread()
		if err != nil && !broken {
			r.log.Error(err, "Cannot read the system's nameservers, keeping the ones known", "path", r.path)
		}
		broken = err != nil
	}
}

func (r *ResolvConf) reread() error {
	info, err := os.Stat(r.path)
	if err != nil {
		return fmt.Errorf("reading nameservers: %w", err)
	}
	stamp := stampOf(info)
	r.mu.Lock()
	defer r.mu.Unlock()
	if stamp == r.stamp {
		return nil
	}
	conf, err := ReadConf(r.path)
	if err != nil {
		return err
	}
	r.stamp = stamp
	// Without any nameserver the file is being written: keep the ones known.
	if us := upstreamsOf(conf.Nameservers); len(us) > 0 && !slices.Equal(us, r.upstreams) {
		r.upstreams = us
		close(r.changed)
		r.changed = make(chan struct{})
	}
	return nil
}

func stampOf(info fs.FileInfo) fileStamp { return fileStamp{info.ModTime(), info.Size()} }

// Conf is what a resolv.conf says.
type Conf struct {
	// Nameservers are all of them, not only the first three, distinct, in the order of the file.
	Nameservers []netip.Addr
	// Search has the domains of the last line `search` or `domain`, which is the one that counts.
	Search []string
}

// ReadConf reads a resolv.conf file.
func ReadConf(path string) (Conf, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Conf{}, fmt.Errorf("reading nameservers: %w", err)
	}
	return parseConf(text), nil
}

// ClusterFirst tells whether the kubelet wrote the file for a pod with dnsPolicy ClusterFirst: then it names the servers that
// pods are told to ask. The mark is the search domain of the cluster's Services, svc.cluster.local or of another cluster
// domain.
func (c Conf) ClusterFirst() bool {
	return slices.ContainsFunc(c.Search, func(domain string) bool { return strings.HasPrefix(domain, "svc.") })
}

// parseConf skips what is no IP address in a nameserver line, as the C library does.
func parseConf(text []byte) Conf {
	var c Conf
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			addr, err := netip.ParseAddr(fields[1])
			if err == nil && !slices.Contains(c.Nameservers, addr) {
				c.Nameservers = append(c.Nameservers, addr)
			}
		case "search", "domain":
			c.Search = fields[1:]
		}
	}
	return c
}

func upstreamsOf(addrs []netip.Addr) []Listed {
	us := make([]Listed, len(addrs))
	for i, addr := range addrs {
		us[i].Upstream = dnsclient.UDP(netip.AddrPortFrom(addr, dnsclient.Port))
	}
	return distinct(us)
}
