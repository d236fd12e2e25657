package api

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/google/go-cmp/cmp"
)

// docs/openapi.yaml has every route of the router and no other. HEAD is answered
// wherever GET is, and not described apart.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	text, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	path := ""
	for _, m := range regexp.MustCompile(`(?m)^  (/.*):$|^    (get|post|put|patch|delete):`).FindAllStringSubmatch(string(text), -1) {
		if m[1] != "" {
			path = m[1]
		} else {
			documented = append(documented, m[2]+" "+path)
		}
	}
	// What the router takes as the rest of a path is described in parts.
	parts := map[string][]string{
		"/smart-ai/models/{model...}": {"/smart-ai/models/{model}/weights"},
		"/admin/backends/{backend...}": {
			"/admin/backends/{provider}/{model}/drain", "/admin/backends/{provider}/{model}/enable",
		},
	}
	var routes []string
	s := &Server{metrics: newMetrics()}
	for _, rt := range s.router(s.routes()).(*gin.Engine).Routes() {
		if rt.Method == http.MethodHead {
			continue
		}
		described, ok := parts[pattern(rt.Path)]
		if !ok {
			described = []string{strings.ReplaceAll(pattern(rt.Path), "...", "")}
		}
		for _, p := range described {
			routes = append(routes, strings.ToLower(rt.Method)+" "+p)
		}
	}
	slices.Sort(documented)
	slices.Sort(routes)
	if d := cmp.Diff(routes, documented); d != "" {
		t.Errorf("(-routes +documented):\n%s", d)
	}
}
