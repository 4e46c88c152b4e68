"""Kinds of `trainer.kubeflow.org`."""
