"""Random sequences of requests, sent to Mizzen's API server and to kube-apiserver, compared."""
