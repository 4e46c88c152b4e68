# pyright: basic, reportMissingImports=false, reportArgumentType=false, reportIndexIssue=false
# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false, reportAttributeAccessIssue=false
"""`kubernetes`, the official Python client."""

import sys
import threading
import time

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes.stream import portforward, stream

SERVER = "import http.server as h, os; h.test(h.SimpleHTTPRequestHandler, port=8000, bind=os.environ['POD_IP'])"


def pod(name: str, *command: str, **spec) -> client.V1Pod:
    container = client.V1Container(name="c", image="mizzen.dev/python", command=list(command))
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, labels={"app": name}),
        spec=client.V1PodSpec(containers=[container], restart_policy="Never", **spec),
    )


def until(condition, what: str, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not in {seconds} s: {what}")


def run_pod(core: client.CoreV1Api, namespace: str, *command: str) -> None:
    core.create_namespaced_pod(namespace, pod("p", *command))
    phase = lambda: core.read_namespaced_pod("p", namespace).status.phase == "Running"  # noqa: E731
    until(phase, "pod p runs")


def typed(namespace: str) -> None:
    """create, read, list, patch, replace with conflicts, delete by options"""
    core = client.CoreV1Api()
    body = client.V1ConfigMap(metadata={"name": "a", "labels": {"x": "1"}}, data={"k": "1"})
    made = core.create_namespaced_config_map(namespace, body, dry_run="All")
    assert core.list_namespaced_config_map(namespace, label_selector="x").items == []
    made = core.create_namespaced_config_map(namespace, body)
    core.patch_namespaced_config_map("a", namespace, {"data": {"k": "2"}})
    made.data = {"k": "3"}
    try:
        core.replace_namespaced_config_map("a", namespace, made)
    except client.ApiException as error:
        assert (error.status, error.reason) == (409, "Conflict"), error
    else:
        raise AssertionError("a stale object was replaced")
    for number in range(5):
        core.create_namespaced_config_map(namespace, {"metadata": {"generateName": f"g{number}-"}})
    page = core.list_namespaced_config_map(namespace, limit=2)
    seen = len(page.items)
    while page.metadata._continue:
        page = core.list_namespaced_config_map(
            namespace, limit=2, _continue=page.metadata._continue
        )
        seen += len(page.items)
    assert seen == 7, seen  # kube-root-ca.crt among them
    options = client.V1DeleteOptions(preconditions={"uid": "other"})
    try:
        core.delete_namespaced_config_map("a", namespace, body=options)
    except client.ApiException as error:
        assert error.status == 409
    core.delete_namespaced_config_map("a", namespace, propagation_policy="Foreground")


def watched(namespace: str) -> None:
    """watch: events in order, bookmarks, going on from a revision, the end by a timeout"""
    core = client.CoreV1Api()
    start = core.list_namespaced_config_map(namespace).metadata.resource_version

    def write() -> None:
        for number in range(5):
            core.create_namespaced_config_map(namespace, {"metadata": {"name": f"w{number}"}})
        core.delete_namespaced_config_map("w0", namespace)

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    for event in watch.Watch().stream(
        core.list_namespaced_config_map, namespace, resource_version=start, timeout_seconds=20
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 6:
            break
    writer.join()
    assert seen == [("ADDED", f"w{n}") for n in range(5)] + [("DELETED", "w0")], seen
    again = list(
        watch.Watch().stream(
            core.list_namespaced_config_map, namespace, resource_version=start, timeout_seconds=1
        )
    )
    assert len(again) == 6, again


def dynamically(namespace: str) -> None:
    """dynamic client: discovery, server-side apply with conflicts, a Deployment's rollout"""
    found = dynamic.DynamicClient(client.ApiClient())
    deployments = found.resources.get(api_version="apps/v1", kind="Deployment")
    container = {"name": "c", "image": "mizzen.dev/python", "command": ["sleep", "100"]}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d", "namespace": namespace},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "d"}},
            "template": {
                "metadata": {"labels": {"app": "d"}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
            },
        },
    }
    deployments.server_side_apply(body=body, name="d", namespace=namespace, field_manager="one")

    def ready() -> bool:
        status = deployments.get(name="d", namespace=namespace).status
        return (status.readyReplicas or 0) == 2

    until(ready, "both replicas are ready")
    body["spec"]["replicas"] = 1
    try:
        deployments.server_side_apply(body=body, name="d", namespace=namespace, field_manager="two")
    except dynamic.exceptions.ConflictError as error:
        assert "one" in str(error.body)
    else:
        raise AssertionError("no conflict between two managers")
    deployments.server_side_apply(
        body=body, name="d", namespace=namespace, field_manager="two", force_conflicts=True
    )
    deployments.delete(name="d", namespace=namespace, body={"propagationPolicy": "Foreground"})


def streams(namespace: str) -> None:
    """exec both ways, port-forward and logs of a running pod"""
    core = client.CoreV1Api()
    run_pod(core, namespace, "python", "-c", f"print('hello', flush=True); {SERVER}")
    connect = core.connect_get_namespaced_pod_exec
    said = stream(connect, "p", namespace, command=["echo", "there"], stdout=True)
    assert said.strip() == "there", said
    shell = stream(
        connect, "p", namespace, command=["sh"], stdin=True, stdout=True, stderr=True,
        _preload_content=False,
    )  # fmt: skip
    shell.write_stdin("echo out; echo err >&2; exit 3\n")
    shell.run_forever(timeout=20)
    assert shell.read_stdout() == "out\n" and shell.read_stderr() == "err\n"
    assert shell.returncode == 3, shell.returncode
    until(lambda: "hello" in core.read_namespaced_pod_log("p", namespace), "the pod's log")

    def answered() -> bool:
        forwarded = portforward(
            core.connect_get_namespaced_pod_portforward, "p", namespace, ports="8000"
        )
        connection = forwarded.socket(8000)
        connection.setblocking(True)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.recv(100).startswith(b"HTTP/1.0 200")

    until(answered, "the pod's server answers")
    core.delete_namespaced_pod("p", namespace, grace_period_seconds=0)


def elected(namespace: str) -> None:
    """leader election on a Lease: the second leads when the first stops"""
    led = []

    def stand(name: str) -> None:
        leaderelection.LeaderElection(
            electionconfig.Config(
                LeaseLock("seat", namespace, name),
                lease_duration=5,
                renew_deadline=3,
                retry_period=1,
                onstarted_leading=lambda: led.append(name),
                onstopped_leading=lambda: None,
            )
        ).run()

    for name in ("one", "two"):
        threading.Thread(target=stand, args=(name,), daemon=True).start()
        until(lambda: led, "somebody leads")
    lease = client.CoordinationV1Api().read_namespaced_lease("seat", namespace)
    assert lease.spec.holder_identity == led[0] and len(led) == 1, led


def from_yaml(namespace: str) -> None:
    """manifests of several kinds by utils.create_from_yaml, and what they made"""
    job = pod("j", "true").to_dict()["spec"]
    manifests = [
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"a": "b"}},
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "j"},
            "spec": {
                "template": {
                    "spec": {
                        "restartPolicy": "Never",
                        "containers": [
                            {
                                "name": "c",
                                "image": job["containers"][0]["image"],
                                "command": ["true"],
                            }
                        ],
                    }
                }
            },
        },
    ]
    utils.create_from_dict(
        client.ApiClient(), {"kind": "List", "apiVersion": "v1", "items": manifests},
        namespace=namespace,
    )  # fmt: skip
    batch = client.BatchV1Api()
    until(lambda: batch.read_namespaced_job("j", namespace).status.succeeded, "the job succeeds")


if __name__ == "__main__":
    config.load_kube_config()
    globals()[sys.argv[1]](sys.argv[2])
