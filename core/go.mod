module github.com/PPKunOfficial/berry-api/core

go 1.26

require (
	github.com/fsnotify/fsnotify v1.10.1
	github.com/google/go-cmp v0.7.0
	github.com/pelletier/go-toml/v2 v2.4.3
)

require golang.org/x/sys v0.13.0 // indirect
