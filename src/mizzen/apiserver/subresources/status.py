"""The status of an object: the object as it is, of which only the status can be written."""

from mizzen.apiserver import reads, writes

HANDLERS = {"get": reads.get, "update": writes.update, "patch": writes.patch}
