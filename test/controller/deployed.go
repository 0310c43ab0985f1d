// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"os"
	"path/filepath"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
)

// Deployment is what the controller has where config/manager deploys it.
type Deployment struct {
	MemoryLimit int64    // bytes, beyond which the kernel kills it
	Env         []string // variables with a value of their own, as "NAME=value": GOMEMLIMIT
}

// Deployed reads config/manager of this repository.
func Deployed() (Deployment, error) {
	root, err := apiserver.Root()
	if err != nil {
		return Deployment{}, err
	}
	path := filepath.Join(root, "config", "manager", "deployment.yaml")
	content, err := os.ReadFile(path)
	if err != nil {
		return Deployment{}, err
	}
	var d appsv1.Deployment
	if err := yaml.Unmarshal(content, &d); err != nil {
		return Deployment{}, fmt.Errorf("%s: %w", path, err)
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		if c.Name == "controller" {
			return deploymentOf(c), nil
		}
	}
	return Deployment{}, fmt.Errorf("%s has no container of the name controller", path)
}

func deploymentOf(c corev1.Container) Deployment {
	d := Deployment{MemoryLimit: c.Resources.Limits.Memory().Value()}
	for _, v := range c.Env {
		if v.ValueFrom == nil {
			d.Env = append(d.Env, v.Name+"="+v.Value)
		}
	}
	return d
}
