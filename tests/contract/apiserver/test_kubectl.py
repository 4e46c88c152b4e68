"""kubectl, unmodified, against the API server."""

from __future__ import annotations

import json

from support.api_process import ApiServer
from support.kubelet import NODE, kubelet_beside

POD = """
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  labels: {{app: demo}}
spec:
  containers:
  - name: main
    image: mizzen.dev/python
    command: [python, -c, "print('hello')"]
"""
CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, singular: crontab, kind: CronTab, shortNames: [ct]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}
    additionalPrinterColumns: [{name: Spec, type: string, jsonPath: .spec.cronSpec}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties: {cronSpec: {type: string}, replicas: {type: integer}}
          status:
            type: object
            properties: {replicas: {type: integer}}
  - name: v1beta1
    served: true
    storage: false
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""
CRON_TAB = """
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: c1}
spec: {cronSpec: "* * *", replicas: 2}
"""


def test_apply_get_describe_label_patch_delete(api: ApiServer, namespace: str) -> None:
    n = ("-n", namespace)
    assert "created" in api.kubectl(*n, "apply", "-f-", stdin=POD.format(name="p"))
    assert "unchanged" in api.kubectl(*n, "apply", "-f-", stdin=POD.format(name="p"))
    changed = POD.format(name="p").replace("demo", "other")
    assert "configured" in api.kubectl(*n, "apply", "-f-", stdin=changed)
    table = api.kubectl(*n, "get", "pods", "-l", "app in (other, x)")
    assert table.split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert "Pending" in table
    assert "hello" in api.kubectl(*n, "describe", "pod", "p")
    api.kubectl(*n, "label", "pod", "p", "tier=front")
    api.kubectl(*n, "annotate", "pod", "p", "note=x")
    api.kubectl(*n, "patch", "pod", "p", "--type=json",
                "-p", '[{"op":"add","path":"/metadata/labels/more","value":"1"}]')  # fmt: skip
    got = json.loads(api.kubectl(*n, "get", "pod", "p", "-o", "json"))
    assert got["metadata"]["labels"] == {"app": "other", "tier": "front", "more": "1"}
    assert "deleted" in api.kubectl(*n, "delete", "pod", "p")
    missing = api.kubectl_run(*n, "get", "pod", "p")
    assert missing.stderr.strip() == 'Error from server (NotFound): pods "p" not found'


def test_create_commands_send_protobuf(api: ApiServer, namespace: str) -> None:
    n = ("-n", namespace)
    api.kubectl(*n, "create", "configmap", "c", "--from-literal=a=b")
    api.kubectl(*n, "create", "secret", "generic", "s", "--from-literal=a=b")
    api.kubectl(*n, "create", "serviceaccount", "robot")
    api.kubectl(*n, "create", "job", "j", "--image=mizzen.dev/python", "--", "sleep", "1")
    api.kubectl(*n, "create", "service", "clusterip", "s", "--clusterip=None", "--tcp=80:8080")
    assert json.loads(api.kubectl(*n, "get", "cm", "c", "-o", "json"))["data"] == {"a": "b"}
    assert json.loads(api.kubectl(*n, "get", "secret", "s", "-o", "json"))["data"] == {"a": "Yg=="}
    job = json.loads(api.kubectl(*n, "get", "job", "j", "-o", "json"))
    assert job["spec"]["template"]["spec"]["containers"][0]["command"] == ["sleep", "1"]
    api.kubectl(*n, "create", "deployment", "d", "--image=mizzen.dev/python", "--replicas=0")
    deployment = json.loads(api.kubectl(*n, "get", "deployment", "d", "-o", "json"))
    assert deployment["spec"]["replicas"] == 0
    assert deployment["spec"]["selector"] == {"matchLabels": {"app": "d"}}
    api.kubectl(*n, "create", "cronjob", "c", "--image=i", "--schedule=* * * * *")
    api.kubectl(*n, "create", "quota", "q", "--hard=pods=3,requests.cpu=1")
    quota = json.loads(api.kubectl(*n, "get", "quota", "q", "-o", "json"))
    assert quota["spec"]["hard"] == {"pods": "3", "requests.cpu": "1"}
    api.kubectl(*n, "create", "pdb", "p", "--selector=a=b", "--min-available=50%")
    budget = json.loads(api.kubectl(*n, "get", "pdb", "p", "-o", "json"))
    assert budget["spec"]["minAvailable"] == "50%"
    api.kubectl(*n, "create", "ingress", "i", "--rule=example.com/a=s:80")
    api.kubectl(*n, "create", "role", "r", "--verb=get", "--resource=pods")
    api.kubectl(*n, "create", "rolebinding", "b", "--role=r", "--user=ann")
    role = json.loads(api.kubectl(*n, "get", "role", "r", "-o", "json"))
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]


