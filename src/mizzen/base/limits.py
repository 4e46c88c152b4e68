"""How large one object may be, whichever way it came to be so."""

OBJECT_BYTES_MAX = 3 << 20  # as JSON: upstream's limit of a request's body, and of etcd's with it
OBJECT_DEPTH_MAX = 254  # objects and lists within each other: as deep as orjson writes
