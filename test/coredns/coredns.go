// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package coredns runs the real CoreDNS, in the version that the kind cluster has, for tests of how its answers are read. The
// first of them on a machine compiles it.
package coredns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

// module pins the version; it is a nested one, seen from the repository.
const module = "test/kind/coredns"

// Binary returns the path of CoreDNS, which it compiles if it is not there: some 90 seconds of CPU, once for all clones and
// processes of a user.
func Binary(ctx context.Context) (string, error) {
	root, err := apiserver.Root()
	if err != nil {
		return "", err
	}
	version, err := pinned(filepath.Join(root, module, "go.mod"))
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "fqdn-egress", "coredns-"+version)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	binary := filepath.Join(dir, "coredns")
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary+".tmp", "github.com/coredns/coredns")
	build.Dir, build.Env = filepath.Join(root, module), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building CoreDNS %s: %w\n%s", version, err, out)
	}
	return binary, os.Rename(binary+".tmp", binary)
}

// pinned is the version of CoreDNS that a go.mod requires.
func pinned(goMod string) (string, error) {
	text, err := os.ReadFile(goMod)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "github.com/coredns/coredns" {
			return f[1], nil
		}
	}
	return "", fmt.Errorf("%s does not require github.com/coredns/coredns", goMod)
}

// Server is a running CoreDNS with one server block.
type Server struct {
	Addr netip.AddrPort

	t          *testing.T
	corefile   string
	process    *os.Process
	log        string
	generation int
}

// Start runs CoreDNS with these plugins for all names, on a port of its own, until the test ends. It returns when it answers.
func Start(t *testing.T, plugins string) *Server {
	t.Helper()
	binary, err := Binary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &Server{Addr: freeAddress(t), t: t, corefile: filepath.Join(dir, "Corefile"), log: filepath.Join(dir, "log")}
	s.write(plugins)
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(binary, "-conf", s.corefile)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = cmd.Process
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	s.await()
	return s
}

// Reload runs it with other plugins from now on, and an empty cache. It returns when the new ones answer.
func (s *Server) Reload(plugins string) {
	s.t.Helper()
	s.write(plugins)
	if err := s.process.Signal(syscall.SIGUSR1); err != nil {
		s.t.Fatal(err)
	}
	s.await()
}

// generationName tells by a TXT record which Corefile is in use.
const generationName = "generation.coredns.test."

func (s *Server) write(plugins string) {
	s.t.Helper()
	s.generation++
	text := fmt.Sprintf(".:%d {\n bind %s\n log\n %s\n}\n%s:%d {\n bind %s\n template IN TXT . {\n  answer \"%s 0 IN TXT %d\"\n }\n}\n",
		s.Addr.Port(), s.Addr.Addr(), plugins, generationName, s.Addr.Port(), s.Addr.Addr(), generationName, s.generation)
	if err := os.WriteFile(s.corefile, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// await asks until the Corefile that was written last is in use.
func (s *Server) await() {
	s.t.Helper()
	client := dns.Client{Timeout: 100 * time.Millisecond}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		m, _, err := client.Exchange(new(dns.Msg).SetQuestion(generationName, dns.TypeTXT), s.Addr.String())
		if err != nil || len(m.Answer) == 0 {
			continue
		}
		if txt, ok := m.Answer[0].(*dns.TXT); ok && txt.Txt[0] == strconv.Itoa(s.generation) {
			return
		}
	}
	log, _ := os.ReadFile(s.log)
	s.t.Fatalf("CoreDNS does not answer:\n%s", log)
}

// Ask returns its answer to a question.
func (s *Server) Ask(name string, qtype uint16) *dns.Msg {
	s.t.Helper()
	m, err := dns.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype), s.Addr.String())
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// Asked returns how many questions of one type came for a name since the start, by CoreDNS' own log. What its cache answers
// counts.
func (s *Server) Asked(name, qtype string) int {
	s.t.Helper()
	log, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Count(string(log), fmt.Sprintf(`"%s IN %s `, qtype, dns.Fqdn(name)))
}

// freeAddress is one that nobody listens on, over UDP and TCP.
func freeAddress(t *testing.T) netip.AddrPort {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		pc, err := net.ListenPacket("udp", address)
		_ = l.Close()
		if err == nil {
			_ = pc.Close()
			return netip.MustParseAddrPort(address)
		}
	}
	t.Fatal("no port is free over UDP and TCP")
	return netip.AddrPort{}
}
