"""The API server that a pod runs on, and the ServiceAccount that the pod is there.

Source: client-go `rest.InClusterConfig`: the address comes from the environment, so that nobody
waits for the cluster's DNS, which may itself wait for a scheduler.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mizzen.base.errors import BadRequest
from mizzen.base.service_accounts import MOUNT_PATH
from mizzen.client.kubeconfig import Connection

ACCOUNT = Path(MOUNT_PATH)
_HOST, _PORT = "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"


def in_cluster(environment: Mapping[str, str], account: Path = ACCOUNT) -> Connection:
    """The connection of a pod with these variables and this mounted ServiceAccount.

    Errors: BadRequest that names what is missing.
    """
    host, port = environment.get(_HOST, ""), environment.get(_PORT, "")
    if not host or not port:
        raise BadRequest(
            f"this process is in no pod of a cluster: {_HOST} and {_PORT} are not set; "
            "outside of one say --kubeconfig FILE"
        )
    token_file = account / "token"
    try:
        token = token_file.read_text().strip()
        authority = (account / "ca.crt").read_text()
    except OSError as error:
        raise BadRequest(
            f"{error.filename} cannot be read: {error.strerror}; the pod needs a ServiceAccount "
            "whose token is mounted (automountServiceAccountToken)"
        ) from error
    return Connection(
        server=f"https://{f'[{host}]' if ':' in host else host}:{port}",
        certificate_authority=authority,
        token=token,
        token_file=str(token_file),
    )
