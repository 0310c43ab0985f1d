// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fqdn-egress/fqdn-egress/api/v1alpha1"
	"github.com/fqdn-egress/fqdn-egress/internal/clusterdns"
	"github.com/fqdn-egress/fqdn-egress/test/dnstest"
)

// What the kubelet writes for dnsPolicy ClusterFirst and Default. Nobody listens at the address: that it is asked shows in
// the status.
const (
	podServer    = "127.0.0.77"
	clusterFirst = "search shop.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver " + podServer + "\noptions ndots:5\n"
	fromTheNode  = "search corp.example\nnameserver " + podServer + "\n"
)

// startInPod runs the controller with a resolv.conf of its own, and waits until it is ready. unshare (util-linux) gives it a
// view of the file system in which the file is another; without root by a user namespace.
func (w *world) startInPod(resolvConf string, flags ...string) *process {
	w.t.Helper()
	dir := w.t.TempDir()
	conf, inPod := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "in-pod")
	unshare := "unshare --mount"
	if os.Getuid() != 0 {
		unshare += " --map-root-user"
	}
	script := fmt.Sprintf("#!/bin/sh\nexec %s sh -c 'mount --bind %s /etc/resolv.conf && exec \"$@\"' sh %s \"$@\"\n",
		unshare, conf, controllerBinary)
	for path, content := range map[string]string{conf: resolvConf, inPod: script} {
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			w.t.Fatal(err)
		}
	}
	binary := controllerBinary
	controllerBinary = inPod // tests run one after the other
	defer func() { controllerBinary = binary }()
	return start(w.t, w.server.Kubeconfig, flags...).ready()
}

// wantNotice waits until exactly these of the notices about the cluster's DNS are on.
func wantNotice(p *process, on ...string) {
	p.t.Helper()
	eventually(p.t, func() error {
		for _, notice := range []string{"no_server", "stand_in", "other_servers", "nodelocal"} {
			want := 0.0
			for _, o := range on {
				if o == notice {
					want = 1
				}
			}
			if got := p.metric("fqdn_egress_cluster_dns_notice", `notice="`+notice+`"`); got != want {
				return fmt.Errorf("notice %s is %v, want %v", notice, got, want)
			}
		}
		return nil
	})
}

// wantMessage waits until the message of Programmed says all of these.
func (w *world) wantMessage(policy string, says ...string) {
	w.t.Helper()
	eventually(w.t, func() error {
		message := w.wantCondition(policy, v1alpha1.ConditionProgrammed, metav1.ConditionTrue, v1alpha1.ReasonProgrammed)
		for _, s := range says {
			if !strings.Contains(message, s) {
				return fmt.Errorf("the message does not say %q: %s", s, message)
			}
		}
		return nil
	})
}

// wantDNSRule waits until the first rule of a NetworkPolicy is as wanted.
func (w *world) wantDNSRule(name string, blocks []string, pods string) {
	w.t.Helper()
	eventually(w.t, func() error {
		np := w.networkPolicy(name)
		if np == nil || len(np.Spec.Egress) == 0 {
			return fmt.Errorf("no rule in %s", name)
		}
		rule, found := np.Spec.Egress[0], 0
		for _, block := range blocks {
			if hasBlock(rule, block) {
				found++
			}
		}
		if found != len(blocks) || len(rule.To) != len(blocks)+1 || !selectsPods(rule, pods) || !opens(rule.Ports, 53) || opens(rule.Ports, 80) {
			return fmt.Errorf("the DNS rule: %+v, want %v and pods %s at port 53", rule, blocks, pods)
		}
		return nil
	})
}

