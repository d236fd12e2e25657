package form_test

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/textproto"
	"strings"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/form"
)

// field is a part as a test sees it.
type field struct {
	name, value string
	file, text  bool
}

// read reads a whole form.
func read(body []byte, boundary string) ([]field, error) {
	r := form.NewReader(body, boundary)
	var all []field
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, field{p.Name, string(body[p.ValueStart:p.ValueEnd]), p.File, p.Text})
	}
}

// lines joins a form's lines as they go over the wire.
func lines(s ...string) string { return strings.Join(s, "\r\n") }

func part(header, value string) string { return lines("--b", header, "", value, "") }

const (
	model = `Content-Disposition: form-data; name="model"`
	end   = "--b--\r\n"
)

func TestReaderReads(t *testing.T) {
	f := func(body string, want ...field) {
		t.Helper()
		got, err := read([]byte(body), "b")
		if err != nil {
			t.Errorf("%q: %v", body, err)
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%q: %+v, want %+v", body, got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q: part %d is %+v, want %+v", body, i, got[i], want[i])
			}
		}
	}
	f(end)
	f("--b--")
	f(end + "\r\n\r\n")
	f(part(model, "gpt")+end, field{"model", "gpt", false, true})
	f(part(model, "")+"--b--", field{"model", "", false, true})
	f(part(model, "\r\n--\r\n\n--c\r\n")+end, field{"model", "\r\n--\r\n\n--c\r\n", false, true})
	f(part(`Content-Disposition: form-data; name="file"; filename="a b.mp3"`+"\r\nContent-Type: audio/mpeg", "\x00\xff")+part(model, "m")+end,
		field{"file", "\x00\xff", true, false}, field{"model", "m", false, true})
	// As .NET writes them: without quotes, and a file's name twice.
	f(part(`Content-Disposition: form-data; name=file; filename=a.mp3; filename*=utf-8''a.mp3`, "x")+
		part("Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name=model", "m")+end,
		field{"file", "x", true, false}, field{"model", "m", false, true})
	f(part(model+"\r\nContent-Type: text/plain", "m")+end, field{"model", "m", false, true})
	f(part(model+"\r\nContent-Type: text/plain; charset=utf-16", "m")+end, field{"model", "m", false, false})
	f(part(model+"\r\nContent-Type: text/plain; charset=utf-8; charset=utf-16", "m")+end, field{"model", "m", false, false})
	f(part(model+"\r\nContent-Type: text/plain; charset=ISO-8859-1", "m")+end, field{"model", "m", false, true})
	f(part(model+"\r\nContent-Type: application/json", "1")+end, field{"model", "1", false, false})
	f(part(model+"\r\nContent-Length: 1\r\nContent-Transfer-Encoding: binary", "m")+end, field{"model", "m", false, true})
	f(part(model+"\r\nContent-Transfer-Encoding: 7BIT", "m")+end, field{"model", "m", false, true})
	f(part(model+"\r\nContent-Transfer-Encoding: 8bit", "m")+end, field{"model", "m", false, true})
	f(part(`Content-Disposition: form-data; name="file"; filename*=utf-8''a.mp3`, "x")+end, field{"file", "x", true, false})
	f(part("content-disposition:form-data;name=\"timestamp_granularities[]\"", "word")+end, field{"timestamp_granularities[]", "word", false, true})
	f(part(`Content-Disposition: form-data; name="_charset_"`, "UTF-8")+end, field{"_charset_", "UTF-8", false, true})
	f(part(`Content-Disposition: form-data; name="file"; filename=""`, "")+end, field{"file", "", true, false})
	f(part(`Content-Disposition: form-data; name="file"; filename="C:\x\é.mp3"`, "")+end, field{"file", "", true, false})
}

