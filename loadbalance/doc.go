// Package loadbalance picks among alternatives that can fail.
package loadbalance
