"""A node gets tokens of its own pods' accounts, for audiences that these name, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mizzen.apiserver import audit_annotations, rbac_defaults
from mizzen.apiserver.core import node_tokens
from mizzen.apiserver.core.service_tokens import API_AUDIENCES
from mizzen.base.objects import Obj
from mizzen.host.token_signer import ensure_key, unverified_claims
from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api
from support.webhook_server import json_patch, webhook

AGENT = {"Impersonate-User": "system:mizzen:node"}
KUBELET = {"Impersonate-User": "system:node:n1", "Impersonate-Group": "system:nodes"}
PATH = f"{DEFAULT}/serviceaccounts/default/token"


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> Api:
    ensure_key(tmp_path / "key")
    made = await an_api(MemoryStore(), service_account_key=tmp_path / "key", node_name="n1")
    await rbac_defaults.make_defaults(made.server)
    return made


async def make(api: Api, name: str, **spec: Any) -> dict[str, str]:
    """A reference to a new pod."""
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n1", **spec}
    code, made = await api.call(
        "POST", f"{DEFAULT}/pods", {"metadata": {"name": name}, "spec": spec}
    )
    assert code == 201, made
    return {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": made["metadata"]["uid"]}


async def ask(api: Api, who: dict[str, str], reference: Any, *audiences: str) -> tuple[int, str]:
    spec = {"audiences": list(audiences), "boundObjectRef": reference}
    code, made = await api.call("POST", PATH, {"spec": spec}, headers=who)
    return code, made["status"]["token"] if code == 201 else made["message"]


@pytest.mark.parametrize("who", [AGENT, KUBELET], ids=["agent", "kubelet"])
async def test_a_nodes_token_is_bound_to_a_pod_of_its_own(api: Api, who: dict[str, str]) -> None:
    own, other = await make(api, "own"), await make(api, "other", nodeName="n2")
    code, token = await ask(api, who, own)
    assert code == 201 and unverified_claims(token)["kubernetes.io"]["pod"]["name"] == "own"
    without = {key: value for key, value in own.items() if key != "uid"}
    secret = {"apiVersion": "v1", "kind": "Secret", "name": "s", "uid": "u"}
    for reference, says in (
        (None, "node requested token not bound to a pod"),
        (secret, "node requested token not bound to a pod"),
        (without, "node requested token with a pod binding without a uid"),
        (other, "node requested token bound to a pod scheduled on a different node"),
        ({**own, "uid": "u"}, "the UID in the bound object reference (u) does not match the UID"),
    ):
        code, message = await ask(api, who, reference)
        assert code == 403, (reference, message)
        assert message.startswith(f'serviceaccounts "default" is forbidden: {says}')
    code, message = await ask(api, who, {**own, "name": "gone"})
    assert (code, message) == (404, 'pod "gone" not found')


async def test_others_are_not_held_to_it(api: Api) -> None:
    assert (await ask(api, {}, None))[0] == 201


async def test_an_audience_is_the_pods_or_the_nodes_to_ask_for(api: Api) -> None:
    token = {"serviceAccountToken": {"path": "t", "audience": "vault"}}
    own = await make(api, "own", volumes=[{"name": "v", "projected": {"sources": [token]}}])
    assert (await ask(api, KUBELET, own, "vault"))[0] == 201
    code, message = await ask(api, KUBELET, own, "other")
    assert code == 403 and message.endswith(
        'audience "other" not found in pod spec volume, system:node:n1 is not authorized to request '
        "tokens for this audience"
    )
    code, message = await ask(api, KUBELET, own, "vault", "other")
    assert code == 403 and message.endswith("node may only request 0 or 1 audiences")
    rules = [{"apiGroups": [""], "resources": ["other"], "verbs": [node_tokens.AUDIENCE_VERB]}]
    metadata, group = {"name": "asks"}, "rbac.authorization.k8s.io"
    base = f"/apis/{group}/v1"
    await api.call("POST", f"{base}/clusterroles", {"metadata": metadata, "rules": rules})
    binding = {"metadata": metadata,
               "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "asks"},
               "subjects": [{"apiGroup": group, "kind": "Group", "name": "system:nodes"}]}  # fmt: skip
    await api.call("POST", f"{base}/clusterrolebindings", binding)
    assert (await ask(api, KUBELET, own, "other"))[0] == 201


def test_drivers_of_a_pods_volumes_name_audiences_too() -> None:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}},
               {"name": "e", "ephemeral": {"volumeClaimTemplate": {}}}]  # fmt: skip
    pod: Obj = {"metadata": {"name": "p"}, "spec": {"volumes": volumes}}
    known: dict[tuple[str, str], Obj] = {
        (node_tokens.CLAIMS, "c"): {"spec": {"volumeName": "w"}},
        (node_tokens.VOLUMES, "w"): {"spec": {"csi": {"driver": "d"}}},
        (node_tokens.DRIVERS, "d"): {"spec": {"tokenRequests": [{"audience": "vault"}]}},
    }

    def problem(audience: str) -> str:
        return node_tokens.audience_problem(
            "u", [audience], pod, lambda *key: known.get(key), lambda _: False
        )

    assert problem("vault") == ""
    lost = 'error validating audience "x": persistentvolumeclaim "p-e" not found'
    assert problem("x") == lost
    volumes.pop()
    assert problem("x").startswith('audience "x" not found in pod spec volume, u is not')


async def test_policies_are_asked_about_tokens(api: Api) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["serviceaccounts/token"],
            "operations": ["CREATE"]}  # fmt: skip
    expression = (
        "object.kind == 'TokenRequest' && request.kind.group == 'authentication.k8s.io' && "
        "request.subResource == 'token' && request.name == 'default' && "
        "object.spec.expirationSeconds <= 3600 && object.metadata.uid != '' && "
        f"object.spec.audiences == {[*API_AUDIENCES]} && has(object.metadata.creationTimestamp)"
    )
    spec = {"matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": expression, "message": "too long"}]}  # fmt: skip
    base = "/apis/admissionregistration.k8s.io/v1"
    for plural, said in (
        ("validatingadmissionpolicies", spec),
        ("validatingadmissionpolicybindings", {"policyName": "p", "validationActions": ["Deny"]}),
    ):
        body = {"metadata": {"name": "p"}, "spec": said}
        assert (await api.call("POST", f"{base}/{plural}", body))[0] == 201
    assert (await api.call("POST", PATH, {}))[0] == 201
    code, status = await api.call("POST", PATH, {"spec": {"expirationSeconds": 3601}})
    assert code == 422 and status["message"] == (
        "serviceaccounts \"default\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p' "
        "denied request: too long"
    )


async def test_webhooks_may_change_what_is_asked_for(api: Api, tmp_path: Path) -> None:
    def shorten(request: Obj) -> Obj:
        assert request["kind"]["kind"] == "TokenRequest" and request["subResource"] == "token"
        assert not request["object"]["spec"].get("audiences"), "it is not for it to take as said"
        path = "/spec/expirationSeconds"
        return json_patch({"op": "replace", "path": path, "value": 600})

    async with webhook(tmp_path, shorten) as hook:
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
                "resources": ["serviceaccounts/token"]}  # fmt: skip
        each = {"name": "short.acme.com", "rules": [rule], "sideEffects": "None",
                "admissionReviewVersions": ["v1"], "clientConfig": hook.client_config}  # fmt: skip
        path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
        body = {"metadata": {"name": "short"}, "webhooks": [each]}
        assert (await api.call("POST", path, body))[0] == 201
        code, made = await api.call("POST", PATH, {"spec": {"expirationSeconds": 7200}})
        assert code == 201 and made["spec"]["expirationSeconds"] == 600
        claims = unverified_claims(made["status"]["token"])
        assert claims["exp"] - claims["iat"] == 600
    api.server.webhooks.close()


async def test_the_audit_log_has_the_id_of_what_was_issued(api: Api) -> None:
    noted: dict[str, str] = {}
    audit_annotations.record_into(noted)
    code, made = await api.call("POST", PATH, {})
    audit_annotations.record_into(None)
    assert code == 201
    token_id = unverified_claims(made["status"]["token"])["jti"]
    assert noted == {"authentication.kubernetes.io/issued-credential-id": f"JTI={token_id}"}
