"""Every instance has upstream's roles, complete after each start."""

from __future__ import annotations

from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.rbac_index import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES
from mizzen.apiserver.core.user import API_SERVER, AUTHENTICATED, User
from mizzen.apiserver.rbac_defaults import make_defaults
from mizzen.apiserver.rbac_table import default_objects
from mizzen.store.memory import MemoryStore
from mizzen.store.store import ObjectKey
from support.api_handlers import Api, an_api

VIEW = ObjectKey(CLUSTER_ROLES, "", "system:aggregate-to-view")
USER = User("jane", groups=("devs", AUTHENTICATED))


async def started() -> Api:
    api = await an_api(MemoryStore())
    await make_defaults(api.server)
    return api


def may(api: Api, user: User, verb: str, what: str, namespace: str = "default") -> bool:
    plural, _, group = what.partition(".")
    plural, _, subresource = plural.partition("/")
    return api.server.authorize(Access(user, verb, group, plural, subresource, namespace, "x"))


async def test_users_get_by_binding_what_upstreams_roles_say() -> None:
    api = await started()
    assert api.server.authorize(Access(USER, "get", path="/apis"))
    assert may(api, USER, "create", "selfsubjectaccessreviews.authorization.k8s.io", "")
    assert not may(api, USER, "get", "pods")
    draft = api.server.draft(API_SERVER)
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}
    subjects = [{"kind": "Group", "name": "devs"}]
    key = ObjectKey("rolebindings.rbac.authorization.k8s.io", "default", "devs")
    draft.put(key, {"metadata": {"name": "devs"}, "roleRef": role, "subjects": subjects}, "create")
    done = draft.commit()
    assert done is not None
    await done
    assert may(api, USER, "get", "pods") and may(api, USER, "create", "pods/exec")
    assert may(api, USER, "create", "trainjobs.trainer.kubeflow.org")
    assert not may(api, USER, "get", "pods", "kube-system")
    assert not may(api, USER, "create", "roles.rbac.authorization.k8s.io")


async def test_components_of_upstream_may_do_their_work_and_no_more() -> None:
    api = await started()
    scheduler = User("system:kube-scheduler", groups=(AUTHENTICATED,))
    assert may(api, scheduler, "create", "pods/binding") and may(
        api, scheduler, "list", "nodes", ""
    )
    assert not may(api, scheduler, "get", "secrets")
    account = User("system:serviceaccount:kube-system:job-controller")
    assert may(api, account, "create", "pods") and not may(api, account, "create", "secrets")


async def test_a_second_start_changes_nothing() -> None:
    api = await started()
    revision = api.store.revision
    await make_defaults(api.server)
    assert api.store.revision == revision


async def test_what_is_missing_comes_back_and_a_binding_of_another_role_is_made_anew() -> None:
    api = await started()
    binding = ObjectKey(CLUSTER_ROLE_BINDINGS, "", "cluster-admin")
    draft = api.server.draft(API_SERVER)
    view, bound = draft.get(VIEW), draft.get(binding)
    assert view is not None and bound is not None
    rules = view["rules"]
    draft.put(VIEW, {**view, "rules": rules[1:]}, "update")
    draft.put(binding, {**bound, "roleRef": {**bound["roleRef"], "name": "view"}}, "update")
    done = draft.commit()
    assert done is not None
    await done
    await make_defaults(api.server)
    draft = api.server.draft(API_SERVER)
    view, anew = draft.get(VIEW), draft.get(binding)
    assert view is not None and len(view["rules"]) > len(rules[1:])
    assert anew is not None and anew["roleRef"]["name"] == "cluster-admin"
    assert anew["metadata"]["uid"] != bound["metadata"]["uid"]


def test_every_default_has_a_name_of_its_own() -> None:
    keys = [key for key, _ in default_objects()]
    assert len(keys) == len(set(keys)) > 130
