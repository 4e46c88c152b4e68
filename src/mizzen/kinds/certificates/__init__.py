"""Kinds of certificates.k8s.io: requests for certificates, stored and checked for signers."""
