// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Access is how one user reaches a Server.
type Access struct {
	// Config is for clients of this process. It has no client-side rate limit. Copy it before changing it.
	Config *rest.Config

	// Kubeconfig is the path of a file for other programs. It goes with the Server.
	Kubeconfig string
}

// User returns the access of a user, who need not exist and may do what RBAC grants to the name and the groups.
func (s *Server) User(name string, groups ...string) (Access, error) {
	user, err := s.env.AddUser(envtest.User{Name: name, Groups: groups}, &rest.Config{QPS: -1})
	if err != nil {
		return Access{}, fmt.Errorf("adding the user %s: %w", name, err)
	}
	content, err := user.KubeConfig()
	if err != nil {
		return Access{}, fmt.Errorf("writing a kubeconfig for %s: %w", name, err)
	}
	path, err := s.writeKubeconfig(name, content)
	return Access{Config: user.Config(), Kubeconfig: path}, err
}

// ServiceAccount returns the access that a pod with this ServiceAccount has, by the name and the groups that Kubernetes
// gives to its token. Neither the namespace nor the ServiceAccount need exist.
func (s *Server) ServiceAccount(namespace, name string) (Access, error) {
	return s.User("system:serviceaccount:"+namespace+":"+name,
		"system:serviceaccounts", "system:serviceaccounts:"+namespace, "system:authenticated")
}

func (s *Server) writeKubeconfig(user string, content []byte) (string, error) {
	// A colon would make KUBECONFIG a list of two files.
	path := filepath.Join(s.dir, strings.NewReplacer("/", "_", ":", "_").Replace(user)+".kubeconfig")
	return path, os.WriteFile(path, content, 0o600)
}
