"""Where pods find what they need to ask the API server, as upstream's admission has it.

Source: plugin/pkg/admission/serviceaccount/admission.go, pkg/serviceaccount/claims.go.
"""

from __future__ import annotations

MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
ROOT_CA = "kube-root-ca.crt"  # the ConfigMap of each namespace
# Tokens that admission gives pods ask for this life, and live for a year: clients that never read
# them again are warned of, not refused.
WARNED_LIFE_S = 60 * 60 + 7
