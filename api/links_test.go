package api_test

import (
	"io/fs"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// The pages of the repository: their links lead somewhere, each is in an index,
// and the two READMEs say the same.

// markdown is every page that people read, by its path.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", ".venv", "bin", "dist", "node_modules", "testdata"}, d.Name()) {
			return fs.SkipDir
		}
		if path.Ext(file) == ".md" {
			text, err := fs.ReadFile(root, file)
			pages[file] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(pages) < 20 {
		t.Fatalf("only %d pages: is this the repository?", len(pages))
	}
	return pages
}

var (
	fenced    = regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$")
	indented  = regexp.MustCompile(`(?m)^(    |\t).*$`)
	spans     = regexp.MustCompile("`[^`\n]+`")
	linked    = regexp.MustCompile(`\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)`)
	headings  = regexp.MustCompile(`(?m)^(#{1,6}) +(.+?) *$`)
	outside   = regexp.MustCompile(`^[a-z]+:`)
	inHeading = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
)

// prose is a page without its code: what looks like a link or a heading there is none.
func prose(text string) string {
	return indented.ReplaceAllString(fenced.ReplaceAllString(text, ""), "")
}

// anchors are the names that the headings of a page can be linked by, made as
// GitHub makes them.
func anchors(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range headings.FindAllStringSubmatch(prose(text), -1) {
		slug := strings.Map(func(r rune) rune {
			switch {
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			case r == ' ':
				return '-'
			}
			return -1
		}, inHeading.ReplaceAllString(m[2], "$1"))
		name := slug
		for n := 1; out[name]; n++ {
			name = slug + "-" + string(rune('0'+n))
		}
		out[name] = true
	}
	return out
}

// broken are the links of the pages that lead nowhere.
func broken(pages map[string]string, exists func(string) bool) (problems []string, seen int) {
	for _, page := range slices.Sorted(maps.Keys(pages)) {
		for _, m := range linked.FindAllStringSubmatch(spans.ReplaceAllString(prose(pages[page]), "code"), -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if outside.MatchString(m[1]) {
				continue
			}
			seen++
			file := page
			if target != "" {
				file = path.Join(path.Dir(page), target)
			}
			text, isPage := pages[file]
			switch {
			case !exists(file):
				problems = append(problems, page+" links to "+m[1]+", which is not there")
			case anchor != "" && isPage && !anchors(text)[anchor]:
				problems = append(problems, page+" links to "+m[1]+", a heading that is not there")
			}
		}
	}
	return problems, seen
}

func TestLinks(t *testing.T) {
	pages := markdown(t)
	problems, seen := broken(pages, func(file string) bool {
		_, err := os.Stat(path.Join("..", file))
		return err == nil
	})
	for _, problem := range problems {
		t.Error(problem)
	}
	if seen < 100 {
		t.Errorf("%d links looked at; are these the pages?", seen)
	}
}

// The checker has to see each kind of link, or its silence means nothing.
func TestLinksChecker(t *testing.T) {
	pages := map[string]string{
		"a.md":   "# A\n[b](d/b.md) [c](c.md) [x](https://x.example/y) [top](#a) [no](#b)\n\n    [code](code.md)\n`[span](span.md)`\n```sh\n[f](f.md)\n```\n",
		"d/b.md": "# `[x.<id>]` and *y*\n## 说明 one\n## Twice\n## Twice\n[a](../a.md#a) [1](#xid-and-y) [2](#说明-one) [3](#twice-1) [4](#twice-2) [e](../e)\n",
	}
	got, _ := broken(pages, func(file string) bool { return pages[file] != "" })
	want := []string{
		"a.md links to c.md, which is not there",
		"a.md links to #b, a heading that is not there",
		"d/b.md links to #twice-2, a heading that is not there",
		"d/b.md links to ../e, which is not there",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// Every page under docs is in the index there, every decision in theirs.
func TestIndexes(t *testing.T) {
	pages := markdown(t)
	for page := range pages {
		index := path.Join(path.Dir(page), "README.md")
		if page == index || !strings.HasPrefix(page, "docs/") {
			continue
		}
		if !strings.Contains(pages[index], "("+path.Base(page)+")") && !strings.Contains(pages[index], "("+path.Base(page)+"#") {
			t.Errorf("%s is not in %s", page, index)
		}
	}
}

// A README's shape: what must be the same in both languages.
type shape struct {
	Headings []string // their levels, and the names that are code
	Code     []string // without comments, which are translated
	Links    []string
	Rows     int // of tables
	Items    int // of lists
}

func shapeOf(text string) shape {
	var s shape
	plain := prose(text)
	for _, m := range headings.FindAllStringSubmatch(plain, -1) {
		s.Headings = append(s.Headings, m[1]+strings.Join(regexp.MustCompile(`berry-cli|Berry API`).FindAllString(m[2], -1), " "))
	}
	comment := regexp.MustCompile(`(?m) *(#|// ).*$`)
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		s.Code = append(s.Code, m[1]+"\n"+comment.ReplaceAllString(m[2], ""))
	}
	for _, m := range linked.FindAllStringSubmatch(plain, -1) {
		target, _, _ := strings.Cut(m[1], "#")
		if target != "README.md" && target != "README.zh-CN.md" {
			s.Links = append(s.Links, target)
		}
	}
	s.Rows = strings.Count(plain, "\n|")
	s.Items = len(regexp.MustCompile(`(?m)^(- |\d+\. )`).FindAllString(plain, -1))
	return s
}

// README.md and README.zh-CN.md have the same sections, commands, blocks of
// code, links in the same order, tables and lists.
func TestReadmesAreAlike(t *testing.T) {
	pages := markdown(t)
	english, chinese := shapeOf(pages["README.md"]), shapeOf(pages["README.zh-CN.md"])
	if len(english.Headings) < 10 || len(english.Code) < 5 {
		t.Fatalf("is this the README? %+v", english)
	}
	if d := cmp.Diff(english, chinese); d != "" {
		t.Errorf("the READMEs differ (-English +Chinese):\n%s", d)
	}
}