func TestReaderRefuses(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got, err := read([]byte(body), "b"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.200q: %+v, %v; want %q", body, got, err, want)
		}
	}
	whole := part(model, "gpt") + end
	for n := range len(whole) - len("\r\n") { // every cut, up to the closing boundary
		if got, err := read([]byte(whole[:n]), "b"); err == nil {
			t.Errorf("cut at %d: %+v", n, got)
		}
	}
	f("", "unexpected EOF")
	f(part(model, "gpt"), "unexpected EOF")
	f(part(model, "gpt")+"--b", "unexpected EOF")
	f(part(model, "gpt")+"--b-", "unexpected EOF")
	f("preamble\r\n"+whole, "does not begin")
	f("\r\n"+whole, "does not begin")
	f(whole+"x", "more after its end")
	f(whole+whole, "more after its end")
	f("--b--"+whole, "more after its end")
	f("--b--\n", "more after its end")
	f("--b--\r\n\r", "more after its end")
	f(whole+strings.Repeat("\r\n", 8), "more after its end")
	f(strings.ReplaceAll(whole, "\r\n", "\n"), "inside a part")
	f("--b \r\n"+model+"\r\n\r\nx\r\n"+end, "inside a part")
	f(part(model, "x\n--b\nContent-Disposition: form-data; name=\"model\"\n\ny")+end, "inside a part")
	f(part(model, "x\r--b\r"), "inside a part")
	f(part(model, "x--b")+end, "inside a part")
	f(part(model, "x\r\n--bb")+end, "inside a part")
	f("--b\r\n"+model+"\r\n\r\n"+end, "inside a part") // no line end before the boundary
	f("--b\r\n"+model+"\r\n--b: x\r\n\r\nv\r\n"+end, "no end")
	f(part(model+"\r\nX: "+strings.Repeat("x", 9000), "v")+end, "no end")
	f(part(model+strings.Repeat("\r\nX: x", 20), "v")+end, "two lines x")
	var many strings.Builder
	for i := range 20 {
		many.WriteString("\r\nX" + strings.Repeat("x", i) + ": x")
	}
	f(part(model+many.String(), "v")+end, "more than 16 lines")
	f(strings.Repeat(part(model, "v"), form.MaxParts+1)+end, "more than 1000 parts")

	header := func(h, want string) { t.Helper(); f(part(h, "value")+end, want) }
	header("", "NAME: VALUE")
	f("--b\r\n\r\n"+model+"\r\n\r\nv\r\n"+end, "NAME: VALUE")
	header("X: y", "Content-Disposition")
	header(model+"\r\n"+model, "two lines content-disposition")
	header(model+"\r\nContent-Type: text/plain\r\ncontent-type: text/html", "two lines content-type")
	header(model+";\r\n filename=\"x\"", "parameters")
	header("Content-Disposition : form-data; name=\"model\"", "NAME: VALUE")
	header(" "+model, "NAME: VALUE")
	header(model+"\nX: y", "NAME: VALUE")
	header(model+"\rX: y", "NAME: VALUE")
	header(model+"\x00", "NAME: VALUE")
	header("Content-Disposition: form-data; name=\"mod\xffel\"", "UTF-8")
	header("Content-Disposition: attachment; name=\"model\"", "Content-Disposition")
	header("Content-Disposition: form-data", "Content-Disposition")
	header("Content-Disposition: form-data; name=\"\"", "Content-Disposition")
	header(model+`; name="file"`, "Content-Disposition")
	header(`Content-Disposition: form-data; name="file"; name*=utf-8''model`, "Content-Disposition")
	header(`Content-Disposition: form-data; name*0="mo"; name*1="del"`, "Content-Disposition")
	header(`Content-Disposition: form-data; name="=?utf-8?q?model?="`, "Content-Disposition")
	header(`Content-Disposition: form-data; name="mode\l"`, "Content-Disposition")
	header(`Content-Disposition: form-data; name="file"; filename="a\"; name=\"model"`, "without a quote")
	header(`Content-Disposition: form-data; name="file"; filename="a; name=model"`, "misread")
	header(`Content-Disposition: form-data; name="file"; filename="a; name *=x"`, "misread")
	header(`Content-Disposition: form-data; filename="a"; filename="b"; name="file"`, "Content-Disposition")
	header(`Content-Disposition: form-data; filename*=utf-8''a; filename*=utf-8''b; name="file"`, "Content-Disposition")
	header(`Content-Disposition: form-data; name="file" filename="x"`, "parameters")
	header(`Content-Disposition: form-data; name=a b`, "parameters")
	header(`Content-Disposition: form-data; name="file`, "parameters")
	header(`Content-Disposition: form-data; name="file"; size=3`, "Content-Disposition")
	header(model+"\r\nContent-Length: 3", "Content-Length")
	header(model+"\r\nContent-Length: 05", "Content-Length")
	header(model+"\r\nContent-Transfer-Encoding: base64", "encoded")
	header(model+"\r\nContent-Transfer-Encoding: quoted-printable", "encoded")
	header(model+"\r\nContent-Encoding: gzip", "encoded")
	header(`Content-Disposition: form-data; name="files"`+"\r\nContent-Type: multipart/mixed; boundary=x", "form inside")
	header(`Content-Disposition: form-data; name="files"`+"\r\nContent-Type: message/rfc822", "form inside")
	header(`Content-Disposition: form-data; name="_charset_"`, "UTF-8")
}

