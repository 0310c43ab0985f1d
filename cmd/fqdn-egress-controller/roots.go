// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// The authorities of the web, as Mozilla keeps them, for upstreams over TLS: the image holds nothing but the program. They
// count only where the system has none. SSL_CERT_FILE and SSL_CERT_DIR, as crypto/x509 reads them, name others in place of
// them, such as a company's own.
import _ "golang.org/x/crypto/x509roots/fallback"
