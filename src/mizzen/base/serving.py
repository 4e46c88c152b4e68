"""A replica's UNIX socket for prompts, in a folder that its own user alone may enter.

So nobody else on the machine can stand in for a replica or ask one past the gateway's keys, and
no secret has to be made, passed on or kept. The agent names the socket in the pod's environment,
the gateway finds it by the pod's uid.
"""

from __future__ import annotations

SERVING_DIR = "serving"  # within the node's state folder
SOCKET_VARIABLE = "MIZZEN_SERVING_SOCKET"


def socket_name(pod_uid: str) -> str:
    """The file name of a pod's socket."""
    return f"{pod_uid}.sock"
