package command

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// gateway starts a server that answers as Berry does, from files of the script:
//
//	gateway NAME TOKEN FOLDER
//
// The URL is $NAME_URL, the address $NAME_HOST. The operator's routes want the
// token. GET /a/b answers with FOLDER/a/b.json, /a/b?after=7 with
// FOLDER/a/b-after-7.json. Where there is FOLDER/a/b.1.json the first request is
// answered with it, the next with FOLDER/a/b.2.json, and so on.
func gateway(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: gateway NAME TOKEN FOLDER")
	}
	name, token, folder := args[0], args[1], ts.MkAbs(args[2])
	refuse := func(w http.ResponseWriter, status int, message string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"message":%q,"type":"invalid_request_error","param":null,"code":"x"}}`, message)
	}
	var mu sync.Mutex
	asked := map[string]int{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		got := r.Header.Get("Authorization")
		switch {
		case !strings.HasPrefix(r.URL.Path, "/admin/"):
		case got == "":
			refuse(w, http.StatusUnauthorized, "no API key")
			return
		case got != "Bearer "+token:
			refuse(w, http.StatusUnauthorized, "not valid: "+got) // a careless server
			return
		}
		file := path.Clean("/" + r.URL.Path)
		if after := r.URL.Query().Get("after"); after != "" {
			file += "-after-" + after
		}
		if _, err := os.Stat(folder + file + ".1.json"); err == nil {
			mu.Lock()
			asked[file]++
			file += "." + strconv.Itoa(asked[file])
			mu.Unlock()
		}
		data, err := os.ReadFile(folder + file + ".json")
		if err != nil {
			refuse(w, http.StatusNotFound, "no decision of the request is kept")
			return
		}
		_, _ = w.Write(data)
	}))
	ts.Defer(srv.Close)
	ts.Setenv(name+"_URL", srv.URL)
	ts.Setenv(name+"_HOST", strings.TrimPrefix(srv.URL, "http://"))
}
