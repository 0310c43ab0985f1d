// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// assetsEnv is the variable by which the Kubernetes ecosystem names a directory with the binaries of a control plane.
const assetsEnv = "KUBEBUILDER_ASSETS"

const (
	etcd              = "etcd"
	kubeAPIServer     = "kube-apiserver"
	kubectl           = "kubectl"
	controllerManager = "kube-controller-manager"
	kubeadm           = "kubeadm"
	kubelet           = "kubelet"
	kubeProxy         = "kube-proxy"
	kubeScheduler     = "kube-scheduler"
)

// binaryNames returns all that a control plane needs, in the order in which building is quickest.
func binaryNames() []string {
	return []string{etcd, kubeAPIServer, kubectl, controllerManager}
}

// Assets returns a directory that holds etcd, kube-apiserver, kube-controller-manager and kubectl.
//
// What the directory named by KUBEBUILDER_ASSETS has is taken from there. The rest is taken from a cache in the user's
// cache directory, and what is missing there is built first, from the modules that the nested module in
// test/apiserver/binaries pins. The first build takes 5 to 15 minutes; progress gets a line at least every ten seconds
// while something is built, and nothing otherwise. Two processes may call this at once: one waits for the other.
func Assets(ctx context.Context, progress io.Writer) (string, error) {
	b, err := newBuilder(progress)
	if err != nil {
		return "", err
	}
	found, missing := locate(os.Getenv(assetsEnv), b.dir)
	if len(missing) > 0 {
		if err := b.build(ctx, missing); err != nil {
			return "", fmt.Errorf("building the control plane: %w", err)
		}
		found, _ = locate(os.Getenv(assetsEnv), b.dir)
	}
	return oneDir(found, b.dir)
}

// Build makes those of the named binaries that are not in the cache yet and returns the directory that holds them. It
// knows those of [Assets] and, for the nodes of a cluster, kubeadm, kubelet, kube-proxy and kube-scheduler; an unknown
// name is an error. KUBEBUILDER_ASSETS is not looked at: what goes into a node is of one version.
func Build(ctx context.Context, progress io.Writer, names ...string) (string, error) {
	known := append(binaryNames(), kubeadm, kubelet, kubeProxy, kubeScheduler)
	for _, name := range names {
		if !slices.Contains(known, name) {
			return "", fmt.Errorf("%q is none of %s", name, strings.Join(known, ", "))
		}
	}
	b, err := newBuilder(progress)
	if err != nil {
		return "", err
	}
	if err := b.build(ctx, names); err != nil {
		return "", fmt.Errorf("building for a node: %w", err)
	}
	return b.dir, nil
}

// Installed returns the same directory as [Assets] but builds nothing: a missing binary is an error that says which
// command builds it. Tests use it, because minutes of silent compiling inside `go test` look like a hang.
func Installed() (string, error) {
	b, err := newBuilder(io.Discard)
	if err != nil {
		return "", err
	}
	found, missing := locate(os.Getenv(assetsEnv), b.dir)
	if len(missing) > 0 {
		return "", fmt.Errorf("no %s in %s: run `make control-plane` first", strings.Join(missing, ", "), b.dir)
	}
	return oneDir(found, b.dir)
}

// locate looks for each binary in dirs, the first that has it wins. An empty directory name is passed over.
func locate(dirs ...string) (found map[string]string, missing []string) {
	found = map[string]string{}
	for _, name := range binaryNames() {
		path := ""
		for _, dir := range dirs {
			if dir != "" && path == "" && isExecutable(filepath.Join(dir, name)) {
				path = filepath.Join(dir, name)
			}
		}
		if path == "" {
			missing = append(missing, name)
			continue
		}
		found[name] = path
	}
	return found, missing
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// oneDir returns the directory that holds all of the binaries, or makes one of links to them when they are spread over
// two. Its name is a hash of what it links to, so that it never has to change.
func oneDir(found map[string]string, cache string) (string, error) {
	paths := make([]string, 0, len(found))
	dirs := map[string]bool{}
	for _, name := range binaryNames() {
		path, err := filepath.Abs(found[name])
		if err != nil {
			return "", err
		}
		paths = append(paths, path)
		dirs[filepath.Dir(path)] = true
	}
	if len(dirs) == 1 {
		return filepath.Dir(paths[0]), nil
	}
	links := filepath.Join(cache, fmt.Sprintf("links-%x", sha256.Sum256([]byte(strings.Join(paths, "\n"))))[:len("links-")+12])
	if _, missing := locate(links); len(missing) == 0 {
		return links, nil
	}
	return links, linkAll(links, paths)
}

func linkAll(dir string, paths []string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	for _, path := range paths {
		err := os.Symlink(path, filepath.Join(dir, filepath.Base(path)))
		if err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// cacheDir returns the directory of what a name and a version say, outside of the repository: `git clean` and a second clone
// do not cost ten minutes.
func cacheDir(name string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "fqdn-egress", name), nil
}

// versions are those of the control plane, with the leading v.
type versions struct {
	kubernetes string
	etcd       string
}

// readVersions reads them from the go.mod file that pins them, the only place where they are written.
func readVersions(goMod string) (versions, error) {
	kubernetes, err := requiredVersion(goMod, "k8s.io/kubernetes")
	if err != nil {
		return versions{}, err
	}
	etcd, err := requiredVersion(goMod, "go.etcd.io/etcd/server/v3")
	return versions{kubernetes: kubernetes, etcd: etcd}, err
}

// requiredVersion returns the version of a module that a go.mod file requires.
func requiredVersion(goMod, module string) (string, error) {
	f, err := os.Open(goMod)
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		fields := strings.Fields(strings.TrimPrefix(lines.Text(), "require "))
		if len(fields) >= 2 && fields[0] == module && !slices.Contains(fields, "=>") {
			return fields[1], nil
		}
	}
	return "", errors.Join(fmt.Errorf("%s does not require %s", goMod, module), lines.Err())
}

func (v versions) cacheDir() (string, error) {
	return cacheDir("kubernetes-" + v.kubernetes + "_etcd-" + v.etcd)
}
