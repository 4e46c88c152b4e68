"""What a newcomer reads when the instance is up."""

from __future__ import annotations

from mizzen.compose.settings import Settings
from mizzen.host.home import Home
from mizzen.host.pki import server_url


def ready_text(home: Home, settings: Settings, seconds: float, foreground: bool) -> str:
    """Addresses, the kubeconfig and what to type next."""
    api = server_url(settings.listen, settings.port)
    gateway = server_url(settings.listen, settings.gateway_port).replace("https://", "http://")
    stop = "Ctrl-C stops it." if foreground else "`mizzen down` stops it."
    return "\n".join(
        (
            f"Mizzen is ready after {seconds:.1f} s. {stop}",
            f"  Kubernetes API  {api}",
            f"  OpenAI API      {gateway}/v1",
            f"  kubectl         export KUBECONFIG={home.kubeconfig}",
            "Next: `mizzen train SCRIPT`, `mizzen serve MODEL`, `mizzen ps`, `mizzen status`",
        )
    )
