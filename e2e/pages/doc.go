// Package pages tests what the documentation tells people to type: README.md
// and docs/QUICKSTART.md are walked through in a fresh clone, command by
// command, as a new user would; what the other pages show is compared with what
// the programs, the routes, the metrics and the configuration have.
//
// It holds tests only. The commands are taken from the pages themselves.
package pages
