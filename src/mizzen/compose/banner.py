"""The text shown to newcomers when the instance is up."""

from __future__ import annotations

import shlex

from mizzen.compose.settings import Settings
from mizzen.host.home import Home
from mizzen.host.pki import server_url

_SYNCING = "what runs goes on; new work is taken up once all that is stored is read"


def ready_text(
    home: Home, settings: Settings, seconds: float, *, foreground: bool, syncing: str = ""
) -> str:
    """Addresses, the kubeconfig and what to type next; `syncing` names roles that still read."""
    api = server_url(settings.listen, settings.port)
    gateway = server_url(settings.listen, settings.gateway_port).replace("https://", "http://")
    path = shlex.quote(str(home.kubeconfig))
    # $KUBECONFIG is a list that is split at colons.
    kubectl = f"kubectl --kubeconfig {path}" if ":" in path else f"export KUBECONFIG={path}"
    stop = "Ctrl-C stops it." if foreground else "`mizzen down` stops it."
    return "\n".join(
        (
            f"Mizzen is ready after {seconds:.1f} s. {stop}",
            f"  Kubernetes API  {api}",
            f"  OpenAI API      {gateway}/v1",
            f"  kubectl         {kubectl}",
            *([f"  syncing         {syncing}: {_SYNCING}"] if syncing else []),
            "Next: `mizzen train SCRIPT`, `mizzen serve MODEL`, `mizzen ps`, `mizzen status`",
        )
    )
