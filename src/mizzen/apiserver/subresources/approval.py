"""The approval of a certificate signing request: the request, of which only the conditions of its
status can be written."""

from mizzen.apiserver import reads, writes

HANDLERS = {"get": reads.get, "update": writes.update, "patch": writes.patch}
