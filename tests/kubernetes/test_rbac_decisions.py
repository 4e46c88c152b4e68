"""Roles, bindings, reviews, escalation and impersonation are decided and refused as upstream does.

The same random objects and questions go to a real kube-apiserver and to ours.
"""

from __future__ import annotations

import json
import random
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import api_process
from support.real_cluster import real_cluster

RBAC = "/apis/rbac.authorization.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"
NAMESPACES = ("team", "other")
SETTLED_S = 30.0  # that upstream's informers get to see what was written


@dataclass(frozen=True)
class Side:
    """One of the two servers, asked by its master."""

    url: str
    authority: str
    token: str

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        head = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        head.update({name.replace("_", "-"): value for name, value in headers.items()})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, head, method=method)
        context = ssl.create_default_context(cafile=self.authority)
        try:
            with urllib.request.urlopen(request, timeout=30, context=context) as response:
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def make(self, path: str, body: Any) -> None:
        code, answer = self.ask("POST", path, body)
        assert code == 201, answer

    def may(self, user: str, groups: list[str], attributes: Mapping[str, Any]) -> dict[str, Any]:
        code, answer = self.ask("POST", f"{REVIEWS}/subjectaccessreviews", {
            "spec": {"user": user, "groups": groups, **attributes},
        })  # fmt: skip
        assert code == 201, answer
        return answer["status"]


