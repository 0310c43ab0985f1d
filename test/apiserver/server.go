// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package apiserver runs a real Kubernetes control plane on loopback: etcd and kube-apiserver, and kube-controller-manager
// where the garbage collector is wanted. It has no nodes, so pods never run, but everything about API objects is real:
// validation, defaulting, watches, RBAC, resource versions.
//
// The binaries are built from Go modules; see [Assets]. It works on Linux and macOS.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// startTimeout is how long etcd, kube-apiserver and kube-controller-manager may each take to become healthy. They need
// some seconds on a quiet machine.
const startTimeout = 90 * time.Second

// Options says what [Start] starts. The zero value is an API server with the CRDs of this repository.
type Options struct {
	// Assets is the directory with the binaries, as [Assets] returns it. Empty: what [Installed] finds.
	Assets string

	// CRDs are the files or directories of the CustomResourceDefinitions to install. nil: config/crd of this repository.
	// An empty list installs none.
	CRDs []string

	// ControllerManager also runs kube-controller-manager with what API objects need. Without it the objects of a deleted
	// owner stay, deleted namespaces stay Terminating, and aggregated ClusterRoles such as view and edit grant nothing.
	ControllerManager bool

	// APIServerFlags are added to the flags of kube-apiserver or replace them, name without dashes to value.
	APIServerFlags map[string]string
}

// Server is a running control plane. Its methods are safe for concurrent use, except Stop.
type Server struct {
	// Access is that of an administrator.
	Access

	// Assets is the directory that its binaries come from.
	Assets string

	dir     string // all that it writes, certificates and logs among it; goes with Stop
	env     *envtest.Environment
	manager *process // nil without Options.ControllerManager
	guard   *guard
}

// Start returns when all parts are healthy and the CRDs are served. What it started ends with Stop or, at the latest,
// with this process, even if that is killed. Cancelling ctx takes effect between two steps and does not stop a Server
// that was returned.
func Start(ctx context.Context, opts Options) (_ *Server, err error) {
	s, err := prepare(opts)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if err := s.startAPIServer(opts.APIServerFlags); err != nil {
		return nil, err
	}
	if err := s.installCRDs(opts); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts.ControllerManager {
		if s.manager, err = startControllerManager(ctx, s.dir, s.Kubeconfig); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// prepare makes the directory of a Server and sees to it that nothing outlives this process.
func prepare(opts Options) (*Server, error) {
	assets, err := opts.assets()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "fqdn-egress-control-plane-")
	if err != nil {
		return nil, err
	}
	g, err := startGuard(dir, assets)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &Server{Assets: assets, dir: dir, guard: g}, nil
}

func (o Options) assets() (string, error) {
	if o.Assets == "" {
		return Installed()
	}
	if _, missing := locate(o.Assets); len(missing) > 0 {
		return "", fmt.Errorf("no %s in %s", missing, o.Assets)
	}
	return filepath.Abs(o.Assets)
}

func (o Options) crds() ([]string, error) {
	if o.CRDs != nil {
		return o.CRDs, nil
	}
	root, err := Root()
	return []string{filepath.Join(root, "config", "crd")}, err
}

func (s *Server) startAPIServer(flags map[string]string) error {
	env, err := s.environment(flags)
	if err != nil {
		return err
	}
	closeLogs, err := s.openLogs(env)
	if err != nil {
		return err
	}
	defer closeLogs() // the children have their own copies
	s.env = env
	if s.Config, err = env.Start(); err != nil {
		return fmt.Errorf("starting etcd and kube-apiserver: %w\n%s\n%s", err,
			logTail(s.logFile(etcd)), logTail(s.logFile(kubeAPIServer)))
	}
	s.Config.QPS = -1 // client-side throttling would be what a test measures
	s.Kubeconfig, err = s.writeKubeconfig("admin", env.KubeConfig)
	return err
}

func (s *Server) installCRDs(opts Options) error {
	paths, err := opts.crds()
	if err != nil {
		return err
	}
	_, err = envtest.InstallCRDs(s.Config, envtest.CRDInstallOptions{Paths: paths, ErrorIfPathMissing: true})
	if err != nil {
		return fmt.Errorf("installing CRDs: %w", err)
	}
	return nil
}

// environment describes etcd and kube-apiserver to envtest, with nothing left to the variables that envtest reads: above
// all, USE_EXISTING_CLUSTER must not lead a test to somebody's cluster.
func (s *Server) environment(flags map[string]string) (*envtest.Environment, error) {
	env := &envtest.Environment{
		UseExistingCluster:       new(false),
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  stopTimeout,
	}
	api := env.ControlPlane.GetAPIServer()
	api.Path = s.guard.wrapped(kubeAPIServer)
	api.CertDir = filepath.Join(s.dir, "certificates")
	for name, value := range flags {
		api.Configure().Set(name, value)
	}
	env.ControlPlane.Etcd = &envtest.Etcd{Path: s.guard.wrapped(etcd), DataDir: filepath.Join(s.dir, "data")}
	env.ControlPlane.KubectlPath = filepath.Join(s.Assets, kubectl)
	return env, errors.Join(os.Mkdir(api.CertDir, 0o700), os.Mkdir(env.ControlPlane.Etcd.DataDir, 0o700))
}

// openLogs sends what etcd and kube-apiserver say to files.
func (s *Server) openLogs(env *envtest.Environment) (closeLogs func(), err error) {
	etcdLog, err := os.Create(s.logFile(etcd))
	if err != nil {
		return nil, err
	}
	apiLog, err := os.Create(s.logFile(kubeAPIServer))
	if err != nil {
		return nil, errors.Join(err, etcdLog.Close())
	}
	env.ControlPlane.Etcd.Out, env.ControlPlane.Etcd.Err = etcdLog, etcdLog
	env.ControlPlane.APIServer.Out, env.ControlPlane.APIServer.Err = apiLog, apiLog
	return func() { _, _ = etcdLog.Close(), apiLog.Close() }, nil
}

func (s *Server) logFile(name string) string {
	return filepath.Join(s.dir, name+".log")
}

// Kubectl runs kubectl as the administrator and returns its standard output. The error holds what it said on standard
// error.
func (s *Server) Kubectl(ctx context.Context, args ...string) ([]byte, error) {
	return s.KubectlAs(ctx, s.Access, args...)
}

// KubectlAs runs kubectl as somebody else; otherwise it is [Server.Kubectl].
func (s *Server) KubectlAs(ctx context.Context, who Access, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.Assets, kubectl), args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+who.Kubeconfig)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return out, fmt.Errorf("kubectl %q: %w: %s", args, err, exit.Stderr)
	}
	return out, err
}

// Stop ends all parts, waits for them and removes what they wrote. It is not an error to stop a Server twice.
func (s *Server) Stop() error {
	var errs []error
	if s.manager != nil {
		errs = append(errs, s.manager.stop())
		s.manager = nil
	}
	if s.env != nil {
		errs = append(errs, s.env.Stop())
		s.env = nil
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir), s.guard.stop())...)
}
