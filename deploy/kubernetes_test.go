package deploy_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

// kind is what every object says of itself.
type kind struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
}

// manifests decodes every object into Kubernetes' own types: a field that they
// do not know, or one of a wrong type, is an error. What belongs to others, the
// ServiceMonitor and the kustomization, is looked at by its own tests.
func manifests(t *testing.T) map[string]any {
	t.Helper()
	out := map[string]any{}
	for _, pattern := range []string{"kubernetes/*.yaml", "kubernetes/optional/*.yaml"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %d files", pattern, err, len(files))
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for text := range bytes.SplitSeq(data, []byte("\n---\n")) {
				name, object := decode(t, file, text)
				if object == nil {
					continue
				}
				if _, twice := out[name]; twice {
					t.Errorf("%s is there twice", name)
				}
				out[name] = object
			}
		}
	}
	return out
}

func decode(t *testing.T, file string, text []byte) (name string, object any) {
	t.Helper()
	var k kind
	if err := yaml.Unmarshal(text, &k); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	switch k.APIVersion + " " + k.Kind {
	case "v1 ConfigMap":
		object = new(corev1.ConfigMap)
	case "v1 Secret":
		object = new(corev1.Secret)
	case "v1 Service":
		object = new(corev1.Service)
	case "apps/v1 Deployment":
		object = new(appsv1.Deployment)
	case "policy/v1 PodDisruptionBudget":
		object = new(policyv1.PodDisruptionBudget)
	case "networking.k8s.io/v1 NetworkPolicy":
		object = new(networkingv1.NetworkPolicy)
	case "autoscaling/v2 HorizontalPodAutoscaler":
		object = new(autoscalingv2.HorizontalPodAutoscaler)
	case "kustomize.config.k8s.io/v1beta1 Kustomization", "monitoring.coreos.com/v1 ServiceMonitor":
		return "", nil
	default:
		t.Fatalf("%s: a %s %s is not expected", file, k.APIVersion, k.Kind)
	}
	if err := yaml.UnmarshalStrict(text, object); err != nil {
		t.Errorf("%s: %v", file, err)
	}
	named := object.(interface{ GetName() string })
	return k.Kind + "/" + named.GetName(), object
}

func object[T any](t *testing.T, all map[string]any, name string) T {
	t.Helper()
	o, ok := all[name].(T)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	return o
}

// A field that does not exist must not pass: that is what the decoding is for.
func TestManifestsAreStrict(t *testing.T) {
	good := read(t, "kubernetes/deployment.yaml")
	for _, bad := range []string{
		replaced(t, good, "  replicas: 2", "  replica: 2"),
		replaced(t, good, "  replicas: 2", "  replicas: two"),
		replaced(t, good, "readOnlyRootFilesystem", "readonlyRootFileSystem2"),
	} {
		if yaml.UnmarshalStrict([]byte(bad), new(appsv1.Deployment)) == nil {
			t.Errorf("passes:\n%s", bad)
		}
	}
}

