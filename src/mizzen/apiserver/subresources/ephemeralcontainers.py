"""The ephemeral containers of a pod: the pod, to which only they can be added."""

from mizzen.apiserver import reads, writes

HANDLERS = {"get": reads.get, "update": writes.update, "patch": writes.patch}
