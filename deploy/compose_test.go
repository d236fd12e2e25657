package deploy_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// compose loads a file with the library that docker compose itself uses: its
// schema, the substitution of variables, and the merge are the real ones.
func compose(t *testing.T, file string) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{file}, cli.WithName("berry"), cli.WithWorkingDirectory(".."))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(context.Background())
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return p
}

// exists fails for a path of the repository that a compose file names and that
// is not there. What users provide themselves is below these names.
func exists(t *testing.T, what, path string) {
	t.Helper()
	rest, err := filepath.Rel(absolute(t, ".."), path)
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []string{"config.toml", "ssl", "secrets/", ".env"} {
		if strings.HasPrefix(rest, own) {
			return
		}
	}
	if matches, _ := filepath.Glob(path); len(matches) != 1 {
		t.Errorf("%s names %s, which is not there", what, rest)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	out, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCompose(t *testing.T) {
	for _, file := range []string{"../docker-compose.yml", "../docker-compose.prod.yml"} {
		for name, s := range compose(t, file).Services {
			what := filepath.Base(file) + ": " + name
			if !s.ReadOnly || len(s.CapDrop) != 1 || s.CapDrop[0] != "ALL" || s.Restart != "unless-stopped" {
				t.Errorf("%s: read_only %v, cap_drop %v, restart %q", what, s.ReadOnly, s.CapDrop, s.Restart)
			}
			if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" && name != "berry-api" {
				t.Errorf("%s: the image %q has no version", what, s.Image)
			}
			for _, v := range s.Volumes {
				if v.Type == types.VolumeTypeBind {
					exists(t, what, v.Source)
				}
			}
			if s.Build != nil {
				exists(t, what, filepath.Join(s.Build.Context, s.Build.Dockerfile))
			}
		}
	}
}

// What the production file says fits the configuration that it mounts.
func TestComposeProduction(t *testing.T) {
	p := compose(t, "../docker-compose.prod.yml")
	berry := p.Services["berry-api"]
	if got := *berry.Environment["CONFIG_PATH"]; got != "/etc/berry-api/config.toml" {
		t.Errorf("CONFIG_PATH=%s", got)
	}
	text := read(t, "compose/config.toml")
	cfg := loads(t, "/etc/berry-api/config.toml", text)
	if cfg.Settings.AdminBindAddress != "0.0.0.0:3001" || berry.Ports[0].Target != 3001 || berry.Ports[0].HostIP != "127.0.0.1" {
		t.Errorf("the admin address %s is published as %v", cfg.Settings.AdminBindAddress, berry.Ports)
	}
	// Each secret that the configuration reads is given to the container, and no other.
	given := map[string]bool{}
	for _, s := range berry.Secrets {
		given["/run/secrets/"+s.Source] = true
	}
	for line := range strings.SplitSeq(text, "\n") {
		if _, path, ok := strings.Cut(line, "_file = "); ok {
			path = strings.Trim(path, `"`)
			if !given[path] {
				t.Errorf("the container has no %s", path)
			}
			delete(given, path)
		}
	}
	if len(given) > 0 {
		t.Errorf("the configuration does not use %v", given)
	}
	if grace := cfg.Settings.ShutdownGraceSeconds.Duration(); berry.StopGracePeriod == nil || grace+5*time.Second > time.Duration(*berry.StopGracePeriod) {
		t.Errorf("Berry wants %v to end, and has %v", grace, berry.StopGracePeriod)
	}
	for name, s := range p.Services {
		if s.Deploy == nil || s.Deploy.Resources.Limits == nil || s.Deploy.Resources.Limits.MemoryBytes == 0 {
			t.Errorf("%s has no limit of memory", name)
		}
	}
	if scrape := read(t, "compose/prometheus.yml"); !strings.Contains(scrape, `["berry-api:3001"]`) {
		t.Error("Prometheus does not ask the admin address")
	}
}
