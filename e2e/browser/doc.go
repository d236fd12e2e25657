// Package browser shows the dashboard to a real browser: Chromium, driven by the
// scripts beside it, opens the page of a real berry-api in front of providers
// that follow a script. ../README.md says how to run it.
package browser