def test_edit_opens_the_object_and_saves_it(api: ApiServer, namespace: str) -> None:
    n = ("-n", namespace)
    api.kubectl(*n, "create", "configmap", "c", "--from-literal=a=before")
    editor = "sed -i s/before/after/"
    assert "edited" in api.kubectl(*n, "edit", "configmap", "c", env={"EDITOR": editor})
    assert json.loads(api.kubectl(*n, "get", "cm", "c", "-o", "json"))["data"] == {"a": "after"}


def test_replace_of_a_stale_object_is_a_conflict(api: ApiServer, namespace: str) -> None:
    n = ("-n", namespace)
    api.kubectl(*n, "create", "configmap", "c", "--from-literal=a=1")
    old = api.kubectl(*n, "get", "cm", "c", "-o", "json")
    api.kubectl(*n, "label", "cm", "c", "x=y")
    refused = api.kubectl_run(*n, "replace", "-f-", stdin=old)
    assert "the object has been modified; please apply your changes" in refused.stderr


def test_unknown_fields_and_kinds_are_refused_clearly(api: ApiServer, namespace: str) -> None:
    wrong = POD.format(name="p").replace("image:", "imaje:")
    refused = api.kubectl_run("-n", namespace, "apply", "-f-", stdin=wrong)
    assert 'unknown field "spec.containers[0].imaje"' in refused.stderr
    assert refused.returncode == 1
    kind = api.kubectl_run("apply", "-f-", stdin=POD.format(name="p").replace("Pod", "Prod"))
    assert 'no matches for kind "Prod" in version "v1"' in kind.stderr


def test_wait_and_watch_see_a_status_change(api: ApiServer, namespace: str) -> None:
    api.kubectl("-n", namespace, "apply", "-f-", stdin=POD.format(name="p"))
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    path = f"/api/v1/namespaces/{namespace}/pods/p/status"
    merge = "application/merge-patch+json"
    assert api.call("PATCH", path, ready, content_type=merge)[0] == 200
    wait = ("wait", "pod/p", "--for=condition=Ready", "--timeout=25s")
    assert "condition met" in api.kubectl("-n", namespace, *wait)
    api.kubectl("-n", namespace, "delete", "pod", "p", "--wait=false")
    api.kubectl("-n", namespace, "wait", "pod/p", "--for=delete", "--timeout=25s")


