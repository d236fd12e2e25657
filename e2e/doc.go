// Package e2e runs real clients (official SDKs and curl) against a real Berry server in front of scripted providers.
// It has tests only. It is a module of its own, outside the workspace, because the SDKs are heavy and nothing of Berry
// may depend on them. README.md says how to run it.
package e2e
