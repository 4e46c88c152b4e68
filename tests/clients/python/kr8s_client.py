# pyright: basic, reportMissingImports=false
"""`kr8s`, sync."""

import sys
import time

import kr8s
from kr8s.objects import ConfigMap, Deployment, Pod, Service, new_class

SERVE = "import http.server as h, os; h.test(h.SimpleHTTPRequestHandler, port=8000, bind=os.environ['POD_IP'])"


def pod(namespace: str, *command: str) -> Pod:
    container = {"name": "c", "image": "mizzen.dev/python", "command": list(command)}
    made = Pod(
        {
            "metadata": {"name": "p", "namespace": namespace, "labels": {"app": "p"}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
        }
    )
    made.create()
    made.wait("condition=Ready", timeout=60)
    return made


def objects(namespace: str) -> None:
    """get by labels and fields, create, patch, label, annotate, delete and wait for it"""
    made = ConfigMap({"metadata": {"name": "a", "namespace": namespace}, "data": {"k": "1"}})
    made.create()
    made.label({"x": "y"})
    made.annotate({"note": "n"})
    made.patch({"data": {"k": "2"}})
    found = list(kr8s.get("configmaps", namespace=namespace, label_selector={"x": "y"}))
    assert [each.data.k for each in found] == ["2"], found
    named = list(kr8s.get("cm", namespace=namespace, field_selector="metadata.name=a"))
    assert len(named) == 1 and named[0].annotations["note"] == "n"
    made.refresh()
    made.delete()
    made.wait("delete", timeout=20)
    assert not made.exists()


def scaled(namespace: str) -> None:
    """a Deployment scaled and waited for, its pods found by their owner's selector"""
    container = {"name": "c", "image": "mizzen.dev/python", "command": ["sleep", "100"]}
    template = {
        "metadata": {"labels": {"app": "d"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
    }
    made = Deployment(
        {
            "metadata": {"name": "d", "namespace": namespace},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": {"app": "d"}},
                "template": template,
            },
        }
    )
    made.create()
    made.scale(2)
    deadline = time.monotonic() + 60
    # not made.wait: kr8s raises while the path leads to nothing, as it does until one is ready
    while made.raw["status"].get("readyReplicas") != 2:
        assert time.monotonic() < deadline, made.raw["status"]
        time.sleep(0.1)
        made.refresh()
    assert len(made.pods()) == 2
    made.delete(propagation_policy="Foreground")


def streams(namespace: str) -> None:
    """exec, logs, port-forward to a pod and to a Service's pod"""
    import httpx

    made = pod(namespace, "python", "-u", "-c", f"print('hello'); {SERVE}")
    done = made.exec(["echo", "there"])
    assert done.stdout.strip() == b"there", done
    deadline = time.monotonic() + 60
    while "hello" not in "\n".join(made.logs()):
        assert time.monotonic() < deadline, "no log"
        time.sleep(0.1)
    service = Service(
        {
            "metadata": {"name": "s", "namespace": namespace},
            "spec": {"selector": {"app": "p"}, "ports": [{"port": 80, "targetPort": 8000}]},
        }
    )
    service.create()
    for target in (made, service):
        with target.portforward(remote_port=8000, local_port="auto") as local:
            deadline = time.monotonic() + 60
            while True:  # until the program listens
                try:
                    assert httpx.get(f"http://localhost:{local}", timeout=20).status_code == 200
                    break
                except httpx.TransportError:
                    assert time.monotonic() < deadline, "nobody answers"
                    time.sleep(0.2)
    made.delete()


def custom(namespace: str) -> None:
    """a custom kind by a class made for it; watch of it"""
    widget = new_class(
        kind="Widget", version="clients.example.com/v1", namespaced=True, asyncio=False
    )
    made = widget({"metadata": {"name": "w", "namespace": namespace}, "spec": {"size": 1}})
    made.create()
    made.patch({"spec": {"size": 2}})
    for event, each in kr8s.watch("widgets.clients.example.com", namespace=namespace):
        assert (event, each.spec.size) == ("ADDED", 2)
        break
    made.delete()


def asked(namespace: str) -> None:
    """version, api-resources, whoami"""
    api = kr8s.api()
    assert int(api.version()["minor"].rstrip("+")) >= 36
    assert {"pods", "deployments", "widgets"} <= {each["name"] for each in api.api_resources()}
    assert api.whoami()


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
