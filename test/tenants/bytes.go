// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package tenants

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/fqdn-egress/fqdn-egress/test/apiserver"
	"github.com/fqdn-egress/fqdn-egress/test/controller"
)

// BytesWritten returns how many bytes the API server has taken since its start for what the controller writes: bodies of
// requests for NetworkPolicies, and of patches of policies. Nobody else sends such requests in a measurement.
func BytesWritten(ctx context.Context, plane *apiserver.Server) (float64, error) {
	page, err := metrics(ctx, plane)
	if err != nil {
		return 0, err
	}
	total := 0.0
	for _, of := range [][]string{{`resource="networkpolicies"`}, {`resource="fqdnegresspolicies"`, `verb="patch"`}} {
		if n, err := controller.Sum(page, "apiserver_request_body_size_bytes_sum", of...); err == nil {
			total += n // there is no sample before the first write
		}
	}
	return total, nil
}

func metrics(ctx context.Context, plane *apiserver.Server) (string, error) {
	admin, err := rest.HTTPClientFor(plane.Config)
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(plane.Config.Host, "/")+"/metrics", nil)
	if err != nil {
		return "", err
	}
	resp, err := admin.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("metrics of the API server: %s", resp.Status)
	}
	return string(body), err
}
