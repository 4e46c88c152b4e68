//go:build tools

// Package program pins upstream's conformance program; `run.py` beside it builds and runs it.
package program

import _ "k8s.io/kubernetes/test/e2e"