def test_logs(api: ApiServer, namespace: str) -> None:
    with kubelet_beside(api.home, api.url, api.tokens["admin"]) as known:
        n = ("-n", namespace)
        api.kubectl(*n, "apply", "-f-", stdin=POD.format(name="p"))
        assert "has no node yet" in api.kubectl_run(*n, "logs", "p").stderr
        binding = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": NODE}}
        path = f"/api/v1/namespaces/{namespace}/pods/p"
        assert api.call("POST", f"{path}/binding", binding)[0] == 201
        assert known(namespace, "p")
        uid = json.loads(api.kubectl(*n, "get", "pod", "p", "-o", "json"))["metadata"]["uid"]
        early = api.kubectl_run(*n, "logs", "p")
        assert "waiting to start" in early.stderr
        folder = api.home.node / "pods" / uid / "main"
        folder.mkdir(parents=True)
        moment = "2026-01-01T00:00:0{}.000000000Z"
        old = f"{moment.format(1)} stdout F one\n{moment.format(2)} stderr P tw\n"
        new = f"{moment.format(2)} stderr F o\n{moment.format(3)} stdout F three\n"
        (folder / "0.log").write_text(f"{moment.format(0)} stdout F earlier run\n")
        (folder / "1.log.1").write_text(old)
        (folder / "1.log").write_text(new)
        assert api.kubectl(*n, "logs", "p") == "one\ntwo\nthree\n"
        assert api.kubectl(*n, "logs", "p", "--tail=1") == "three\n"
        assert api.kubectl(*n, "logs", "p", "--previous") == "earlier run\n"
        assert (
            api.kubectl(*n, "logs", "p", "--timestamps", "--tail=1")
            == f"{moment.format(3)} three\n"
        )
        assert api.kubectl(*n, "logs", "p", "--limit-bytes=5") == "one\nt"
        assert api.kubectl(*n, "logs", "p", "--since-time=2026-01-01T00:00:03Z") == "three\n"
        wrong = api.kubectl_run(*n, "logs", "p", "-c", "nope")
        assert "container nope is not valid for pod p" in wrong.stderr
        finished = {"status": {"phase": "Succeeded"}}
        api.call("PATCH", f"{path}/status", finished, content_type="application/merge-patch+json")
        assert api.kubectl(*n, "logs", "p", "--follow") == "one\ntwo\nthree\n"


def test_explain_and_api_resources(api: ApiServer) -> None:
    assert "FIELD: image <string>" in api.kubectl("explain", "pod.spec.containers.image")
    listed = api.kubectl("api-resources", "-o", "name").split()
    for name in ("pods", "trainjobs.trainer.kubeflow.org", "resourceclaims.resource.k8s.io"):
        assert name in listed
    assert "Server Version: v1.36" in api.kubectl("version")


def test_a_custom_kind_is_served_at_once(api: ApiServer, namespace: str) -> None:
    n = ("-n", namespace)
    api.kubectl("apply", "-f-", stdin=CRD)
    crd = "crd/crontabs.stable.example.com"
    api.kubectl("wait", "--for=condition=Established", crd, "--timeout=25s")
    api.kubectl(*n, "apply", "-f-", stdin=CRON_TAB)
    assert "* * *" in api.kubectl(*n, "get", "ct")
    more = CRON_TAB.replace("* * *", "1 * *")
    assert "1 * *" in api.kubectl_run(*n, "diff", "-f-", stdin=more).stdout
    assert "configured" in api.kubectl(*n, "apply", "-f-", stdin=more)
    assert "unchanged" in api.kubectl(*n, "apply", "-f-", stdin=more)
    assert "not supported by" in api.kubectl_run(*n, "patch", "ct", "c1", "-p", "{}").stderr
    api.kubectl(*n, "scale", "ct/c1", "--replicas=5")
    other = (
        "get",
        "crontabs.v1beta1.stable.example.com",
        "c1",
        "-o",
        "jsonpath={.apiVersion} {.spec}",
    )
    assert api.kubectl(*n, *other).startswith("stable.example.com/v1beta1 ")
    assert json.loads(api.kubectl(*n, "get", "ct", "c1", "-o", "json"))["spec"]["replicas"] == 5
    wrong = CRON_TAB.replace("cronSpec", "cronSpeck")
    refused = api.kubectl_run(*n, "apply", "-f-", stdin=wrong)
    assert 'unknown field "spec.cronSpeck"' in refused.stderr
    assert "cronSpec" in api.kubectl("explain", "crontab.spec")
    api.kubectl("delete", crd, "--timeout=25s")
    gone = api.kubectl_run(*n, "get", "ct")
    assert gone.returncode == 1


