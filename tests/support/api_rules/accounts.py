"""Rules of pods' accounts: what a pod gets of its own, and what a node may ask for in its name."""

from __future__ import annotations

from typing import Any

from support.api_rules.registry import rule
from support.api_rules.talk import MERGE, STRATEGIC, Answer, Talk, secret
from support.api_rules.writing import account

WHERE = "/var/run/secrets/kubernetes.io/serviceaccount"
UNKNOWN_UID = "11111111-1111-1111-1111-111111111111"
NODE = {"Impersonate-User": "system:node:n1", "Impersonate-Group": "system:nodes"}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name},
            "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}  # fmt: skip


@rule("a pod has its account's token at the usual place in every container, unless it says not")
def token_volume(api: Talk) -> None:
    space = account(api, api.namespace())
    own = {"name": "own", "image": "i", "volumeMounts": [{"name": "v", "mountPath": WHERE}]}
    spec = {"containers": [{"name": "c", "image": "i"}, own],
            "initContainers": [{"name": "i", "image": "i"}],
            "volumes": [{"name": "v", "emptyDir": {}}]}  # fmt: skip
    answer = api.post(f"{space}/pods", pod("p", **spec))
    made = answer.ok(201)["spec"]
    assert answer.warnings == []
    first, second = made["volumes"]
    name = second["name"]
    assert first["name"] == "v" and name.startswith("kube-api-access-") and len(name) == 21
    assert second["projected"] == {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt",
                           "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {
                "apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}},
        ],
        "defaultMode": 420,
    }  # fmt: skip
    mount = {"name": name, "readOnly": True, "mountPath": WHERE}
    both = [*made["initContainers"], *made["containers"]]
    assert [each["volumeMounts"] for each in both] == [[mount], [mount], own["volumeMounts"]]
    made = api.post(f"{space}/pods", pod("q", automountServiceAccountToken=False)).ok(201)
    assert "volumes" not in made["spec"] and "volumeMounts" not in made["spec"]["containers"][0]


@rule("an account may say that its pods have no token; the pod's own word wins")
def no_token_volume(api: Talk) -> None:
    space = account(api, api.namespace())
    body = {"metadata": {"name": "shy"}, "automountServiceAccountToken": False}
    api.post(f"{space}/serviceaccounts", body).ok(201)
    made = api.post(f"{space}/pods", pod("p", serviceAccountName="shy")).ok(201)
    assert "volumes" not in made["spec"]
    wish = pod("q", serviceAccountName="shy", automountServiceAccountToken=True)
    made = api.post(f"{space}/pods", wish).ok(201)
    assert len(made["spec"]["volumes"]) == 1


@rule("nobody manages the volume that admission adds")
def token_volume_is_nobodys(api: Talk) -> None:
    space = account(api, api.namespace())
    made = api.post(f"{space}/pods", pod("p"), fieldManager="me").ok(201)
    (entry,) = made["metadata"]["managedFields"]
    fields = entry["fieldsV1"]["f:spec"]
    assert "f:volumes" not in fields
    (container,) = (value for key, value in fields["f:containers"].items() if key != ".")
    assert "f:volumeMounts" not in container


@rule("ephemeral containers have no secrets that their account does not name where it says so")
def ephemeral_secrets(api: Talk) -> None:
    space = account(api, api.namespace())
    notes = {"kubernetes.io/enforce-mountable-secrets": "true"}
    body = {"metadata": {"name": "bound", "annotations": notes}, "secrets": [{"name": "mine"}]}
    api.post(f"{space}/serviceaccounts", body).ok(201)
    api.post(f"{space}/pods", pod("p", serviceAccountName="bound")).ok(201)

    def debug(name: str) -> Answer:
        env = [{"name": "V", "valueFrom": {"secretKeyRef": {"name": name, "key": "k"}}}]
        change = {"spec": {"ephemeralContainers": [{"name": name, "image": "i", "env": env}]}}
        return api.patch(f"{space}/pods/p/ephemeralcontainers", change, STRATEGIC)

    answer = debug("other")
    assert answer.status == 500 and "reason" not in answer.body, answer.raw
    assert answer.body["message"] == (
        "ephemeral container other with envVar V referencing "
        'secret.secretName="other" is not allowed because service account bound does not reference '
        "that secret"
    )
    debug("mine").ok()


@rule("a node asks for tokens that are bound to its own pods, for audiences that these name")
def tokens_for_nodes(api: Talk) -> None:
    space = account(api, api.namespace())
    vault = {"serviceAccountToken": {"path": "t", "audience": "vault"}}
    volumes = [{"name": "v", "projected": {"sources": [vault]}}]
    made = api.post(f"{space}/pods", pod("own", nodeName="n1", volumes=volumes)).ok(201)
    other = api.post(f"{space}/pods", pod("other", nodeName="n2")).ok(201)
    uid, other_uid = made["metadata"]["uid"], other["metadata"]["uid"]
    api.post(f"{space}/secrets", secret("s")).ok(201)

    def ask(*audiences: str, kind: str = "Pod", **reference: str) -> Answer:
        whole = {"apiVersion": "v1", "kind": kind, **reference} if reference else None
        spec = {"audiences": list(audiences), "boundObjectRef": whole}
        path = f"{space}/serviceaccounts/default/token"
        return api.call("POST", path, {"spec": spec}, more=NODE)

    ask(name="own", uid=uid).ok(201)
    ask("vault", name="own", uid=uid).ok(201)
    recreated = (
        f"the UID in the bound object reference ({UNKNOWN_UID}) does not match the UID in record. "
        "The object might have been deleted and then recreated"
    )
    lost = (
        'audience "x" not found in pod spec volume, system:node:n1 is not authorized to request '
        "tokens for this audience"
    )
    for answer, says in (
        (ask(), "node requested token not bound to a pod"),
        (ask(kind="Secret", name="s", uid=uid), "node requested token not bound to a pod"),
        (ask(name="own"), "node requested token with a pod binding without a uid"),
        (ask(name="own", uid=UNKNOWN_UID), recreated),
        (ask(name="other", uid=other_uid),
         "node requested token bound to a pod scheduled on a different node"),
        (ask("x", name="own", uid=uid), lost),
        (ask("x", "y", name="own", uid=uid), "node may only request 0 or 1 audiences"),
    ):  # fmt: skip
        said = answer.refused(403, "Forbidden")
        assert said["message"] == f'serviceaccounts "default" is forbidden: {says}'
    said = ask(name="gone", uid=uid).refused(404, "NotFound")
    assert said["message"] == 'pod "gone" not found'


@rule("a Secret of the type of accounts' tokens names its account")
def token_secrets(api: Talk) -> None:
    space = account(api, api.namespace())
    kind = "kubernetes.io/service-account-token"
    wish = {"metadata": {"name": "t"}, "type": kind}
    said = api.post(f"{space}/secrets", wish).refused(422, "Invalid")
    assert said["details"]["causes"] == [
        {
            "reason": "FieldValueRequired",
            "message": "Required value",
            "field": "metadata.annotations[kubernetes.io/service-account.name]",
        }
    ]
    wish["metadata"] |= {"annotations": {"kubernetes.io/service-account.name": "nobody"}}
    api.post(f"{space}/secrets", wish, dryRun="All").ok(201)
    body = {"metadata": {"name": "s", "namespace": space.rpartition("/")[2]}, "type": "Opaque"}
    api.post(f"{space}/secrets", body).ok(201)
    api.patch(f"{space}/secrets/s", {"type": kind}, MERGE).refused(422, "Invalid")
