// Package config reads, checks and documents Berry's configuration file.
//
// A configuration is a TOML file of four tables: settings, providers
// (accounts somewhere: URL, key, wire format), models (public names, each
// with a strategy and listings of backends) and users. A backend is one
// upstream model at one provider, written provider:model; a listing is a
// backend's entry in a model.
//
// A schema is what the struct tags of [Config] say about every key: default,
// range, choices, meaning. The loader, the template and the documentation all
// read it from there.
//
// A problem is one thing that is wrong, with its place in the file. Loading
// reports all problems at once. A warning is a problem that does not keep the
// configuration from being used.
//
// The server, berry-cli and tests call [Load] or [Parse] at start and for
// every reload, from any goroutine: the package keeps no state. Nobody changes
// a *Config after that.
package config