// TestPlatform_NoDNSService is EKS Auto Mode, and then Cloud DNS for GKE with idle kube-dns pods: first there is no Service,
// then one that pods do not ask.
func TestPlatform_NoDNSService(t *testing.T) {
	w := newWorld(t)
	p := w.startInPod(clusterFirst, "--upstreams", "cluster", "--cluster-dns-service", w.namespace+"/idle-dns")
	w.create("web", nil, rule(443, "www.example.com"))
	eventually(t, func() error {
		for _, s := range w.policy("web").Status.FQDNs {
			if strings.Contains(s.Message, podServer+":53") {
				return nil
			}
		}
		return fmt.Errorf("%s was not asked: %+v", podServer, w.policy("web").Status.FQDNs)
	})
	w.wantMessage("web", "idle-dns is not there", podServer)
	w.wantDNSRule("web-fqdn", []string{podServer + "/32"}, "kube-dns")
	if got := w.allowed(443); len(got) > 0 {
		t.Errorf("%v is open without an answer", got)
	}
	wantNotice(p, "stand_in")
	if n := strings.Count(p.log.String(), "Cluster DNS: the cluster DNS Service "+w.namespace+"/idle-dns is not there"); n != 1 {
		t.Errorf("it is logged %d times, want once", n)
	}

	w.dnsService("idle-dns")
	w.wantMessage("web", "idle-dns has no ready endpoint", podServer)
	w.idleEndpoint("idle-dns")
	w.wantMessage("web", "pods are told to ask "+podServer, "set --cluster-dns")
	address := w.clusterIP("idle-dns")
	w.wantDNSRule("web-fqdn", []string{address + "/32"}, "idle-dns")
	wantNotice(p, "other_servers")
}

// TestPlatform_StandInAnswersUntilThereAreEndpoints has the real follower, resolver and book: the server that pods are told
// to ask answers at port 53, which a test may not listen on.
func TestPlatform_StandInAnswersUntilThereAreEndpoints(t *testing.T) {
	w := newWorld(t)
	standIn, endpoint := w.dns, dnstest.Start(t)
	standIn.Set("www.example.com", shortTTL, "192.0.2.1")
	endpoint.Set("www.example.com", shortTTL, "192.0.2.2")
	podAddr := netip.MustParseAddr(podServer)
	_, read := w.followClusterDNS("late-dns", clusterdns.Options{PodServers: []netip.Addr{podAddr}}, func(a netip.AddrPort) netip.AddrPort {
		if a == netip.AddrPortFrom(podAddr, 53) {
			return standIn.Addr()
		}
		return onLoopback(a)
	})
	eventually(t, read("192.0.2.1"))
	w.dnsEndpoint(w.dnsService("late-dns"), endpoint)
	eventually(t, read("192.0.2.1", "192.0.2.2"))
	if err := endpoint.WaitFor(t.Context(), endpoint.Count("www.example.com")+4, "www.example.com"); err != nil {
		t.Fatal(err)
	}
	asked := standIn.Count("www.example.com")
	if err := endpoint.WaitFor(t.Context(), endpoint.Count("www.example.com")+4, "www.example.com"); err != nil {
		t.Fatal(err)
	}
	if again := standIn.Count("www.example.com"); again != asked {
		t.Errorf("the stand-in was asked %d times more although there is an endpoint", again-asked)
	}
}

// TestPlatform_OwnNAT64Prefix: an answer must not lead to the metadata service through the network's own gateway.
func TestPlatform_OwnNAT64Prefix(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "2001:db8:64::a9fe:a9fe", "2001:db8:64::c000:201")
	w.start("--nat64-prefixes", "2001:db8:64::/96")
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "2001:db8:64::c000:201")
	refused := w.wantState("web", "www.example.com", v1alpha1.FQDNResolved).Refused
	if len(refused) != 1 || refused[0].Address != "2001:db8:64::a9fe:a9fe" || !strings.Contains(refused[0].Reason, "169.254.169.254") {
		t.Errorf("refused %+v", refused)
	}
}

// TestPlatform_ClusterDNSFlagStandsIn: the resolv.conf of dnsPolicy Default has servers that pods do not ask.
func TestPlatform_ClusterDNSFlagStandsIn(t *testing.T) {
	w := newWorld(t)
	flags := []string{"--upstreams", "cluster", "--cluster-dns-service", w.namespace + "/none"}
	p := w.startInPod(fromTheNode, flags...)
	w.create("web", func(s *v1alpha1.FQDNEgressPolicySpec) { s.Egress = nil })
	w.wantMessage("web", "none is not there", "set --cluster-dns-service", "--cluster-dns to")
	w.wantDNSRule("web-fqdn", nil, "kube-dns")
	wantNotice(p, "no_server")
	if got := p.metric("fqdn_egress_resolver_upstreams"); got != 0 {
		t.Errorf("%v upstreams, want none", got)
	}
	p.kill()

	p = w.startInPod(fromTheNode, append(flags, "--cluster-dns", "127.0.0.78")...)
	w.wantMessage("web", "none is not there", "127.0.0.78")
	w.wantDNSRule("web-fqdn", []string{"127.0.0.78/32"}, "kube-dns")
	wantNotice(p, "stand_in")
}

