package api

import (
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/PPKunOfficial/berry-api/core/config"
)

// config shows the running configuration, secrets masked, under the keys that
// the file has.
func (x *exchange) config() {
	rt, loaded := x.view.rt, x.server.loaded.Load()
	x.json(http.StatusOK, struct {
		Generation uint64  `json:"generation"`
		LoadedAt   *string `json:"loaded_at"`
		File       string  `json:"file"`
		SHA256     string  `json:"sha256"`
		Config     any     `json:"config"`
	}{rt.Generation, stamp(rt.LoadedAt), loaded.Path, loaded.SHA256, tomlView(reflect.ValueOf(*rt.Config))})
}

// loadedView is which configuration runs, and how the last try to change it ended.
type loadedView struct {
	Generation uint64      `json:"generation"`
	LoadedAt   *string     `json:"loaded_at"`
	SHA256     string      `json:"sha256"`
	LastReload *reloadView `json:"last_reload"` // null: there was none
}

type reloadView struct {
	At         *string `json:"at"`
	Successful bool    `json:"successful"`
}

func (x *exchange) loaded() loadedView {
	m, rt := x.server.metrics, x.view.rt
	v := loadedView{Generation: rt.Generation, LoadedAt: stamp(rt.LoadedAt), SHA256: x.server.loaded.Load().SHA256}
	if at := m.reloadAt.Load(); at > 0 {
		v.LastReload = &reloadView{stamp(time.Unix(at, 0)), m.reloadOK.Load()}
	}
	return v
}

// tomlView turns a part of the configuration into what JSON shows of it: the
// keys of the file, secrets masked. The types mask most by themselves; a key
// that its tag calls secret is masked here.
func tomlView(v reflect.Value) any {
	switch x := v.Interface().(type) {
	case config.Secret, config.Headers:
		return x
	}
	switch v.Kind() {
	case reflect.Struct:
		out := map[string]any{}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			key, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			switch {
			case key == "" || key == "-":
			case f.Tag.Get("secret") == "true" && !v.Field(i).IsZero():
				out[key] = "***"
			default:
				out[key] = tomlView(v.Field(i))
			}
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			out[it.Key().String()] = tomlView(it.Value())
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = tomlView(v.Index(i))
		}
		return out
	default:
		return v.Interface()
	}
}
