package scan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"testing"

	"github.com/PPKunOfficial/berry-api/relay/dialect"
	"github.com/PPKunOfficial/berry-api/relay/dialect/openai"
)

// parts is what mime/multipart reads of a form: each part's header and value.
func parts(t *testing.T, body []byte) (all []string) {
	t.Helper()
	for r := multipart.NewReader(bytes.NewReader(body), "b"); ; {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		value, err := io.ReadAll(p)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		switch p.FormName() {
		case "model":
			value = []byte("MODEL")
		case "backend":
			continue
		}
		all = append(all, p.FormName()+"|"+p.FileName()+"|"+string(value))
	}
}

// FuzzForm checks what goes upstream for a form that is let through: the same
// parts in the same order, with the upstream's name of the model, and without
// the part backend; and that no reading of it finds another model.
func FuzzForm(f *testing.F) {
	pieces := []string{
		"--b", "\r\n", "--", "\r\n--b\r\n", "\r\n--b--", "\r\n\r\n", "\n", ";", `"`, "gpt", "true",
		"--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ngpt\r\n",
		"--b\r\nContent-Disposition: form-data; name=\"backend\"\r\n\r\np\r\n",
		"--b\r\nContent-Disposition: form-data; name=\"stream\"\r\n\r\ntrue\r\n",
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n",
		"--b\r\nContent-Disposition: form-data; name=Model\r\n\r\n", "--b--\r\n", "Content-Type: text/plain; charset=utf-8\r\n",
		"Content-Disposition: form-data; name=model\r\n",
	}
	f.Add([]byte{12, 14, 3 + 6, 1, 11, 16})
	f.Add([]byte{11, 12, 16})
	f.Add([]byte{13, 0, 1, 17, 18, 1, 9, 1, 12, 16})
	f.Add([]byte{11, 11, 16})
	f.Add([]byte{15, 9, 1, 11, 16})
	d := openai.New(dialect.Upstream{Base: &url.URL{Scheme: "http", Host: "up", Path: "/v1"}})
	contentType := []string{"multipart/form-data; boundary=b"}
	f.Fuzz(func(t *testing.T, picks []byte) {
		var form []byte
		for _, p := range picks {
			form = append(form, pieces[int(p)%len(pieces)]...)
		}
		scan, e := Form(form, contentType, dialect.Transcriptions)
		if e != nil {
			if e.Status != 400 {
				t.Fatalf("%q: %v", form, e)
			}
			return
		}
		body := dialect.NewBody(len(form))
		body.Set(append(body.Bytes(), form...))
		defer body.Release()
		req, err := d.Encode(context.Background(), &dialect.Request{
			Endpoint: dialect.Transcriptions, Body: body, Scan: scan, Model: []byte(`"up\u002fgpt"`), Header: http.Header{"Content-Type": contentType},
		})
		if err != nil {
			t.Fatalf("%q: %v", form, err)
		}
		defer req.Body.Close()
		sent, err := io.ReadAll(req.Body)
		if err != nil || int64(len(sent)) != req.ContentLength || req.Header.Get("Content-Type") != contentType[0] {
			t.Fatalf("%q became %q of %d: %v %v", form, sent, req.ContentLength, req.Header, err)
		}
		was, is := parts(t, form), parts(t, sent)
		if len(was) != len(is) {
			t.Fatalf("%q became %q", form, sent)
		}
		for i := range was {
			if was[i] != is[i] {
				t.Fatalf("%q became %q", form, sent)
			}
		}
		again, e := Form(sent, contentType, dialect.Transcriptions)
		if e != nil || again.Model != "up/gpt" || again.Backend != "" || again.Stream != scan.Stream {
			t.Fatalf("%q became %q: %+v %v", form, sent, again, e)
		}
	})
}
