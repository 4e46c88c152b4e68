"""The sizes of a pod's containers: the pod, of which only their resources can be written."""

from mizzen.apiserver import reads, writes

HANDLERS = {"get": reads.get, "update": writes.update, "patch": writes.patch}
