package api_test

import (
	"net/http"
	"strings"
	"testing"
)

// A form in which two servers could find two models reaches no backend; the one
// that is allowed is pool.
func TestAttackTwoModelsInAForm(t *testing.T) {
	b := start(t, setup{})
	f := func(contentType, body string) {
		t.Helper()
		a := b.ask(http.MethodPost, "/v1/audio/transcriptions", narrowTok, withBody(body), func(r *http.Request) { r.Header.Set("Content-Type", contentType) })
		if a.status != 400 || a.code() != "invalid_form" && a.code() != "invalid_value" {
			t.Errorf("%.300q: %d %s", body, a.status, a.body)
		}
	}
	const multi, end = "multipart/form-data; boundary=b", "--b--\r\n"
	part := func(header, value string) string { return "--b\r\n" + header + "\r\n\r\n" + value + "\r\n" }
	named := func(name string) string { return `Content-Disposition: form-data; name="` + name + `"` }
	pool, other := part(named("model"), "pool"), part(named("model"), "org/m1")
	f(multi, pool+other+end)
	f(multi, other+pool+end)
	f(multi, pool+end+other+end)
	f(multi, end+other+end)
	f(multi, pool+other)
	f(multi, other+"preamble\r\n"+pool+end)
	f(multi, strings.ReplaceAll(other, "\r\n", "\n")+pool+end)
	f(multi, pool+strings.ReplaceAll(other, "\r\n", "\n")+end)
	f(multi, pool+part(named("file"), "\n"+strings.ReplaceAll(other, "\r\n", "\n"))+end)
	f(multi, pool+part(named("file"), "\r"+strings.ReplaceAll(other, "\r\n", "\r"))+end)
	f(multi, pool+part(named("file"), "x"+other)+end)
	f(multi, pool+strings.Replace(other, "--b\r\n", "--b \t\r\n", 1)+end)
	f(multi, pool+strings.Replace(other, "model", "MODEL", 1)+end)
	f(multi, pool+strings.Replace(other, "model", "model[]", 1)+end)
	f(multi, pool+strings.Replace(other, "model", " model", 1)+end)
	f(multi, pool+strings.Replace(other, "model", "=?utf-8?q?model?=", 1)+end)
	f(multi, pool+strings.Replace(other, "\"model\"", `"mode\l"`, 1)+end)
	f(multi, pool+strings.Replace(other, `name="model"`, `name="x"; name="model"`, 1)+end)
	f(multi, pool+strings.Replace(other, `name="model"`, `name="x"; name*=utf-8''model`, 1)+end)
	f(multi, pool+strings.Replace(other, `name="model"`, `name="x"; filename="y\"; name=\"model"`, 1)+end)
	f(multi, pool+strings.Replace(other, `name="model"`, `name="x"; filename="y; name=model"`, 1)+end)
	f(multi, part(named("model")+"; filename=\"m\"", "pool")+end)
	f(multi, part(named("x")+"\r\n"+named("model"), "pool")+end)
	f(multi, part(named("x")+"\r\n "+named("model"), "pool")+end)
	f(multi, part(named("x")+"\n"+named("model"), "pool")+end)
	f(multi, part(named("model")+"\r\nContent-Transfer-Encoding: base64", "cG9vbA==")+end)
	f(multi, part(named("model")+"\r\nContent-Type: text/plain; charset=utf-7", "pool")+end)
	f(multi, part(named("_charset_"), "utf-16le")+pool+end)
	f(multi, part(named("x")+"\r\nContent-Length: 60", "y")+pool+end)
	f(multi, part(named("x")+"\r\nContent-Type: multipart/mixed; boundary=c", "--c\r\n"+named("model")+"\r\n\r\norg/m1\r\n--c--")+pool+end)
	f(multi+"; boundary=c", pool+end)
	f(multi+"; boundary*=utf-8''c", pool+end)
	f(multi+", multipart/form-data; boundary=c", pool+end)
	f(`multipart/form-data; boundary="b`, pool+end)
	f("multipart/mixed; boundary=b", pool+end)
	f(multi, strings.Repeat(part(named("x"), "y"), 1001)+pool+end)
	if n := b.upstream(); n != 0 {
		t.Errorf("%d requests went upstream", n)
	}
	a := b.ask(http.MethodPost, "/v1/audio/transcriptions", narrowTok, withBody(part(named("file")+`; filename="a.mp3"`, "sound")+pool+end), func(r *http.Request) { r.Header.Set("Content-Type", multi) })
	if a.status != 200 || b.upstream() != 1 {
		t.Errorf("the good form: %d %s", a.status, a.body)
	}
	a = b.ask(http.MethodPost, "/v1/audio/transcriptions", narrowTok, withBody(other+end), func(r *http.Request) { r.Header.Set("Content-Type", multi) })
	if a.status != 403 || a.code() != "model_not_allowed" {
		t.Errorf("the other model: %d %s", a.status, a.body)
	}
}
