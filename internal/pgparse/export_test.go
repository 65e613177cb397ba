//go:build cgo && linux && !musl

package pgparse

// Decode is decode, for tests.
var Decode = decode
