// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the types of the API group fqdnegress.dev, version v1alpha1.
//
// +kubebuilder:object:generate=true
// +groupName=fqdnegress.dev
package v1alpha1
