package embedding

import (
	"archive/zip"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	library = "github.com/PPKunOfficial/berry-api/loadbalance"
	version = "v0.1.0" // as go.mod requires
)

// A copy of this folder, anywhere, builds with what go.mod says and takes in no
// other module than loadbalance. The module comes from a proxy in a folder that
// is made of the checkout.
func TestOutsideTheRepository(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program from nothing")
	}
	proxy, place := t.TempDir(), t.TempDir()
	publish(t, proxy, filepath.Join("..", "..", "loadbalance"))
	if err := os.CopyFS(place, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) {
		t.Helper()
		c := exec.Command("go", args...)
		c.Dir = place
		c.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=file://"+filepath.ToSlash(proxy), "GOSUMDB=off",
			"GOFLAGS=-modcacherw", "GOMODCACHE="+filepath.Join(proxy, "cache"))
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	run("mod", "tidy")
	run("build", "-o", filepath.Join(place, "bin")+string(filepath.Separator), "./...")
	sum, err := os.ReadFile(filepath.Join(place, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(sum)) {
		if !strings.HasPrefix(line, library+" ") {
			t.Errorf("go.sum has %s", line)
		}
	}
	out, err := exec.Command(filepath.Join(place, "bin", "service")).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "HELLO <nil>\n") {
		t.Errorf("service: %v\n%s", err, out)
	}
}

// publish puts the module in dir into a module proxy's folder, laid out as
// https://go.dev/ref/mod#goproxy-protocol says.
func publish(t *testing.T, proxy, dir string) {
	t.Helper()
	// Capitals are written as ! and the small letter.
	place := filepath.Join(proxy, "github.com", "!p!p!kun!official", "berry-api", "loadbalance", "@v")
	if err := os.MkdirAll(place, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(place, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	write(version+".mod", mod)
	write(version+".info", []byte(`{"Version":"`+version+`"}`))
	write("list", []byte(version+"\n"))
	archive, err := os.Create(filepath.Join(place, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	z := zip.NewWriter(archive)
	err = fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return err
		}
		w, err := z.Create(library + "@" + version + "/" + path)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
