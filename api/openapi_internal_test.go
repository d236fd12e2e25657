package api

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// docs/openapi.yaml has every route and no other.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	text, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile(`(?m)^  (/.*):\n    (get|post):`).FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[2]+" "+m[1])
	}
	// What the router takes as the rest of a path is described in parts.
	parts := map[string][]string{
		"/smart-ai/models/{model...}": {"/smart-ai/models/{model}/weights"},
		"/admin/backends/{backend...}": {
			"/admin/backends/{provider}/{model}/drain", "/admin/backends/{provider}/{model}/enable",
		},
	}
	var routes []string
	for _, rt := range new(Server).routes() {
		method := map[string]string{"GET": "get", "POST": "post"}[rt.method]
		described, ok := parts[pattern(rt.path)]
		if !ok {
			described = []string{regexp.MustCompile(`\.\.\.`).ReplaceAllString(pattern(rt.path), "")}
		}
		for _, p := range described {
			routes = append(routes, method+" "+p)
		}
	}
	slices.Sort(documented)
	slices.Sort(routes)
	if d := cmp.Diff(routes, documented); d != "" {
		t.Errorf("(-routes +documented):\n%s", d)
	}
}
