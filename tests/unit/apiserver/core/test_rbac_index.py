"""The index answers as going through all bindings would, after whatever changes."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from mizzen.apiserver.core import rbac_index
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.policy_rules import rules_of
from mizzen.apiserver.core.rbac_index import RbacIndex
from mizzen.apiserver.core.user import User

JANE = User("jane", groups=("dev", "system:authenticated"))
READ_PODS = {"rules": [{"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}]}

Objects = Mapping[tuple[str, str], Any]


def binding(role: str, *subjects: str, kind: str = "ClusterRole") -> dict[str, Any]:
    """Subjects as `Kind/name` or `ServiceAccount/name/namespace`."""
    made: list[dict[str, str]] = []
    for subject in subjects:
        subject_kind, name, *namespace = subject.split("/")
        made.append({"kind": subject_kind, "name": name, "namespace": "".join(namespace)})
    return {"roleRef": {"kind": kind, "name": role}, "subjects": made}


def reads_pods(index: RbacIndex, user: User, namespace: str = "") -> bool:
    return index.allows(Access(user, "get", "", "pods", "", namespace, "x"))


def by_all(roles: Objects, bindings: Objects, access: Access) -> bool:
    """Upstream's way: every binding, every subject, every rule."""

    def applies(subject: dict[str, str], namespace: str) -> bool:
        if subject["kind"] == "User":
            return subject["name"] == access.user.name
        if subject["kind"] == "Group":
            return subject["name"] in access.user.groups
        where = subject["namespace"] or namespace
        return access.user.name == f"system:serviceaccount:{where}:{subject['name']}"

    for (namespace, _), each in bindings.items():
        if namespace and namespace != access.namespace:
            continue
        if any(applies(subject, namespace) for subject in each["subjects"]):
            ref = each["roleRef"]
            role = roles.get((namespace if ref["kind"] == "Role" else "", ref["name"]), {})
            if any(rule.allows(access) for rule in rules_of(role)):
                return True
    return False


def test_random_roles_bindings_and_requests_are_answered_as_by_going_through_all() -> None:
    chance = random.Random(36)
    namespaces, names = ["", "a", "b"], ["x", "y", "z"]
    verbs, groups, resources = (
        ["get", "list", "*"],
        ["", "apps", "*"],
        ["pods", "pods/log", "*", "*/log"],
    )
    users = [User(n, groups=tuple(g)) for n in ("x", "y", "system:serviceaccount:a:x")
             for g in ([], ["x"], ["x", "z"])]  # fmt: skip

    def some(of: list[str]) -> list[str]:
        return chance.sample(of, chance.randint(1, 2))

    index, roles, bindings = RbacIndex(), dict[tuple[str, str], Any](), dict[tuple[str, str], Any]()
    allowed = 0
    for _ in range(600):
        place = (chance.choice(namespaces), chance.choice(names))
        if chance.random() < 0.4:
            rules = [{"verbs": some(verbs), "apiGroups": some(groups), "resources": some(resources),
                      "resourceNames": chance.choice([[], some(names)])},
                     {"verbs": some(verbs), "nonResourceURLs": some(["/x", "/y*", "*"])}]  # fmt: skip
            roles[place] = {"rules": rules[: chance.randint(0, 2)]}
            index.put_role(place, roles[place])
        elif chance.random() < 0.7:
            kind = chance.choice(["Role", "ClusterRole"]) if place[0] else "ClusterRole"
            subjects = [f"{chance.choice(['User', 'Group'])}/{chance.choice(names)}",
                        f"ServiceAccount/x/{chance.choice(['', 'a', 'b'])}"]  # fmt: skip
            bindings[place] = binding(chance.choice(names), *subjects, kind=kind)
            index.put_binding(place, bindings[place])
        elif chance.random() < 0.5:
            roles.pop(place, None)
            index.remove_role(place)
        else:
            bindings.pop(place, None)
            index.remove_binding(place)
        for _ in range(20):
            user, verb = chance.choice(users), chance.choice(["get", "list", "watch"])
            if chance.random() < 0.2:
                access = Access(user, verb, path=chance.choice(["/x", "/yes", "/z"]))
            else:
                access = Access(user, verb, chance.choice(["", "apps"]), chance.choice(["pods", "nodes"]),
                                chance.choice(["", "log"]), chance.choice([*namespaces, "c"]),
                                chance.choice([*names, ""]))  # fmt: skip
            expected = by_all(roles, bindings, access)
            assert index.allows(access) is expected, (access, roles, bindings)
            assert ("allowed by" in index.reason(access)) is expected
            allowed += expected
    assert 500 < allowed < 11_000, "both answers must occur"


def test_an_answer_is_forgotten_with_what_it_rests_on() -> None:
    index = RbacIndex()
    assert not reads_pods(index, JANE)
    index.put_binding(("", "b"), binding("reader", "Group/dev"))
    assert not reads_pods(index, JANE), "the role is not there yet"
    index.put_role(("", "reader"), READ_PODS)
    assert reads_pods(index, JANE) and reads_pods(index, JANE, "any")
    index.put_role(("", "reader"), {"rules": []})
    assert not reads_pods(index, JANE)
    index.put_role(("", "reader"), READ_PODS)
    index.put_binding(("", "b"), binding("reader", "User/joe"))
    assert not reads_pods(index, JANE) and reads_pods(index, User("joe"))
    index.remove_binding(("", "b"))
    assert not reads_pods(index, User("joe"))


def test_a_role_binding_reaches_its_namespace_alone() -> None:
    index = RbacIndex()
    index.put_role(("", "reader"), READ_PODS)
    index.put_binding(("a", "b"), binding("reader", "ServiceAccount/robot"))
    robot = User("system:serviceaccount:a:robot")
    assert reads_pods(index, robot, "a")
    assert not reads_pods(index, robot, "b") and not reads_pods(index, robot)


def test_reasons_name_the_binding_or_the_role_that_is_missing() -> None:
    index = RbacIndex()
    index.put_role(("", "reader"), READ_PODS)
    index.put_binding(("a", "b"), binding("reader", "User/joe", "ServiceAccount/robot"))
    index.put_binding(("", "c"), binding("gone", "Group/dev"))
    robot = User("system:serviceaccount:a:robot")
    access = Access(robot, "get", "", "pods", "", "a", "x")
    assert index.reason(access) == (
        'RBAC: allowed by RoleBinding "b/a" of ClusterRole "reader" to ServiceAccount "robot/a"'
    )
    assert index.reason(access._replace(user=JANE)) == (
        'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found'
    )
    assert index.reason(access._replace(user=User("nobody"))) == ""


def test_what_is_remembered_is_bounded() -> None:
    index = RbacIndex()
    index.put_binding(("", "c"), binding("gone", "Group/dev"))
    for number in range(rbac_index.ANSWERS_MAX + 10):
        assert not index.allows(Access(JANE, "get", "", f"r{number}"))
    grants = index._grants.values()  # pyright: ignore[reportPrivateUsage]
    assert sum(len(each.answers) for each in grants) <= rbac_index.ANSWERS_MAX
    for number in range(rbac_index.USERS_MAX + 10):
        assert not reads_pods(index, User(f"u{number}"))
    assert len(index._grants) <= rbac_index.USERS_MAX  # pyright: ignore[reportPrivateUsage]
