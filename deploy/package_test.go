package deploy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// packing is what nfpm's configuration and goreleaser's have in common.
type packing struct {
	Section     string            `json:"section"`
	Priority    string            `json:"priority"`
	Maintainer  string            `json:"maintainer"`
	Homepage    string            `json:"homepage"`
	License     string            `json:"license"`
	Description string            `json:"description"`
	Recommends  []string          `json:"recommends"`
	Contents    []map[string]any  `json:"contents"`
	Scripts     map[string]string `json:"scripts"`
	Deb         map[string]any    `json:"deb"`
}

// A release's package is the one that CI installs: two tools build it from one list each.
func TestPackagesAgree(t *testing.T) {
	var own packing
	var whole struct {
		NFPMs []packing `json:"nfpms"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "package/nfpm.yaml")), &own); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(read(t, "../.goreleaser.yaml")), &whole); err != nil {
		t.Fatal(err)
	}
	// goreleaser adds the programs by itself.
	own.Contents = own.Contents[2:]
	if diff := cmp.Diff(whole.NFPMs[0], own); diff != "" {
		t.Errorf("goreleaser's (-) and nfpm's (+) differ:\n%s", diff)
	}
}
