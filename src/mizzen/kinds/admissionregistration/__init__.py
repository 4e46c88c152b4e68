"""Kinds of admissionregistration.k8s.io/v1: who is asked about writes, and what must hold."""