// TestPlatform_OnlyFamiliesOfTheCluster: some plugins lose all policies of a node over one IPv6 peer. A cluster that becomes
// dual stack is followed.
func TestPlatform_OnlyFamiliesOfTheCluster(t *testing.T) {
	w := newWorld(t)
	w.dns.Set("www.example.com", shortTTL, "192.0.2.1", "2001:db8::1")
	p := startWith(t, []string{"POD_IPS=10.244.0.5", "HOST_IPS=203.0.113.7"}, w.server.Kubeconfig,
		"--upstreams", w.dns.Addr().String(), "--cluster-dns-service", w.namespace+"/"+w.dnsService("family-dns")).ready()
	stop := w.everBlocked(443, "2001:db8::1")
	w.create("web", nil, rule(443, "www.example.com"))
	w.wantAllowed(443, "192.0.2.1")
	w.waitForQueries(3, "www.example.com", dns.TypeA)
	if n := w.dns.Count("www.example.com", dns.TypeAAAA); n != 0 {
		t.Errorf("AAAA was asked %d times in a cluster without IPv6", n)
	}
	w.wantCondition("web", v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady)
	stop()

	service := &corev1.Service{}
	if err := w.client.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "family-dns"}, service); err != nil {
		t.Fatal(err)
	}
	service.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyRequireDualStack)
	if err := w.client.Update(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	w.wantAllowed(443, "192.0.2.1", "2001:db8::1")

	if n := strings.Count(p.log.String(), "--cluster-cidrs is empty"); n != 1 {
		t.Errorf("it is logged %d times that the node's address is public, want once", n)
	}
}

// TestOwnUpstreams_AnyIsNotThisMachine: --policy-upstreams=any leaves out the servers of the controller's own machine.
func TestOwnUpstreams_AnyIsNotThisMachine(t *testing.T) {
	w := newWorld(t)
	inside := dnstest.Start(t)
	inside.Set("www.example.com", shortTTL, "198.51.100.1")
	w.start("--policy-upstreams", "any")
	w.create("intranet", asking(inside), rule(8443, "www.example.com"))
	w.wantState("intranet", "www.example.com", v1alpha1.FQDNFailing)
	if n := inside.CountNet("udp", "") + inside.CountNet("tcp", ""); n > 0 || len(w.allowed(8443)) > 0 {
		t.Errorf("asked %d times, allowed %v", n, w.allowed(8443))
	}
}

// everBlocked checks until stop is called that none of these addresses is allowed on the TCP port at any instant.
func (w *world) everBlocked(port int32, addrs ...string) (stop func()) {
	w.t.Helper()
	return w.watchAlways(func(nps []networkingv1.NetworkPolicy) error {
		for _, a := range allowedBy(nps, port) {
			if slices.Contains(addrs, a) {
				return fmt.Errorf("%s is allowed on port %d", a, port)
			}
		}
		return nil
	})
}

// clusterIP returns the address that the API server gave to a Service.
func (w *world) clusterIP(service string) string {
	w.t.Helper()
	s := &corev1.Service{}
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: service}, s); err != nil {
		w.t.Fatal(err)
	}
	return netip.MustParseAddr(s.Spec.ClusterIP).String()
}

// idleEndpoint adds a ready endpoint that nothing is behind. Its address is one of documentation, which no network routes.
func (w *world) idleEndpoint(service string) {
	w.t.Helper()
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.namespace, GenerateName: service + "-", Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: discoveryv1.AddressTypeIPv6,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"2001:db8::53"}}},
		Ports: []discoveryv1.EndpointPort{
			{Name: new("dns"), Protocol: new(corev1.ProtocolUDP), Port: new(int32(53))},
			{Name: new("dns-tcp"), Protocol: new(corev1.ProtocolTCP), Port: new(int32(53))},
		},
	}
	if err := w.client.Create(w.t.Context(), slice); err != nil {
		w.t.Fatal(err)
	}
}