def test_events_and_field_selectors(api: ApiServer, namespace: str) -> None:
    event = {
        "metadata": {"generateName": "e-", "namespace": namespace},
        "involvedObject": {"kind": "Pod", "name": "p", "namespace": namespace, "apiVersion": "v1"},
        "reason": "Tested",
        "message": "it was tested",
        "type": "Normal",
    }
    assert api.call("POST", f"/api/v1/namespaces/{namespace}/events", event)[0] == 201
    n = ("-n", namespace)
    assert "it was tested" in api.kubectl(*n, "events")
    chosen = api.kubectl(*n, "get", "events", "--field-selector", "involvedObject.name=p")
    assert "Tested" in chosen
    other = api.kubectl_run(*n, "get", "events", "--field-selector", "involvedObject.name!=p")
    assert "No resources found" in other.stderr


def test_what_is_not_served_says_so(api: ApiServer, namespace: str) -> None:
    n = ("-n", namespace)
    api.kubectl(*n, "apply", "-f-", stdin=POD.format(name="p"))
    for command in (("exec", "p", "--", "ls"), ("port-forward", "p", "8080:80")):
        refused = api.kubectl_run(*n, *command)
        assert refused.returncode != 0


def test_server_side_apply_asks_before_it_takes_what_others_manage(
    api: ApiServer, namespace: str
) -> None:
    n = ("-n", namespace)
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: '%s'}\n"
    made = api.kubectl(*n, "apply", "--server-side", "-f-", stdin=manifest % 1)
    assert made == "configmap/c serverside-applied\n"
    api.kubectl(*n, "patch", "cm", "c", "--type=merge", "-p", '{"data":{"a":"2","b":"3"}}')
    refused = api.kubectl_run(*n, "apply", "--server-side", "-f-", stdin=manifest % 4)
    assert 'Apply failed with 1 conflict: conflict with "kubectl-patch"' in refused.stderr
    assert ".data.a" in refused.stderr
    forced = ("apply", "--server-side", "--force-conflicts", "-f-")
    api.kubectl(*n, *forced, stdin=manifest % 4)
    assert api.kubectl(*n, "get", "cm", "c", "-o", "jsonpath={.data}") == '{"a":"4","b":"3"}'
    api.kubectl(*n, *forced, stdin=manifest.replace("{a:", "{z:") % 5)
    assert api.kubectl(*n, "get", "cm", "c", "-o", "jsonpath={.data}") == '{"b":"3","z":"5"}'


def test_client_side_apply_is_taken_over_by_server_side_apply(
    api: ApiServer, namespace: str
) -> None:
    n = ("-n", namespace)
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata: {a: '%s'}\n"
    api.kubectl(*n, "apply", "-f-", stdin=manifest % 1)
    api.kubectl(*n, "apply", "--server-side", "-f-", stdin=manifest % 2)
    api.kubectl(*n, "apply", "--server-side", "-f-", stdin=manifest.replace("{a:", "{b:") % 3)
    assert api.kubectl(*n, "get", "cm", "m", "-o", "jsonpath={.data}") == '{"b":"3"}'


def test_deleting_a_namespace_deletes_what_is_in_it(api: ApiServer, namespace: str) -> None:
    n = ("-n", namespace)
    api.kubectl(*n, "create", "configmap", "c", "--from-literal=a=1")
    api.kubectl(*n, "apply", "-f-", stdin=POD.format(name="p"))
    api.kubectl("delete", "namespace", namespace, "--timeout=25s")
    assert api.call("GET", f"/api/v1/namespaces/{namespace}/configmaps/c")[0] == 404
    refused = api.kubectl_run(*n, "create", "configmap", "c")
    assert f'namespaces "{namespace}" not found' in refused.stderr
    kept = api.kubectl_run("delete", "namespace", "default")
    assert "this namespace may not be deleted" in kept.stderr