func TestBoundary(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got, err := form.Boundary(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	f("multipart/form-data; boundary=abc", "abc")
	f("Multipart/Form-Data;BOUNDARY=abc", "abc")
	f(`multipart/form-data; boundary="a:b=c?"`, "a:b=c?")
	f(`multipart/form-data; charset=UTF-8; boundary=abc`, "abc")
	f(`multipart/form-data; charset=ISO-8859-1; boundary=abc`, "abc") // Apache's client for Java
	f(`multipart/form-data; boundary=`+strings.Repeat("x", 70), strings.Repeat("x", 70))
	f(`multipart/form-data; boundary=`+strings.Repeat("x", 71), "")
	f("multipart/form-data", "")
	f("multipart/form-data; boundary=", "")
	f(`multipart/form-data; boundary=""`, "")
	f(`multipart/form-data; boundary="a b"`, "")
	f("multipart/form-data; boundary=a; boundary=b", "")
	f("multipart/form-data; boundary=a; boundary*=utf-8''b", "")
	f("multipart/form-data; boundary=a; charset=utf-16", "")
	f("multipart/form-data; boundary=a; charset=utf-8; charset=utf-7", "")
	f("multipart/form-data; boundary=a; x=y", "")
	f("multipart/form-data; boundary=a, multipart/form-data; boundary=b", "")
	f(`multipart/form-data; boundary="a\"b"`, "")
	f(`multipart/form-data; boundary="a`, "")
	f("multipart/form-data boundary=a", "")
	f("multipart/mixed; boundary=a", "")
	f("application/json", "")
	f("", "")
}

// TestOtherWriters reads what Go's own writer makes, whatever is in the files.
func TestOtherWriters(t *testing.T) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	file, _ := w.CreateFormFile("file", "speech of a name.mp3")
	noise := bytes.Repeat([]byte("--\r\n--x\r\n\x00\xff"), 1000)
	_, _ = file.Write(noise)
	_ = w.WriteField("model", "m")
	other, _ := w.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="x"`}, "X-More": {"1"}})
	_, _ = other.Write(nil)
	_ = w.Close()
	boundary, err := form.Boundary(w.FormDataContentType())
	if err != nil {
		t.Fatal(err)
	}
	got, err := read(body.Bytes(), boundary)
	want := []field{{"file", string(noise), true, false}, {"model", "m", false, true}, {"x", "", false, true}}
	if err != nil || len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%+v, %v", got, err)
	}
}

// FuzzReader holds Berry's reader against mime/multipart: what Berry reads, it
// reads in the same way, from the Content-Type on.
func FuzzReader(f *testing.F) {
	const plain = "multipart/form-data; boundary=b"
	file := `Content-Disposition: form-data; name="file"; filename="a.mp3"`
	for _, body := range []string{
		end, "--b--", part(model, "gpt") + end, part(file, "\x00\r\n--") + part(model, "m") + end,
		part(model, "x\n--b\ny") + end, part(model+"\r\nContent-Length: 1", "m") + end, "\r\n" + part(model, "m") + end,
		part(model+"\r\nContent-Transfer-Encoding: quoted-printable", "=41") + end,
		part("Content-Disposition: form-data; name=model", "m") + end, part(model, "m") + part(model, "n") + "--b--x",
	} {
		f.Add(plain, []byte(body))
	}
	f.Add(`multipart/form-data; charset="utf-8"; boundary="--"`, []byte("----\r\n"+model+"\r\n\r\nm\r\n------\r\n"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		boundary, err := form.Boundary(contentType)
		if err != nil {
			return
		}
		_, params, err := mime.ParseMediaType(contentType)
		if err != nil || params["boundary"] != boundary {
			t.Fatalf("boundary %q, mime says %q, %v", boundary, params["boundary"], err)
		}
		sameAsMime(t, body, boundary)
	})
}

// sameAsMime checks that a form that is read is read by mime/multipart in the same way.
func sameAsMime(t *testing.T, body []byte, boundary string) {
	t.Helper()
	got, err := read(body, boundary)
	if err != nil {
		return
	}
	r := multipart.NewReader(bytes.NewReader(body), boundary)
	for i := 0; ; i++ {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			if i != len(got) {
				t.Fatalf("%q: %d parts, mime reads %d", body, len(got), i)
			}
			return
		}
		if err != nil || i >= len(got) {
			t.Fatalf("%q: part %d of %d: mime says %v", body, i, len(got), err)
		}
		value, err := io.ReadAll(p)
		if err != nil || p.FormName() != got[i].name || string(value) != got[i].value || p.FileName() != "" && !got[i].file {
			t.Fatalf("%q: part %d: %+v, mime reads %q %q %q, %v", body, i, got[i], p.FormName(), p.FileName(), value, err)
		}
	}
}

// FuzzReaderPieces is FuzzReader over forms put together from pieces that mean
// something: each byte picks one.
func FuzzReaderPieces(f *testing.F) {
	pieces := []string{
		"--b", "\r\n", "--", "--b\r\n", "\r\n--b\r\n", "\r\n--b--", "\r\n\r\n", "\n", "\r", " ", "\t", ";", "=", `"`, "b", "-", "\x00", "é",
		model, model + "\r\n\r\n", `Content-Disposition: form-data; name="file"; filename="a.mp3"` + "\r\n", "Content-Type: text/plain\r\n",
		`; filename*=utf-8''x`, `; filename=x`, `\"`, "Content-Length: 2", "Content-Transfer-Encoding: binary", "Content-Disposition: form-data; name=a", "gpt", "X: y\r\n",
	}
	f.Add([]byte{3, 19, 28, 5})
	f.Add([]byte{3, 20, 21, 1, 28, 4, 19, 28, 5, 1})
	f.Add([]byte{3, 27, 22, 23, 6, 28, 5})
	f.Add([]byte{3, 18, 1, 25, 6, 28, 5})
	f.Fuzz(func(t *testing.T, picks []byte) {
		var body []byte
		for _, p := range picks {
			body = append(body, pieces[int(p)%len(pieces)]...)
		}
		sameAsMime(t, body, "b")
	})
}