@pytest.fixture(scope="module")
def sides(peers: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    """Upstream's with its default features, and ours."""
    folder = tmp_path_factory.mktemp("kubernetes")
    with (
        real_cluster(folder, gates=(), runtime_config=()) as theirs,
        api_process.running(tmp_path_factory.mktemp("mizzen")) as ours,
    ):
        found = (
            Side(theirs.url, str(theirs.authority), theirs.tokens["admin"]),
            Side(ours.url, str(ours.home.pki / "ca.crt"), ours.tokens["admin"]),
        )
        for side in found:
            for name in NAMESPACES:
                side.ask("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        yield found


def both(sides: tuple[Side, Side], ask: Callable[[Side], Any]) -> tuple[Any, Any]:
    return ask(sides[0]), ask(sides[1])


def settled(sides: tuple[Side, Side], name: str, namespace: str = "") -> None:
    """Waits until upstream's informers have seen all that was written so far: a role and a binding
    more, written last."""
    where = f"{RBAC}/clusterroles"
    rule = {"verbs": ["probe"], "apiGroups": ["probe"], "resources": [name]}
    kind, bindings = "ClusterRole", f"{RBAC}/clusterrolebindings"
    for side in sides:
        side.make(where, {"metadata": {"name": name}, "rules": [rule]})
        side.make(bindings, {"metadata": {"name": name}, **binding(kind, name, [user("probe")])})
        attributes = {"resourceAttributes": {"verb": "probe", "group": "probe", "resource": name}}
        deadline = time.monotonic() + SETTLED_S
        while not side.may("probe", [], attributes)["allowed"]:
            assert time.monotonic() < deadline, "the probe is not seen"
            time.sleep(0.05)


def user(name: str) -> dict[str, str]:
    return {"kind": "User", "name": name, "apiGroup": "rbac.authorization.k8s.io"}


def group(name: str) -> dict[str, str]:
    return {"kind": "Group", "name": name, "apiGroup": "rbac.authorization.k8s.io"}


def binding(kind: str, role: str, subjects: list[dict[str, str]]) -> dict[str, Any]:
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    return {"roleRef": ref, "subjects": subjects}


_LEFT_OUT = (
    "apiVersion",
    "kind",
    "metadata",
    "rules",
)  # items of upstream's lists lack the first two


def essence(obj: dict[str, Any]) -> dict[str, Any]:
    """An object without what its server chose."""
    metadata = {k: obj["metadata"].get(k) for k in ("name", "namespace", "labels", "annotations")}
    return {
        **{k: v for k, v in obj.items() if k not in _LEFT_OUT},
        "metadata": metadata,
    }


def test_both_start_with_the_same_roles_and_bindings(sides: tuple[Side, Side]) -> None:
    """Rules of aggregated roles upstream's controller manager would fill in."""
    for plural in ("clusterroles", "clusterrolebindings", "roles", "rolebindings"):
        theirs, ours = both(sides, lambda side: side.ask("GET", f"{RBAC}/{plural}")[1]["items"])  # noqa: B023
        theirs_by, ours_by = (
            {(o["metadata"].get("namespace"), o["metadata"]["name"]): o for o in items}
            for items in (theirs, ours)
        )
        extra = {name for _, name in ours_by.keys() - theirs_by.keys()}
        assert all(name.startswith("mizzen:") for name in extra), extra
        for place, obj in theirs_by.items():
            assert essence(ours_by[place]) == essence(obj), place
            if "aggregationRule" not in obj and plural.endswith("roles"):
                assert ours_by[place]["rules"] == obj["rules"], place


VERBS = ["get", "list", "create", "*"]
GROUPS = ["", "apps", "acme.com", "*"]
RESOURCES = ["pods", "pods/log", "deployments", "deployments/scale", "*/scale", "*"]
NAMES = ["x", "y"]
USERS = ["ann", "bob", "system:serviceaccount:team:robot", "system:serviceaccount:other:robot"]
TEAMS = ["devs", "ops"]
URLS = ["/healthz", "/apis/*", "/metrics", "*"]


def random_objects(chance: random.Random, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    def some(of: list[str]) -> list[str]:
        return chance.sample(of, chance.randint(1, 2))

    for number in range(count):
        rules: list[dict[str, Any]] = []
        for _ in range(chance.randint(0, 2)):
            rule = {"verbs": some(VERBS), "apiGroups": some(GROUPS), "resources": some(RESOURCES)}
            if chance.random() < 0.4:
                rule["resourceNames"] = some(NAMES)
            rules.append(rule)
        namespace = chance.choice(["", *NAMESPACES])
        place = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
        if not namespace and chance.random() < 0.4:
            rules.append({"verbs": some(["get", "*"]), "nonResourceURLs": some(URLS)})
        kind = "Role" if namespace else "ClusterRole"
        name = f"r{number % 20}-{namespace or 'all'}-{number}"
        yield f"{place}/{kind.lower()}s", {"metadata": {"name": name}, "rules": rules}
        subjects = chance.sample(
            [user("ann"), user("bob"), group("devs"), group("ops"),
             {"kind": "ServiceAccount", "name": "robot", "namespace": chance.choice(NAMESPACES)}],
            chance.randint(0, 2),
        )  # fmt: skip
        if chance.random() < 0.1:
            name = "gone"
        made = {"metadata": {"name": f"b{number}"}, **binding(kind, name, subjects)}
        yield f"{place}/{kind.lower()}bindings", made


def random_question(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.2:
        path = chance.choice(["/healthz", "/apis/x", "/apis", "/metrics", "/other"])
        verb = chance.choice(["get", "post"])
        return {"nonResourceAttributes": {"path": path, "verb": verb}}
    resource, _, subresource = chance.choice(RESOURCES).partition("/")
    return {"resourceAttributes": {
        "verb": chance.choice([*VERBS, "delete"]), "group": chance.choice(GROUPS),
        "resource": resource, "subresource": subresource,
        "namespace": chance.choice(["", *NAMESPACES, "none"]), "name": chance.choice(["", *NAMES, "z"]),
    }}  # fmt: skip


def told(status: dict[str, Any]) -> tuple[bool, bool, set[str]]:
    """The decision; of the reason that it is RBAC's, and which roles are missing: which of several
    bindings allows it, upstream leaves to chance."""
    reason = status.get("reason", "")
    return (
        status["allowed"],
        "allowed by" in reason,
        set(re.findall(r'\S+ "gone[^"]*" not found', reason)),
    )


def test_random_roles_and_requests(sides: tuple[Side, Side]) -> None:
    chance = random.Random(1)
    for path, body in random_objects(chance, 40):
        for side in sides:
            side.make(path, body)
    settled(sides, "probe-decisions")
    allowed, differing = 0, list[Any]()
    for _ in range(600):
        name, groups = chance.choice(USERS), chance.sample(TEAMS, chance.randint(0, 2))
        question = random_question(chance)
        theirs, ours = both(sides, lambda side: told(side.may(name, groups, question)))  # noqa: B023
        allowed += theirs[0]
        if theirs != ours:
            differing.append((name, groups, question, theirs, ours))
    assert differing == [] and 60 < allowed < 540


def test_rules_of_a_user_are_the_same(sides: tuple[Side, Side]) -> None:
    for name in USERS:
        for namespace in (*NAMESPACES, "none"):
            body = {"spec": {"namespace": namespace}}
            path = f"{REVIEWS}/selfsubjectrulesreviews"
            theirs, ours = both(
                sides,
                lambda side: side.ask("POST", path, body, impersonate_user=name)[1]["status"],  # noqa: B023
            )
            for of in ("resourceRules", "nonResourceRules"):
                found = (
                    sorted(json.dumps(r, sort_keys=True) for r in side[of])
                    for side in (theirs, ours)
                )
                assert next(found) == next(found), (name, namespace, of)
            assert ("evaluationError" in theirs) is ("evaluationError" in ours)
            assert theirs["incomplete"] == ours["incomplete"]


def grants(chance: random.Random) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Roles and bindings that a user of little power tries to make."""
    for number in range(40):
        rule = {"verbs": chance.sample(VERBS, 2), "apiGroups": [chance.choice(GROUPS)],
                "resources": chance.sample(RESOURCES, 2)}  # fmt: skip
        if chance.random() < 0.3:
            rule["resourceNames"] = ["x"]
        yield "POST", f"{RBAC}/namespaces/team/roles", {
            "metadata": {"name": f"e{number}"}, "rules": [rule],
        }  # fmt: skip
    yield "POST", f"{RBAC}/clusterroles", {
        "metadata": {"name": "agg"}, "rules": [],
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
    }  # fmt: skip
    for kind, role in (("ClusterRole", "limited"), ("ClusterRole", "system:node"),
                       ("ClusterRole", "nowhere"), ("Role", "own"), ("ClusterRole", "bindable")):  # fmt: skip
        yield "POST", f"{RBAC}/namespaces/team/rolebindings", {
            "metadata": {"name": f"give-{role.replace(':', '-')}"}, **binding(kind, role, [user("x")]),
        }  # fmt: skip
    yield "PATCH", f"{RBAC}/namespaces/team/roles/own", {"metadata": {"labels": {"a": "b"}}}


def test_nobody_gives_away_what_he_has_not(sides: tuple[Side, Side]) -> None:
    limited = [
        {"verbs": ["get", "list"], "apiGroups": ["", "apps"], "resources": ["pods", "deployments", "*/scale"]},
        {"verbs": ["*"], "apiGroups": ["rbac.authorization.k8s.io"],
         "resources": ["roles", "rolebindings", "clusterroles"], "resourceNames": []},
    ]  # fmt: skip
    limited[1]["verbs"] = ["create", "update", "patch", "get"]
    bind = {"verbs": ["bind"], "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["clusterroles"], "resourceNames": ["bindable"]}  # fmt: skip
    for side in sides:
        side.make(
            f"{RBAC}/clusterroles", {"metadata": {"name": "limited"}, "rules": [*limited, bind]}
        )
        side.make(f"{RBAC}/clusterroles", {"metadata": {"name": "bindable"}, "rules": [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]})  # fmt: skip
        side.make(f"{RBAC}/namespaces/team/roles", {"metadata": {"name": "own"}, "rules": [
            {"verbs": ["get"], "apiGroups": [""], "resources": ["secrets"]}]})  # fmt: skip
        side.make(f"{RBAC}/clusterrolebindings", {
            "metadata": {"name": "eve"}, **binding("ClusterRole", "limited", [user("eve")])})  # fmt: skip
    settled(sides, "probe-escalation")
    codes: set[int] = set()
    for method, path, body in grants(random.Random(3)):
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"

        def ask(side: Side) -> tuple[int, str, Any]:
            code, answer = side.ask(
                method, path, body, impersonate_user="eve", impersonate_group="devs", content_type=kind  # noqa: B023
            )  # fmt: skip
            return code, answer.get("message", ""), answer.get("reason")

        theirs, ours = both(sides, ask)
        assert ours == theirs, (method, path, body)
        codes.add(theirs[0])
    assert codes == {201, 403, 404}


@pytest.mark.parametrize(
    "headers",
    [
        {"impersonate_user": "jane"},
        {"impersonate_user": "jane", "impersonate_group": "devs", "impersonate_uid": "u1"},
        {"impersonate_user": "jane", "impersonate_extra_scopes": "a"},
        {"impersonate_user": "system:serviceaccount:team:robot"},
        {"impersonate_user": "system:anonymous"},
        {"impersonate_user": "jane", "impersonate_group": "system:unauthenticated"},
    ],
)
def test_the_impersonated_are_who_they_are(
    sides: tuple[Side, Side], headers: dict[str, str]
) -> None:
    """Told by what they are refused, and by the groups in it."""

    def ask(side: Side) -> tuple[int, str]:
        code, answer = side.ask("GET", "/api/v1/namespaces/none/secrets/x", **headers)
        return code, answer["message"]

    theirs, ours = both(sides, ask)
    assert theirs == ours and theirs[0] == 403


BAD: list[tuple[str, dict[str, Any]]] = [
    ("namespaces/team/roles", {"rules": [{"apiGroups": [""], "resources": ["pods"]}]}),
    ("namespaces/team/roles", {"rules": [{"verbs": ["get"]}]}),
    ("namespaces/team/roles", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}),
    ("clusterroles", {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"], "resources": ["a"]}]}),
    ("clusterroles", {"aggregationRule": {}}),
    ("namespaces/team/rolebindings", {"roleRef": {"kind": "Role"}}),
    ("namespaces/team/rolebindings", {"roleRef": {"kind": "X", "name": "a/b"}, "subjects": [
        {"kind": "User"}, {"kind": "Dog", "name": "x"}, {"kind": "ServiceAccount", "name": "A_"}]}),
    ("clusterrolebindings", {"roleRef": {"kind": "Role", "name": "x"}, "subjects": [
        {"kind": "ServiceAccount", "name": "x"}, {"kind": "Group", "name": "x", "apiGroup": "y"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("where", "body"), BAD)
def test_what_is_no_role_or_binding_is_refused_alike(
    sides: tuple[Side, Side], where: str, body: dict[str, Any]
) -> None:
    def ask(side: Side) -> tuple[int, Any, set[tuple[str, str]]]:
        code, answer = side.ask("POST", f"{RBAC}/{where}", {"metadata": {"name": "bad"}, **body})
        causes = answer.get("details", {}).get("causes", ())
        return code, answer.get("reason"), {(c["field"], c["message"]) for c in causes}

    theirs, ours = both(sides, ask)
    assert ours == theirs and theirs[0] == 422


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("subjectaccessreviews", {}),
        ("subjectaccessreviews", {"user": "x"}),
        ("subjectaccessreviews", {"user": "x", "resourceAttributes": {}, "nonResourceAttributes": {}}),
        ("selfsubjectaccessreviews", {}),
        ("selfsubjectaccessreviews", {"resourceAttributes": {"fieldSelector": {}}}),
        ("namespaces/team/localsubjectaccessreviews", {"user": "x", "resourceAttributes": {"verb": "get"}}),
        ("namespaces/team/localsubjectaccessreviews", {"user": "x", "nonResourceAttributes": {}}),
        ("selfsubjectrulesreviews", {}),
    ],
)  # fmt: skip
def test_what_is_no_review_is_refused_alike(
    sides: tuple[Side, Side], kind: str, body: dict[str, Any]
) -> None:
    def ask(side: Side) -> tuple[int, Any, set[str]]:
        code, answer = side.ask("POST", f"{REVIEWS}/{kind}", {"spec": body})
        causes = answer.get("details", {}).get("causes", ())
        return code, answer.get("reason"), {c["field"] for c in causes}

    theirs, ours = both(sides, ask)
    assert ours == theirs and theirs[0] in (400, 422)


def static_pod(name: str, node: str, number: int) -> dict[str, Any]:
    """A pod that refers to objects of this number, in ways that both servers store."""
    container = {
        "name": "c", "image": "x",
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": f"s{number}", "key": "k"}}}],
        "envFrom": [{"configMapRef": {"name": f"m{number}"}}],
    }  # fmt: skip
    volumes = [{"name": "a", "secret": {"secretName": f"v{number}"}}]
    spec = {
        "nodeName": node, "containers": [container], "volumes": volumes,
        "serviceAccountName": f"robot{number}", "imagePullSecrets": [{"name": f"i{number}"}],
        "resourceClaims": [{"name": "g", "resourceClaimName": f"g{number}"}],
    }  # fmt: skip
    return {"metadata": {"name": name}, "spec": spec}


_OF_NODES = [
    ("", "secrets", "siv"), ("", "configmaps", "mp"), ("", "persistentvolumeclaims", "d"),
    ("", "persistentvolumeclaims/status", "d"), ("", "serviceaccounts", "robot"),
    ("", "serviceaccounts/token", "robot"), ("", "pods", "pod"), ("", "pods/status", "pod"),
    ("", "pods/eviction", "pod"), ("", "pods/log", "pod"), ("", "nodes", "n"),
    ("", "nodes/status", "n"), ("", "services", "x"), ("", "events", "x"),
    ("resource.k8s.io", "resourceclaims", "g"), ("coordination.k8s.io", "leases", "n"),
    ("storage.k8s.io", "csinodes", "n"), ("storage.k8s.io", "csidrivers", "x"),
]  # fmt: skip


def test_kubelets_reach_what_their_pods_refer_to(sides: tuple[Side, Side]) -> None:
    for side in sides:
        for number in (1, 2):
            account = {"metadata": {"name": f"robot{number}"}}
            side.ask("POST", "/api/v1/namespaces/team/serviceaccounts", account)
            pod = static_pod(f"pod{number}", f"n{number}", number)
            side.make("/api/v1/namespaces/team/pods", pod)
    chance = random.Random(5)
    groups = ["system:nodes", "system:authenticated"]
    seen = {"resourceAttributes": {
        "verb": "get", "resource": "secrets", "namespace": "team", "name": "v2",
    }}  # fmt: skip
    deadline = time.monotonic() + SETTLED_S
    while not sides[0].may("system:node:n2", groups, seen)["allowed"]:
        assert time.monotonic() < deadline, "upstream does not see the pods"
        time.sleep(0.05)
    allowed, differing = 0, list[Any]()
    for _ in range(400):
        group, what, prefixes = chance.choice(_OF_NODES)
        resource, _, subresource = what.partition("/")
        prefix = prefixes if len(prefixes) > 3 or prefixes in ("pod",) else chance.choice(prefixes)
        verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
        attributes: dict[str, Any] = {
            "verb": chance.choice(verbs), "group": group, "resource": resource,
            "subresource": subresource, "name": chance.choice(["", f"{prefix}1", f"{prefix}2"]),
            "namespace": chance.choice(["team", "team", "kube-node-lease", ""]),
        }  # fmt: skip
        if attributes["verb"] in ("list", "watch") and chance.random() < 0.5:
            raw = f"spec.nodeName={chance.choice(['n1', 'n2'])}"
            attributes["fieldSelector"] = {"rawSelector": raw}
        node = chance.choice(["system:node:n1", "system:node:n2", "system:node:"])
        question = {"resourceAttributes": attributes}
        theirs, ours = both(sides, lambda side: side.may(node, groups, question))  # noqa: B023
        allowed += theirs["allowed"]
        if (theirs["allowed"], theirs.get("reason")) != (ours["allowed"], ours.get("reason")):
            differing.append((node, attributes, theirs, ours))
    assert differing == [] and 40 < allowed < 360
