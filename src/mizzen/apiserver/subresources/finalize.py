"""The finalizers of a Namespace: once none is left of one that is being deleted, it is gone."""

from mizzen.apiserver import writes

HANDLERS = {"update": writes.update}
