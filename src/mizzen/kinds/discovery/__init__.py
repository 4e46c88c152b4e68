"""The kinds of discovery.k8s.io: which endpoints are behind a Service."""
