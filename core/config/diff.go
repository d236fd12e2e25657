package config

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Changes is what a reload changes, by id. All lists are sorted and none is nil.
type Changes struct {
	Providers Changed `json:"providers"`
	Models    Changed `json:"models"`
	Users     Changed `json:"users"`
	// Settings are the keys below [settings] whose value changed, as log_level
	// or tls.cert_file.
	Settings []string `json:"settings"`
}

// Changed is what changed among the tables of one kind.
type Changed struct {
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
	Changed []string `json:"changed"`
}

// Diff compares two loaded configurations. A secret that changed counts as a
// change of what it belongs to.
func Diff(old, next *Config) Changes {
	c := Changes{
		Providers: diffTables(old.Providers, next.Providers),
		Models:    diffTables(old.Models, next.Models),
		Users:     diffTables(old.Users, next.Users),
		Settings:  []string{},
	}
	c.diffSettings("", reflect.ValueOf(old.Settings), reflect.ValueOf(next.Settings))
	slices.Sort(c.Settings)
	return c
}

// IsEmpty reports whether nothing changes.
func (c Changes) IsEmpty() bool {
	return len(c.Settings) == 0 && c.Providers.isEmpty() && c.Models.isEmpty() && c.Users.isEmpty()
}

func (c Changed) isEmpty() bool { return len(c.Added)+len(c.Removed)+len(c.Changed) == 0 }

// Added returns the TOML paths of the tables that are new, as users.ann.
func (c Changes) Added() []string { return c.paths(func(t Changed) []string { return t.Added }) }

// Removed returns the TOML paths of the tables that are gone.
func (c Changes) Removed() []string { return c.paths(func(t Changed) []string { return t.Removed }) }

// Altered returns the TOML paths of the tables and settings that have another
// content.
func (c Changes) Altered() []string {
	out := c.paths(func(t Changed) []string { return t.Changed })
	for _, key := range c.Settings {
		out = append(out, "settings."+key)
	}
	return out
}

func (c Changes) paths(of func(Changed) []string) []string {
	var out []string
	for _, table := range []struct {
		name    string
		changed Changed
	}{{"providers", c.Providers}, {"models", c.Models}, {"users", c.Users}} {
		for _, id := range of(table.changed) {
			out = append(out, pathString([]any{table.name, id}))
		}
	}
	return out
}

func diffTables[T any](old, next map[string]T) Changed {
	c := Changed{[]string{}, []string{}, []string{}}
	var before, now T // one of each for all: DeepEqual takes them to the heap
	for _, id := range slices.Sorted(maps.Keys(next)) {
		var there bool
		before, there = old[id]
		now = next[id]
		switch {
		case !there:
			c.Added = append(c.Added, id)
		case !reflect.DeepEqual(&before, &now):
			c.Changed = append(c.Changed, id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(old)) {
		if _, there := next[id]; !there {
			c.Removed = append(c.Removed, id)
		}
	}
	return c
}

// diffSettings compares the keys of one table, and of the tables in it.
func (c *Changes) diffSettings(prefix string, old, next reflect.Value) {
	for i := range old.NumField() {
		key, _, _ := strings.Cut(old.Type().Field(i).Tag.Get("toml"), ",")
		a, b := old.Field(i), next.Field(i)
		switch {
		case key == "" || key == "-":
		case a.Kind() == reflect.Struct:
			c.diffSettings(prefix+key+".", a, b)
		case !reflect.DeepEqual(a.Interface(), b.Interface()):
			c.Settings = append(c.Settings, prefix+key)
		}
	}
}
