package pages

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the repository's folder.
const root = "../.."

// A block is one piece of code on a page.
type block struct {
	page string // its path in the repository
	line int    // of the first line of code, from 1
	lang string // what stands behind the fence; "" for an indented block
	text string // without fence and indentation
}

// A page is one Markdown file.
type page struct {
	name   string
	blocks []block
	spans  []block // the code between single backticks
}

// read takes the code out of a page.
func read(t *testing.T, dir, name string) page {
	t.Helper()
	text, err := os.ReadFile(path.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return parse(name, string(text))
}

var (
	fence = regexp.MustCompile("^( *)```([a-z]*)$")
	span  = regexp.MustCompile("`([^`\n]+)`")
)

func parse(name, text string) page {
	p := page{name: name}
	var open *block // the block that the current line may go on with
	var indent string
	fenced, blank := false, true
	for i, line := range strings.Split(text, "\n") {
		if m := fence.FindStringSubmatch(line); m != nil {
			if fenced {
				fenced, open, blank = false, nil, false
				continue
			}
			p.blocks = append(p.blocks, block{page: name, line: i + 2, lang: m[2]})
			fenced, open, indent = true, &p.blocks[len(p.blocks)-1], m[1]
			continue
		}
		if fenced {
			open.text += strings.TrimPrefix(line, indent) + "\n"
			continue
		}
		code, indented := strings.CutPrefix(line, "    ")
		switch {
		case indented && open != nil:
			open.text += code + "\n"
		case indented && blank:
			p.blocks = append(p.blocks, block{page: name, line: i + 1, text: code + "\n"})
			open = &p.blocks[len(p.blocks)-1]
		case line == "" && open != nil:
			open.text += "\n"
		default:
			open = nil
			for _, m := range span.FindAllStringSubmatch(line, -1) {
				p.spans = append(p.spans, block{page: name, line: i + 1, text: m[1]})
			}
		}
		blank = line == "" || open != nil
	}
	return p
}

// commands are the commands of a block: its lines, with those that end in a
// backslash joined, without comments. Where lines begin with "$ ", only those are
// commands and the others are what they print.
func (b block) commands() []block {
	var out []block
	prompts := strings.HasPrefix(b.text, "$ ") || strings.Contains(b.text, "\n$ ")
	joined := false
	for i, line := range strings.Split(b.text, "\n") {
		line = strings.TrimRight(line, " ")
		if joined {
			last := &out[len(out)-1]
			last.text += " " + strings.TrimSpace(strings.TrimSuffix(line, `\`))
			joined = strings.HasSuffix(line, `\`)
			continue
		}
		rest, prompt := strings.CutPrefix(line, "$ ")
		rest, _, _ = strings.Cut(rest, "  #")
		if rest = strings.TrimSpace(rest); rest == "" || rest[0] == '#' || prompts && !prompt {
			continue
		}
		joined = strings.HasSuffix(line, `\`)
		out = append(out, block{page: b.page, line: b.line + i, lang: b.lang, text: strings.TrimSpace(strings.TrimSuffix(rest, `\`))})
	}
	return out
}

// allPages are the Markdown files that people read, by their paths.
func allPages(t *testing.T) []page {
	t.Helper()
	var out []page
	err := fs.WalkDir(os.DirFS(root), ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{".git", ".venv", "bin", "dist", "node_modules", "testdata"}, d.Name()) {
			return fs.SkipDir
		}
		if path.Ext(file) == ".md" {
			out = append(out, read(t, root, file))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 20 {
		t.Fatalf("only %d pages: is this the repository?", len(out))
	}
	return out
}

// The reader of pages sees each form of code, or its silence means nothing.
func TestParse(t *testing.T) {
	got := parse("a.md", "Text `one two`.\n\n    make\n    $ no\n\n    more\n\n1. Item\n\n   ```sh\n   curl x \\\n     -d y   # why\n   # only a comment\n   ls\n   ```\n    not code: no blank line before\n")
	want := []block{
		{"a.md", 3, "", "make\n$ no\n\nmore\n\n"},
		{"a.md", 11, "sh", "curl x \\\n  -d y   # why\n# only a comment\nls\n"},
	}
	if !slices.Equal(got.blocks, want) {
		t.Errorf("blocks %+v\nwant   %+v", got.blocks, want)
	}
	if want := []block{{"a.md", 1, "", "one two"}}; !slices.Equal(got.spans, want) {
		t.Errorf("spans %+v, want %+v", got.spans, want)
	}
	if c, want := got.blocks[0].commands(), []block{{"a.md", 4, "", "no"}}; !slices.Equal(c, want) {
		t.Errorf("commands %+v, want %+v", c, want)
	}
	if c, want := got.blocks[1].commands(), []block{{"a.md", 11, "sh", "curl x -d y   # why"}, {"a.md", 14, "sh", "ls"}}; !slices.Equal(c, want) {
		t.Errorf("commands %+v, want %+v", c, want)
	}
}
