package httplb_test

import (
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The program in the module's README compiles.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "## An HTTP client\n")
	_, code, ok2 := strings.Cut(section, "```go\n")
	code, _, ok3 := strings.Cut(code, "```\n")
	if !ok || !ok2 || !ok3 {
		t.Fatal("the README has no program for an HTTP client")
	}
	program := `package main

import (
	"net/http"
	"time"

	"github.com/PPKunOfficial/berry-api/loadbalance/httplb"
)

func build(east, west string) error {
` + code + `
	client.CloseIdleConnections()
	return nil
}

func main() { _ = build("a", "b") }
`
	source, err := format.Source([]byte(program))
	if err != nil {
		t.Fatal(err)
	}
	module, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string]string{
		"main.go": string(source),
		"go.mod": "module outside\n\ngo 1.26\n\nrequire github.com/PPKunOfficial/berry-api/loadbalance v0.0.0\n\n" +
			"replace github.com/PPKunOfficial/berry-api/loadbalance => " + strconv.Quote(module) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	vet := exec.Command("go", "vet", ".")
	vet.Dir = dir
	vet.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off", "GOFLAGS=-mod=mod")
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, source)
	}
}
