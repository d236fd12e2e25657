// Package dashboard is the operator's page: one HTML file with its script, its
// style and its icon, built from source/ and embedded. It knows no route and no
// state; package api serves it and answers what it asks for.
package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// dist is what scripts/dashboard.sh builds; it is committed, so that a build of
// the server needs no Node.
//
//go:embed dist
var dist embed.FS

// Data says what the address that a page came from serves beside it.
type Data string

// The page asks for no more than it will get.
const (
	Public    Data = "public"    // the status views for everybody, the rest for administrators
	Private   Data = "private"   // everything but health for administrators
	Elsewhere Data = "elsewhere" // health; the rest is on the admin address
)

// placeholder is what source/index.html has in the place of a Data.
const placeholder = `content="public"`

// ContentSecurityPolicy is for every file here: nothing inline, nothing from
// elsewhere, and no text that becomes markup.
const ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// File is one that a browser gets. Its fields must not be changed.
type File struct {
	Body        []byte
	ContentType string
	ETag        string // quoted, as the header has it
}

// Files are all that the page consists of. They do not change.
type Files struct {
	pages  map[Data]File
	assets map[string]File
}

// New reads the embedded files. The error is about the build: a file is missing.
func New() (*Files, error) {
	page, err := dist.ReadFile("dist/index.html")
	if err != nil {
		return nil, err
	}
	if bytes.Count(page, []byte(placeholder)) != 1 {
		return nil, fmt.Errorf("dashboard: index.html has not exactly one %s", placeholder)
	}
	f := &Files{pages: map[Data]File{}, assets: map[string]File{}}
	for _, d := range []Data{Public, Private, Elsewhere} {
		body := bytes.Replace(page, []byte(placeholder), []byte(`content="`+string(d)+`"`), 1)
		f.pages[d] = newFile("index.html", body)
	}
	const folder = "dist/status"
	err = fs.WalkDir(dist, folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := dist.ReadFile(name)
		f.assets[strings.TrimPrefix(name, folder+"/")] = newFile(name, body)
		return err
	})
	return f, err
}

func newFile(name string, body []byte) File {
	hash := sha256.Sum256(body)
	return File{Body: body, ContentType: contentType(name), ETag: `"` + base64.RawURLEncoding.EncodeToString(hash[:12]) + `"`}
}

// contentType is fixed: what package mime says depends on the machine.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return "application/octet-stream"
}

// Page is the HTML. It refers to the assets as status/NAME, so it must be served
// in the folder that their route is in.
func (f *Files) Page(d Data) File { return f.pages[d] }

// Asset returns one of the files that the page loads, by its name under status/.
func (f *Files) Asset(name string) (File, bool) {
	a, ok := f.assets[name]
	return a, ok
}
