"""Kinds of `storage.k8s.io`: stored and checked; a kubelet and CSI drivers act upon them."""
