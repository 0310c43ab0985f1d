// Copyright The fqdn-egress Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadVersions(t *testing.T) {
	const etcdLine = "require go.etcd.io/etcd/server/v3 v3.7.0\n"
	for _, tc := range []struct {
		name, goMod string
		want        versions
		wantErr     string
	}{
		{
			name:  "block and line, with comments",
			goMod: "module m\nrequire (\n\tk8s.io/kubernetes v1.37.2 // indirect\n)\n" + etcdLine,
			want:  versions{kubernetes: "v1.37.2", etcd: "v3.7.0"},
		},
		{
			name:  "a replacement is not a version",
			goMod: "require k8s.io/kubernetes v1.37.2\nreplace (\n\tk8s.io/kubernetes => ../kubernetes\n)\n" + etcdLine,
			want:  versions{kubernetes: "v1.37.2", etcd: "v3.7.0"},
		},
		{name: "one is missing", goMod: etcdLine, wantErr: "does not require k8s.io/kubernetes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "go.mod")
			if err := os.WriteFile(path, []byte(tc.goMod), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := readVersions(path)
			if tc.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tc.wantErr) {
					t.Errorf("error %v, want %q", err, tc.wantErr)
				}
				return
			}
			if err != nil || got != tc.want {
				t.Errorf("got %+v, %v; want %+v", got, err, tc.want)
			}
		})
	}
}

func TestLocate(t *testing.T) {
	given := fakeAssets(t, "true", etcd)
	cache := fakeAssets(t, "true", etcd, kubectl)
	if err := os.WriteFile(filepath.Join(cache, kubeAPIServer), nil, 0o600); err != nil { // not executable: cut off
		t.Fatal(err)
	}
	found, missing := locate(given, cache)
	want := map[string]string{etcd: filepath.Join(given, etcd), kubectl: filepath.Join(cache, kubectl)}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{kubeAPIServer, controllerManager}, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

func TestOneDir(t *testing.T) {
	cache := fakeAssets(t, "true", binaryNames()...)
	t.Run("all in one place", func(t *testing.T) {
		found, _ := locate("", cache)
		if got, err := oneDir(found, cache); err != nil || got != cache {
			t.Errorf("got %s, %v; want %s", got, err, cache)
		}
	})
	t.Run("spread over two", func(t *testing.T) {
		given := fakeAssets(t, "true", kubectl)
		found, _ := locate(given, cache)
		first, err := oneDir(found, cache)
		if err != nil {
			t.Fatal(err)
		}
		if _, missing := locate(first); len(missing) > 0 {
			t.Errorf("missing in %s: %s", first, missing)
		}
		if target, err := os.Readlink(filepath.Join(first, kubectl)); err != nil || target != filepath.Join(given, kubectl) {
			t.Errorf("kubectl is %s, %v; want the given one", target, err)
		}
		if again, err := oneDir(found, cache); err != nil || again != first {
			t.Errorf("the second time: %s, %v; want %s", again, err, first)
		}
	})
}

// Somebody who sets KUBEBUILDER_ASSETS to a place that has nothing, with an empty cache, must be told what to do.
func TestInstalledSaysHowToBuild(t *testing.T) {
	t.Setenv(assetsEnv, t.TempDir())
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if _, err := Installed(); err == nil || !strings.Contains(err.Error(), "make control-plane") {
		t.Errorf("error %v, want the command", err)
	}
}
