module github.com/PPKunOfficial/berry-api/relay

go 1.26

require (
	github.com/PPKunOfficial/berry-api/core v0.0.0
	github.com/PPKunOfficial/berry-api/loadbalance v0.0.0
	github.com/go-json-experiment/json v0.0.0-20260820222146-c27c302e5fc3
	github.com/google/go-cmp v0.7.0
	github.com/tidwall/gjson v1.20.0
	go.uber.org/goleak v1.3.0
)

require (
	github.com/fsnotify/fsnotify v1.10.1 // indirect
	github.com/pelletier/go-toml/v2 v2.4.3 // indirect
	github.com/tidwall/match v1.1.1 // indirect
	github.com/tidwall/pretty v1.2.0 // indirect
	golang.org/x/sys v0.13.0 // indirect
)

replace (
	github.com/PPKunOfficial/berry-api/core => ../core
	github.com/PPKunOfficial/berry-api/loadbalance => ../loadbalance
)
