// Package deploy is what Berry is shipped with: images, packages, units,
// manifests. There is no code in it but the tests that try them.
package deploy
