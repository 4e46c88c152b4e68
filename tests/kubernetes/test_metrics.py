"""Metrics of a component beside a real API server: who reads them, by whose word."""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.error
import urllib.request

from support.exposition import value
from support.ports import free_port
from support.second_home import Stage, component, install, kubeconfig_of, until_ready

SCRAPER = "scraper"


def _get(url: str, token: str = "") -> tuple[int, str]:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # it is of the process's own making
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=30, context=context) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def _token(stage: Stage, namespace: str, account: str) -> str:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    call = stage.cluster.call
    await asyncio.to_thread(call, "POST", path, {"metadata": {"name": account}})
    path = f"{path}/{account}/token"
    status, answer = await asyncio.to_thread(call, "POST", path, {"spec": {}})
    assert status == 201, answer
    return str(answer["status"]["token"])


async def test_who_may_read_metrics_is_the_clusters_to_say(stage: Stage) -> None:
    """The identity that `mizzen install` makes suffices to look up who asks."""
    await install(stage)
    namespace = stage.namespace
    token = await _token(stage, namespace, SCRAPER)
    address = f"127.0.0.1:{free_port()}"
    flag = f"--metrics-bind-address={address}"
    async with component(
        "scheduler", await kubeconfig_of(stage, "mizzen-scheduler"), flag
    ) as scheduler:
        await until_ready(scheduler)

        async def get(path: str, token: str = "") -> tuple[int, str]:
            return await asyncio.to_thread(_get, f"https://{address}{path}", token)

        for path in ("/livez", "/readyz", "/healthz"):
            assert await get(path) == (200, "ok")
        assert (await get("/metrics"))[0] == 401
        assert (await get("/metrics", "nobodys"))[0] == 401
        status, text = await get("/metrics", token)
        assert status == 403 and f"system:serviceaccount:{namespace}:{SCRAPER}" in text
        binding = {
            "metadata": {"name": "mizzen-test-scraper"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "mizzen-metrics-reader",
            },
            "subjects": [{"kind": "ServiceAccount", "name": SCRAPER, "namespace": namespace}],
        }
        bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
        status, answer = await asyncio.to_thread(stage.cluster.call, "POST", bindings, binding)
        assert status == 201, json.dumps(answer)
        try:

            async def is_let_in() -> bool:
                return (await get("/metrics", token))[0] == 200

            await stage.until(is_let_in, "the role counts, and the refusal is forgotten")
            _, text = await get("/metrics", token)
            assert value(text, "mizzen_scheduler_nodes_handed_over") == 0
        finally:
            path = f"{bindings}/mizzen-test-scraper"
            await asyncio.to_thread(stage.cluster.call, "DELETE", path)
