"""In whose name requests are made: headers, modes, groups, refusals."""

from __future__ import annotations

import pytest

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.authorizer import Authorizer
from mizzen.apiserver.core.impersonation import impersonated, requested, service_account
from mizzen.apiserver.core.user import User
from mizzen.base.errors import BadRequest, Forbidden

ROBOT = User("system:serviceaccount:ops:robot", extra={
    "authentication.kubernetes.io/node-name": ["n1"],
})  # fmt: skip
ASKED: list[str] = []


def allowing(*allowed: str) -> Authorizer:
    """Allows what is listed, as `verb resource[/subresource][.group] name`; `*` ends a prefix."""
    ASKED.clear()

    def allows(access: Access) -> bool:
        group = f".{access.group}" if access.group else ""
        said = f"{access.verb} {access.what}{group} {access.name}"
        ASKED.append(said)
        return any(said == a or (a.endswith("*") and said.startswith(a[:-1])) for a in allowed)

    return Authorizer(allows)


def as_user(authorizer: Authorizer, wanted: User, requester: User = ROBOT) -> User:
    return impersonated(authorizer, Access(requester, "list", "", "pods", "", "ns"), wanted)


def test_headers_name_a_user_with_every_value() -> None:
    headers = [
        ("accept", "x"), ("impersonate-user", "jane"), ("impersonate-group", "a"),
        ("impersonate-group", "b"), ("impersonate-uid", "u"),
        ("impersonate-extra-acme.com%2fscopes", "v"), ("impersonate-extra-acme.com%2fscopes", "w"),
    ]  # fmt: skip
    assert requested(headers) == User("jane", "u", ("a", "b"), {"acme.com/scopes": ["v", "w"]})
    assert requested([("accept", "x"), ("impersonate-user", "")]) is None
    for header in ("impersonate-group", "impersonate-uid", "impersonate-extra-x"):
        with pytest.raises(BadRequest, match="without impersonating a user name"):
            requested([(header, "a")])


@pytest.mark.parametrize(
    ("wanted", "groups"),
    [
        (User("jane"), ("system:authenticated",)),
        (User("jane", groups=("devs",)), ("devs", "system:authenticated")),
        (User("jane", groups=("system:unauthenticated",)), ("system:unauthenticated",)),
        (User("system:anonymous"), ("system:unauthenticated",)),
        (User("system:serviceaccount:a:b"),
         ("system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated")),
        (User("system:serviceaccount:a:b", groups=("x",)), ("x", "system:authenticated")),
        (User("system:node:n1"), ("system:authenticated",)),
    ],
)  # fmt: skip
def test_the_impersonated_have_the_groups_they_ask_for_and_those_of_their_kind(
    wanted: User, groups: tuple[str, ...]
) -> None:
    found = as_user(allowing("impersonate *"), wanted)
    assert (found.name, found.groups) == (wanted.name, groups)


def test_each_attribute_is_asked_for() -> None:
    wanted = User("jane", "u1", ("devs",), {"k": ["v"]})
    parts = ["impersonate users jane", "impersonate uids.authentication.k8s.io u1",
             "impersonate groups devs", "impersonate userextras/k.authentication.k8s.io v"]  # fmt: skip
    assert as_user(allowing(*parts), wanted).uid == "u1"
    for lacking in parts:
        with pytest.raises(Forbidden):
            as_user(allowing(*(part for part in parts if part != lacking)), wanted)


def test_the_constrained_mode_is_for_one_verb_and_never_makes_masters() -> None:
    mode = ("impersonate-on:user-info:list pods *", "impersonate:user-info *")
    assert as_user(allowing(*mode), User("jane", groups=("devs",))).name == "jane"
    assert "impersonate:user-info groups.authentication.k8s.io devs" in ASKED
    access = Access(ROBOT, "delete", "", "pods", "", "ns", "x")
    with pytest.raises(Forbidden, match="cannot impersonate-on:user-info:delete"):
        impersonated(allowing(*mode), access, User("jane"))
    for groups, why in ((("system:masters",), "system:masters group"), (("",), "empty string")):
        with pytest.raises(Forbidden, match=why):
            as_user(allowing(*mode), User("jane", groups=groups))


def test_many_groups_are_asked_for_at_once() -> None:
    groups = ("a", "b", "c", "d")
    authorizer = allowing(
        "impersonate-on:user-info:list pods *",
        "impersonate:user-info users.authentication.k8s.io jane",
        "impersonate:user-info groups.authentication.k8s.io *",
    )
    assert as_user(authorizer, User("jane", groups=groups)).groups[:4] == groups
    assert not any(said.endswith(" a") for said in ASKED)


def test_a_pod_may_be_its_own_node() -> None:
    own = ("impersonate-on:associated-node:list pods *",
           "impersonate:associated-node nodes.authentication.k8s.io *")  # fmt: skip
    found = as_user(allowing(*own), User("system:node:n1"))
    assert found.groups == ("system:nodes", "system:authenticated")
    for wanted, requester in (
        (User("system:node:n2"), ROBOT),
        (User("system:node:n1", groups=("x",)), ROBOT),
        (User("system:node:n1"), User("jane", extra=ROBOT.extra)),
    ):
        with pytest.raises(Forbidden):
            as_user(allowing(*own), wanted, requester)


def test_refusals_are_upstreams() -> None:
    with pytest.raises(Forbidden) as refused:
        as_user(allowing(), User("jane"), User("joe"))
    assert refused.value.message == (
        'pods is forbidden: User "joe" cannot impersonate-on:user-info:list resource "pods" in '
        'API group "" in the namespace "ns"'
    )


@pytest.mark.parametrize(
    ("name", "found"),
    [("system:serviceaccount:a:b.c", ("a", "b.c")), ("system:serviceaccount:a", None),
     ("system:serviceaccount:A:b", None), ("system:serviceaccount:a:b:c", None), ("jane", None)],
)  # fmt: skip
def test_names_of_service_accounts(name: str, found: tuple[str, str] | None) -> None:
    assert service_account(name) == found
