"""Roles and bindings, found by whom they are for: what RBAC decides with.

A user's bindings are looked up once and each kind of question is answered once, until a role or a
binding changes: then all answers are forgotten, so none is ever older than the objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.policy_rules import PolicyRule, quoted, rules_of
from mizzen.apiserver.core.user import SERVICE_ACCOUNT_PREFIX, User
from mizzen.base.objects import Obj

ANSWERS_MAX = 32_768  # remembered for all users together
USERS_MAX = 4_096

GROUP = "rbac.authorization.k8s.io"
ROLES, ROLE_BINDINGS = f"roles.{GROUP}", f"rolebindings.{GROUP}"
CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS = f"clusterroles.{GROUP}", f"clusterrolebindings.{GROUP}"
Place = tuple[str, str]  # namespace, "" for the cluster's; name
_Answer = bool | frozenset[str]  # frozenset: for objects of these names
# verb, group, resource, subresource, namespace, path
_Question = tuple[str, str, str, str, str, str]


class _Subject(NamedTuple):
    kind: str  # User or Group
    name: str


@dataclass(frozen=True, slots=True)
class _Binding:
    place: Place
    role_kind: str
    role_name: str
    subjects: tuple[tuple[_Subject, str], ...]  # with the words that messages have for it

    @property
    def role(self) -> Place:
        return (self.place[0] if self.role_kind == "Role" else "", self.role_name)

    def grounds(self, user: User) -> str:
        """The words for what it gives a user."""
        names = {_Subject("User", user.name), *(_Subject("Group", name) for name in user.groups)}
        subject = next(words for each, words in self.subjects if each in names)
        namespace, name = self.place
        kind = "RoleBinding" if namespace else "ClusterRoleBinding"
        place = f"{name}/{namespace}" if namespace else name
        return f"{kind} {quoted(place)} of {self.role_kind} {quoted(self.role_name)} to {subject}"


@dataclass(slots=True)
class _Grants:
    """The bindings for one user by namespace, "" for the cluster's, and the answers so far."""

    bindings: dict[str, list[_Binding]] = field(default_factory=dict[str, list[_Binding]])
    answers: dict[_Question, _Answer] = field(default_factory=dict[_Question, _Answer])


class RbacIndex:
    """Answers by objects that it is told of, one by one."""

    def __init__(self) -> None:
        self._roles: dict[Place, tuple[PolicyRule, ...]] = {}
        self._bindings: dict[Place, _Binding] = {}
        self._by_subject: dict[_Subject, set[Place]] = {}
        self._grants: dict[tuple[str, tuple[str, ...]], _Grants] = {}
        self._answers = 0

    def put_role(self, place: Place, role: Obj) -> None:
        self._roles[place] = rules_of(role)
        self._forget()

    def remove_role(self, place: Place) -> None:
        self._roles.pop(place, None)
        self._forget()

    def put_binding(self, place: Place, binding: Obj) -> None:
        self.remove_binding(place)
        made = _read(place, binding)
        self._bindings[place] = made
        for subject, _ in made.subjects:
            self._by_subject.setdefault(subject, set()).add(place)

    def remove_binding(self, place: Place) -> None:
        gone = self._bindings.pop(place, None)
        for subject, _ in gone.subjects if gone else ():
            places = self._by_subject.get(subject, set())
            places.discard(place)
            if not places:
                self._by_subject.pop(subject, None)
        self._forget()

    def allows(self, access: Access) -> bool:
        user, verb, group, resource, subresource, namespace, name, path, _ = access
        grants = self._grants.get((user.name, user.groups))
        if grants is None:
            grants = self._look_up(user)
        if namespace not in grants.bindings:
            namespace = ""  # the answer is that of all namespaces without a binding
        question = (verb, group, resource, subresource, namespace, path)
        answer = grants.answers.get(question)
        if answer is None:
            answer = self._answer(grants, access)
            self._answers += 1
            if self._answers > ANSWERS_MAX:
                self._forget()
            grants.answers[question] = answer
        return answer if answer.__class__ is bool else name in answer  # type: ignore[operator]

    def rules(self, user: User, namespace: str) -> tuple[list[PolicyRule], list[str]]:
        """The rules for a user in a namespace, "" for the cluster alone, and which roles are
        missing, in words."""
        rules: list[PolicyRule] = []
        missing: list[str] = []
        for binding in self._of(user, namespace):
            found = self._roles.get(binding.role)
            if found is None:
                plural = "role" if binding.role_kind == "Role" else "clusterrole"
                missing.append(f"{plural}.{GROUP} {quoted(binding.role_name)} not found")
            else:
                rules += found
        return rules, missing

    def reason(self, access: Access) -> str:
        """The reason of what `allows` answers, in upstream's words; "" where nothing is said."""
        for binding in self._of(access.user, access.namespace):
            if any(rule.allows(access) for rule in self._roles.get(binding.role, ())):
                return f"RBAC: allowed by {binding.grounds(access.user)}"
        missing = list(dict.fromkeys(self.rules(access.user, access.namespace)[1]))
        if not missing:
            return ""
        return f"RBAC: {missing[0] if len(missing) == 1 else '[' + ', '.join(missing) + ']'}"

    def _of(self, user: User, namespace: str) -> Iterator[_Binding]:
        bindings = self._look_up(user).bindings
        yield from bindings.get("", ())
        if namespace:
            yield from bindings.get(namespace, ())

    def _look_up(self, user: User) -> _Grants:
        key = (user.name, user.groups)
        grants = self._grants.get(key)
        if grants is None:
            subjects = [_Subject("User", user.name), *(_Subject("Group", g) for g in user.groups)]
            places = {place for each in subjects for place in self._by_subject.get(each, ())}
            grants = _Grants()
            for place in sorted(places):
                grants.bindings.setdefault(place[0], []).append(self._bindings[place])
            if len(self._grants) >= USERS_MAX:
                self._forget()
            self._grants[key] = grants
        return grants

    def _answer(self, grants: _Grants, access: Access) -> _Answer:
        names: set[str] = set()
        for rule in self._applying(grants, access.namespace):
            if not rule.names:
                if rule.allows(access):
                    return True
            elif rule._replace(names=()).allows(access) and not access.path:
                names.update(rule.names)
        return frozenset(names) if names else False

    def _applying(self, grants: _Grants, namespace: str) -> Iterable[PolicyRule]:
        for where in ("", namespace) if namespace else ("",):
            for binding in grants.bindings.get(where, ()):
                yield from self._roles.get(binding.role, ())

    def _forget(self) -> None:
        self._grants = {}
        self._answers = 0


def _read(place: Place, binding: Obj) -> _Binding:
    role = binding["roleRef"]
    found = (_subject(subject, place[0]) for subject in binding.get("subjects") or ())
    subjects = tuple(each for each in found if each is not None)
    return _Binding(place, role["kind"], role["name"], subjects)


def _subject(subject: Obj, binding_namespace: str) -> tuple[_Subject, str] | None:
    kind, name = subject["kind"], subject.get("name") or ""
    if kind == "ServiceAccount":
        namespace = subject.get("namespace") or binding_namespace
        words = f"{kind} {quoted(f'{name}/{namespace}')}"
        if not namespace:
            return None
        return _Subject("User", f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"), words
    if kind not in ("User", "Group"):
        return None
    return _Subject(kind, name), f"{kind} {quoted(name)}"