// The manifests fit each other, and what Berry does.
func TestManifests(t *testing.T) {
	all := manifests(t)
	pod := object[*appsv1.Deployment](t, all, "Deployment/berry-api").Spec.Template
	c := pod.Spec.Containers[0]
	files := object[*corev1.ConfigMap](t, all, "ConfigMap/berry-api").Data
	cfg := loads(t, "/etc/berry-api/config/config.toml", files["config.toml"])

	// The configuration is where the program looks for it, in a volume that a change reaches.
	mounts := map[string]string{}
	for _, m := range c.VolumeMounts {
		mounts[m.MountPath] = m.Name
		if m.SubPath != "" {
			t.Errorf("%s has a subPath: a change would never arrive", m.MountPath)
		}
	}
	if c.Env[0] != (corev1.EnvVar{Name: "CONFIG_PATH", Value: "/etc/berry-api/config/config.toml"}) || mounts["/etc/berry-api/config"] != "config" {
		t.Errorf("the configuration is looked for at %v, mounted are %v", c.Env[0], mounts)
	}
	// Every secret file that the configuration names is in the secret.
	secrets := object[*corev1.Secret](t, all, "Secret/berry-api").StringData
	for line := range strings.SplitSeq(files["config.toml"], "\n") {
		_, path, ok := strings.Cut(line, "_file = \"/etc/berry-api/secrets/")
		if ok && secrets[strings.TrimSuffix(path, `"`)] == "" {
			t.Errorf("the secret lacks the file of %q", strings.TrimSpace(line))
		}
	}

	ports := map[string]string{}
	for _, p := range c.Ports {
		ports[p.Name] = fmt.Sprintf("0.0.0.0:%d", p.ContainerPort)
	}
	if ports["http"] != cfg.Settings.BindAddress || ports["admin"] != cfg.Settings.AdminBindAddress {
		t.Errorf("ports %v, but Berry listens on %s and %s", ports, cfg.Settings.BindAddress, cfg.Settings.AdminBindAddress)
	}
	for _, name := range []string{"Service/berry-api", "Service/berry-api-admin"} {
		s := object[*corev1.Service](t, all, name)
		if p := s.Spec.Ports[0]; ports[p.TargetPort.String()] == "" || pod.Labels["app.kubernetes.io/name"] != s.Spec.Selector["app.kubernetes.io/name"] {
			t.Errorf("%s leads to %v of %v", name, p.TargetPort.String(), s.Spec.Selector)
		}
	}

	pause := *pod.Spec.TerminationGracePeriodSeconds - c.Lifecycle.PreStop.Sleep.Seconds
	if grace := int64(cfg.Settings.ShutdownGraceSeconds.Duration().Seconds()); pause < grace+5 {
		t.Errorf("Berry has %d s to end, and wants %d s and 5 s to join", pause, grace)
	}
	probes(t, c)
}

// The paths that the probes ask are answered by a running Berry.
func probes(t *testing.T, c corev1.Container) {
	t.Helper()
	url := berry(t, "[providers.p]\nbase_url = \"http://127.0.0.1:1\"\nhealth_check = \"off\"\n"+
		"[models.m]\n[[models.m.backends]]\nprovider = \"p\"\nmodel = \"m\"\n[users.u]\ntoken = \"probe-token-canary-21\"\n")
	for what, p := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if p.HTTPGet.Port.String() != "http" {
			t.Errorf("%s asks port %v", what, p.HTTPGet.Port)
		}
		if status := get(t, url+p.HTTPGet.Path); status != 200 {
			t.Errorf("%s: %s answers %d", what, p.HTTPGet.Path, status)
		}
	}
}

func TestKustomization(t *testing.T) {
	var k struct {
		kind
		Resources []string `json:"resources"`
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, "kubernetes/kustomization.yaml")), &k); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("kubernetes/*.yaml")
	var want []string
	for _, f := range files {
		if name := filepath.Base(f); name != "kustomization.yaml" {
			want = append(want, name)
		}
	}
	if !slices.Equal(k.Resources, want) {
		t.Errorf("resources %v, files %v", k.Resources, want)
	}
}

// The monitor selects the admin service, by its labels and its port's name.
func TestServiceMonitor(t *testing.T) {
	var m struct {
		kind
		Metadata struct {
			Name   string            `json:"name"`
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
		Spec struct {
			Selector struct {
				MatchLabels map[string]string `json:"matchLabels"`
			} `json:"selector"`
			Endpoints []struct {
				Port     string `json:"port"`
				Path     string `json:"path"`
				Interval string `json:"interval"`
			} `json:"endpoints"`
		} `json:"spec"`
	}
	if err := yaml.UnmarshalStrict([]byte(read(t, "kubernetes/optional/servicemonitor.yaml")), &m); err != nil {
		t.Fatal(err)
	}
	s := object[*corev1.Service](t, manifests(t), "Service/berry-api-admin")
	for key, value := range m.Spec.Selector.MatchLabels {
		if s.Labels[key] != value {
			t.Errorf("the service has %s=%s, the monitor looks for %s", key, s.Labels[key], value)
		}
	}
	if e := m.Spec.Endpoints[0]; e.Port != s.Spec.Ports[0].Name || e.Path != "/prometheus" {
		t.Errorf("the monitor asks %v", e)
	}
}
