// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// world is a router, which is what a node is to its pods, and hosts around it, each in a network namespace of its own.
// Nothing leaves them.
type world struct {
	t       *testing.T
	suffix  string
	bridged bool // pods share the bridge cni0, as with the CNI plugin bridge; else each has a link, as with ptp
	router  *host
	hosts   map[string]*host
	state   state
	block   verdict // drop if empty
}

// host is a network namespace and the agent in it.
type host struct {
	t      *testing.T
	netns  string
	v4, v6 string
	agent  *rpc.Client
}

// needRoot skips where there can be no world.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: go test -c ./test/kind/enforcer && sudo ./enforcer.test -test.v, in its directory")
	}
	for _, tool := range []string{"ip", "nft"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: apt-get install iproute2 nftables", tool)
		}
	}
}

func newWorld(t *testing.T, bridged bool) *world {
	t.Helper()
	needRoot(t)
	w := &world{t: t, suffix: strings.ToLower(rand.Text()[:6]), bridged: bridged, hosts: map[string]*host{}}
	w.router = w.namespace("node")
	w.router.sh(`
		echo 1 > /proc/sys/net/ipv4/ip_forward
		echo 1 > /proc/sys/net/ipv6/conf/all/forwarding`)
	if bridged {
		w.router.sh(`
			ip link add cni0 type bridge
			ip addr add 10.244.0.1/24 dev cni0
			ip addr add fd00:10:244::1/64 dev cni0
			ip link set cni0 up`)
		if err := w.router.checkBridge(); err != nil {
			t.Fatal("the kernel does not judge what a bridge forwards, run `modprobe br_netfilter`: ", err)
		}
	}
	return w
}

// namespace makes a network namespace with an agent in it. Its IPv6 addresses can be used at once.
func (w *world) namespace(name string) *host {
	w.t.Helper()
	h := &host{t: w.t, netns: fmt.Sprintf("enforcer-%s-%s", w.suffix, name)}
	w.hosts[name] = h
	command(w.t, "ip", "netns", "add", h.netns)
	w.t.Cleanup(func() { command(w.t, "ip", "netns", "del", h.netns) })
	h.sh(`
		echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad
		echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
		ip link set lo up`)
	h.start()
	return h
}

// start starts the agent, and stops it before the namespace goes.
func (h *host) start() {
	h.t.Helper()
	binary, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", h.netns, binary)
	cmd.Env = append(os.Environ(), agentVariable+"=1")
	cmd.Stderr = os.Stderr
	in, inErr := cmd.StdinPipe()
	out, outErr := cmd.StdoutPipe()
	if inErr != nil || outErr != nil {
		h.t.Fatal(inErr, outErr)
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.agent = rpc.NewClient(struct {
		io.Reader
		io.WriteCloser
	}{out, in})
	h.t.Cleanup(func() {
		_ = h.agent.Close()
		_ = cmd.Wait()
	})
}

// pod adds a pod with the addresses that end in number.
func (w *world) pod(namespace, name string, number int, ports ...corev1.ContainerPort) *host {
	w.t.Helper()
	h := w.attach(name, fmt.Sprintf("10.244.0.%d", number), fmt.Sprintf("fd00:10:244::%d", number), w.bridged)
	w.state.pods = append(w.state.pods, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app": name}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Ports: ports}}},
		Status: corev1.PodStatus{
			Phase:  corev1.PodRunning,
			PodIPs: []corev1.PodIP{{IP: h.v4}, {IP: h.v6}},
		},
	})
	return h
}

// attach connects a new host to the router, through the bridge or with a link of its own.
func (w *world) attach(name, v4, v6 string, bridged bool) *host {
	w.t.Helper()
	h := w.namespace(name)
	h.v4, h.v6 = v4, v6
	command(w.t, "ip", "-n", w.router.netns, "link", "add", "to-"+name, "type", "veth", "peer", "name", "eth0", "netns", h.netns)
	if bridged {
		w.router.sh("ip link set to-" + name + " master cni0 up")
		h.sh(`
			ip addr add ` + v4 + `/24 dev eth0
			ip addr add ` + v6 + `/64 dev eth0
			ip link set eth0 up
			ip route add default via 10.244.0.1
			ip route add default via fd00:10:244::1`)
		return h
	}
	w.router.sh(`
		ip link set to-` + name + ` up
		ip addr add 10.244.0.1/32 dev to-` + name + `
		ip addr add fe80::1/64 dev to-` + name + `
		ip route add ` + v4 + ` dev to-` + name + `
		ip route add ` + v6 + ` dev to-` + name)
	h.sh(`
		ip addr add ` + v4 + `/32 dev eth0
		ip addr add ` + v6 + `/128 dev eth0
		ip link set eth0 up
		ip route add 10.244.0.1 dev eth0
		ip route add default via 10.244.0.1
		ip route add default via fe80::1 dev eth0`)
	return h
}

// enforce loads what the policies, in YAML, compile to.
func (w *world) enforce(policies string) {
	w.t.Helper()
	ruleset := w.compile(policies)
	if err := load(w.t.Context(), w.router.nft(), ruleset); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) compile(policies string) string {
	w.t.Helper()
	s := state{pods: w.state.pods, namespaces: w.state.namespaces}
	s.add(w.t, []byte(policies))
	ruleset, err := compile(s, cmp.Or(w.block, drop))
	if err != nil {
		w.t.Fatal(err)
	}
	return ruleset
}

func (h *host) nft() []string { return []string{"ip", "netns", "exec", h.netns, "nft"} }

// checkBridge is checkBridge as seen from a namespace. What /proc/sys/net shows depends on who looks.
func (h *host) checkBridge() error {
	for _, name := range []string{"bridge-nf-call-iptables", "bridge-nf-call-ip6tables"} {
		out, err := exec.Command("ip", "netns", "exec", h.netns, "cat", "/proc/sys/net/bridge/"+name).CombinedOutput()
		if got := strings.TrimSpace(string(out)); err != nil || got != "1" {
			return fmt.Errorf("%s: %s", name, got)
		}
	}
	return nil
}

// sh runs a script in the namespace.
func (h *host) sh(script string) {
	h.t.Helper()
	command(h.t, "ip", "netns", "exec", h.netns, "sh", "-ec", script)
}

func (h *host) listen(network string, port int) {
	h.t.Helper()
	if err := h.agent.Call("Agent.Listen", Dial{Network: network, Address: fmt.Sprintf(":%d", port)}, nil); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) call(method string, arg any) (n int64, err error) {
	err = h.agent.Call("Agent."+method, arg, &n)
	return n, err
}

// reach tries to get a byte to a server and back.
func (h *host) reach(network, address string, timeout time.Duration) error {
	return h.agent.Call("Agent.Reach", Dial{network, address, timeout}, nil)
}

func command(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}
