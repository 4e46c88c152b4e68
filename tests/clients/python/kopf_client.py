# pyright: basic, reportMissingImports=false, reportArgumentType=false, reportIndexIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false, reportAttributeAccessIssue=false
"""`kopf`: a small operator of Widgets, and what a user of it sees."""

import os
import sys
import threading
import time
import traceback

import kopf
from kubernetes import client, config

GROUP, VERSION, PLURAL = "clients.example.com", "v1", "widgets"
PLACE = (GROUP, VERSION, PLURAL)


@kopf.on.startup()
def start(settings, **_):
    settings.posting.level = 20
    settings.watching.server_timeout = 10
    settings.persistence.finalizer = "clients.example.com/kopf"


def put(namespace: str, body) -> None:
    """Creates it, or finds it there: kopf runs a handler at least once, not exactly once.

    It does not remember that the handler of deletion succeeded while it waits for a daemon's end, and
    runs it again; where that failed it would try for the next time a minute later.
    """
    try:
        client.CoreV1Api().create_namespaced_config_map(namespace, body)
    except client.ApiException as error:
        if error.status != 409:
            raise


@kopf.on.create(*PLACE)
def make(spec, name, namespace, body, **_):
    if spec.get("size", 0) > 100:
        raise kopf.PermanentError("too big")
    wish = {"metadata": {"name": f"of-{name}"}, "data": {"size": str(spec.get("size"))}}
    kopf.adopt(wish, owner=body)
    put(namespace, wish)
    kopf.info(body, reason="Made", message="its ConfigMap is there")
    return {"made": True}


@kopf.on.field(*PLACE, field="spec.size")
def resized(old, new, name, namespace, **_):
    if old is not None:
        patch = {"data": {"size": str(new)}}
        client.CoreV1Api().patch_namespaced_config_map(f"of-{name}", namespace, patch)


@kopf.on.delete(*PLACE)
def unmake(name, namespace, **_):
    put(namespace, {"metadata": {"name": f"farewell-{name}"}})


@kopf.timer(*PLACE, interval=0.5)
def tick(patch, status, **_):
    patch.status["ticks"] = status.get("ticks", 0) + 1


@kopf.daemon(*PLACE, cancellation_timeout=2)
def follow(stopped, name, namespace, **_):
    put(namespace, {"metadata": {"name": f"followed-{name}"}})
    stopped.wait(100)


@kopf.index("", "v1", "configmaps")
def by_name(name, **_):
    return {name: True}


def until(condition, what: str, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = condition()
        except client.ApiException as error:
            if error.status != 404:
                raise
            found = None
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not in {seconds} s: {what}")


def operate(namespace: str) -> None:
    """an operator: handlers of create, fields and delete, a timer, a daemon, events, adoption"""
    stop = threading.Event()
    ready = threading.Event()
    failed = []

    def serve() -> None:
        try:
            kopf.run(namespaces=[namespace], standalone=True, stop_flag=stop, ready_flag=ready)
        except BaseException as error:  # noqa: BLE001 (told by the main thread)
            failed.append(error)

    operator = threading.Thread(target=serve, daemon=True)
    operator.start()
    assert ready.wait(60) and not failed, failed
    core, custom = client.CoreV1Api(), client.CustomObjectsApi()

    def widget():
        return custom.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, "w")

    body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "Widget", "metadata": {"name": "w"},
            "spec": {"size": 1}}  # fmt: skip
    custom.create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, body)
    read = lambda name: core.read_namespaced_config_map(name, namespace)  # noqa: E731
    made = until(lambda: read("of-w"), "the operator's ConfigMap")
    assert made.metadata.owner_references[0].kind == "Widget"
    until(lambda: widget()["status"].get("make") == {"made": True}, "the handler's result")
    until(lambda: widget()["status"].get("ticks", 0) >= 2, "the timer")
    until(lambda: read("followed-w"), "the daemon")
    custom.patch_namespaced_custom_object(
        GROUP, VERSION, namespace, PLURAL, "w", {"spec": {"size": 2}}
    )
    until(lambda: read("of-w").data["size"] == "2", "the field's handler")
    until(
        lambda: any(e.reason == "Made" for e in core.list_namespaced_event(namespace).items),
        "the operator's Event",
    )
    custom.delete_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, "w")
    until(lambda: read("farewell-w"), "the handler of deletion")

    def gone() -> bool:
        try:
            widget()
        except client.ApiException as error:
            return error.status == 404
        return False

    until(gone, "the object is gone")
    stop.set()
    operator.join(30)
    assert not operator.is_alive() and not failed, failed


if __name__ == "__main__":
    config.load_kube_config()
    try:
        globals()[sys.argv[1]](sys.argv[2])
    except BaseException:  # noqa: BLE001 (the operator's threads would keep the program from its end)
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
