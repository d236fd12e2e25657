package dashboard

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func files(t *testing.T) *Files {
	t.Helper()
	f, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The page and what it loads are all there, and nothing else is.
func TestThePageIsWhole(t *testing.T) {
	f := files(t)
	loaded := []string{}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(string(f.Page(Public).Body), -1) {
		name, ok := strings.CutPrefix(m[1], "./status/")
		if _, known := f.Asset(name); !ok || !known {
			t.Errorf("the page loads %q, which is not served", m[1])
		}
		loaded = append(loaded, name)
	}
	slices.Sort(loaded)
	if d := cmp.Diff([]string{"app.css", "app.js", "icon.svg"}, loaded); d != "" {
		t.Errorf("loaded (-want +got):\n%s", d)
	}
	var embedded []string
	_ = fs.WalkDir(dist, "dist", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		if !d.IsDir() {
			embedded = append(embedded, strings.TrimPrefix(name, "dist/"))
		}
		return nil
	})
	if d := cmp.Diff([]string{"index.html", "licenses.md", "status/app.css", "status/app.js", "status/icon.svg"}, embedded); d != "" {
		t.Errorf("embedded (-want +got):\n%s", d)
	}
	if _, ok := f.Asset("../index.html"); ok {
		t.Error("a path leads out of the folder")
	}
}

// What the policy forbids is not in the files: an inline script or style, or
// something from elsewhere.
func TestNothingInlineAndNothingFromElsewhere(t *testing.T) {
	f := files(t)
	page := string(f.Page(Public).Body)
	for _, bad := range []string{"<style", " style=", "<script>", " onclick", " onload", "javascript:"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	// Names of XML namespaces are addresses that nobody asks.
	names := []string{"http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML", "http://www.w3.org/1999/xhtml", "http://www.w3.org/1999/xlink"}
	for name, file := range f.assets {
		for _, url := range regexp.MustCompile(`https?://[^"'\s)`+"`"+`]+`).FindAllString(string(file.Body), -1) {
			if !slices.Contains(names, url) {
				t.Errorf("%s has the address %s", name, url)
			}
		}
		if strings.Contains(string(file.Body), "sourceMappingURL") {
			t.Errorf("%s names a source map, which is not served", name)
		}
	}
}

func TestPagesDiffer(t *testing.T) {
	f := files(t)
	tags := map[string]bool{}
	for _, d := range []Data{Public, Private, Elsewhere} {
		p := f.Page(d)
		if n := strings.Count(string(p.Body), `<meta name="berry-data" content="`+string(d)+`" />`); n != 1 {
			t.Errorf("%s: said %d times", d, n)
		}
		tags[p.ETag] = true
	}
	if len(tags) != 3 {
		t.Errorf("%d different tags", len(tags))
	}
}
