"""Paths, queries, headers and bodies that nobody should send."""

from __future__ import annotations

from differential.draws import Draws
from differential.steps import APPLY, JSON, JSON_PATCH, MERGE, STRATEGIC, Step

_PATHS = (
    "/api/v1/namespaces/<<ns>>/configmaps", "/api/v1/namespaces/<<ns>>/pods",
    "/apis/example.dev/v1/namespaces/<<ns>>/widgets", "/apis/apps/v1/namespaces/<<ns>>/deployments",
)  # fmt: skip
_BODIES = (
    "", "null", "[]", "5", '"x"', "{", '{"kind":', '{"metadata":null}', '{"metadata":[]}', '{"metadata":5}',
    '{"metadata":{"name":5}}', '{"metadata":{"name":null}}', "{}", '{"kind":"ConfigMap"}{"x":1}', "\ufeff{}",
    '{"metadata":{"name":"a"},"data":{"a":"\\ud800"}}', '{"metadata":{"name":"a"},"data":{"a":1e400}}',
    '{"metadata":{"name":"a","labels":{"a":"\\u0000"}}}', "a: 1", "{'a': 1}", '{"a":1,}', "nul", "NaN",
    '{"metadata":{"name":"a"},"spec":[]}', '{"metadata":{"name":"a"},"spec":"x"}',
    '{"metadata":{"name":"a"},"spec":{"replicas":99999999999999999999}}', '{"metadata":{"name":"a"}} x',
    '{"metadata":{"name":"a"},"spec":{"size":1.0}}', '{"metadata":{"name":"a"},"spec":{"size":1e1}}',
    '{"metadata":{"name":"a","namespace":5}}', '{"apiVersion":5,"kind":[],"metadata":{"name":"a"}}',
    '{"metadata":{"name":"a","ownerReferences":{}}}', '{"Metadata":{"Name":"a"}}', '{"metadata":{"NAME":"a"}}',
    '{"metadata":{"name":"a"},"data":{"a":"1","a":"2"}}', '{"metadata":{"name":"a","name":"b"}}',
    '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"a":"b"}}',
    '{"apiVersion":"v2","kind":"ConfigMap","metadata":{"name":"a"}}', '{"apiVersion":"a/b/c","kind":"ConfigMap"}',
    '{"kind":"Status","apiVersion":"v1"}', '{"kind":"List","apiVersion":"v1","items":[]}',
    '{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":"5"}',
    '{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Sometimes"}',
    '{"gracePeriodSeconds":1e400}', '{"preconditions":{"uid":"x"},"dryRun":["All"]}', '{"dryRun":"All"}',
    '{"metadata":{"name":"ä"}}', '{"metadata":{"name":"a\u200bb"}}', '{"metadata":{"name":"a/b"}}',
    '{"metadata":{"name":"..","namespace":"other"}}', '{"metadata":{"generateName":"x-","name":""}}',
    '{"metadata":{"name":"a","finalizers":["x"]}}', '{"metadata":{"name":"a","annotations":{"A B":"c"}}}',
    '{"metadata":{"name":"a"},"data":{"../x":"1","a b":"2"},"binaryData":{"x":"***"}}',
    '{"metadata":{"name":"a"},"immutable":"yes"}', '{"metadata":{"name":"a"},"data":null,"immutable":null}',
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: 12:30, b: yes, c: 0777, d: ~}\n",
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  name: b\n", "a: &x [*x]", "? {a: b}\n: c", "\ta: 1",
    "a: !!int x", "%YAML 3.0\n---\na: 1", "--- {}\n--- {}", "a: .inf", "<<: 5", "a: b: c", "'a", "k: |\n x\n y: [",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: &m {name: a}\nother: *m\n", "a: *nobody", "- a\n- b\n",
)  # fmt: skip
_ODD_PATHS = (
    "/api", "/api/v1", "/api/v2", "/apis/none", "/apis/apps", "/apis/apps/v9/deployments", "/api/v1/nothing",
    "/api/v1/namespaces/<<ns>>/nothing", "/api/v1/namespaces/<<ns>>/configmaps/a/b", "/api/v1/configmaps/a",
    "/api/v1/namespaces/<<ns>>/pods/a/log", "/api/v1/namespaces/<<ns>>/pods/a/exec", "/api/v1/nodes/a/proxy",
    "/api/v1/namespaces/<<ns>>/configmaps/", "//api/v1/namespaces", "/api/v1/namespaces/<<ns>>/pods/a/scale",
    "/apis/apps/v1/namespaces/<<ns>>/deployments/a/scale", "/nothing", "/api/v1/namespaces/none/configmaps",
    "/api/v1/namespaces/<<ns>>/configmaps/A_B", "/api/v1/namespaces/<<ns>>/configmaps/%2e%2e",
    "/api/v1/namespaces/<<ns>>/nodes", "/api/v1/namespaces/<<ns>>/pods/a/status", "/apis/example.dev/v1",
    "/api/v1/namespaces/<<ns>>/finalize", "/api/v1/namespaces/<<ns>>/status", "/api/v1/watch/namespaces/<<ns>>/x",
    "/api/v1/namespaces/<<ns>>/configmaps/a%2fb", "/api/v1/namespaces/<<ns>>/pods/a/eviction",
    "/api/v1/namespaces/<<ns>>/serviceaccounts/default/token", "/api/v1/namespaces/<<ns>>/bindings",
    "/api/v1/namespaces/<<ns>>/pods/a/binding", "/api/v1/namespaces/<<ns>>/pods/a/attach",
    "/api/v1/namespaces/<<ns>>/pods/a/portforward", "/api/v1/namespaces/<<ns>>/pods/a/ephemeralcontainers",
    "/api/v1/namespaces/<<ns>>/pods/a/resize", "/api/v1/namespaces/<<ns>>/services/a/proxy/x",
    "/apis/example.dev/v1/namespaces/<<ns>>/widgets/a/scale", "/apis/example.dev/v1/widgets",
    "/apis/example.dev/v1/namespaces/<<ns>>/widgets/a/nothing", "/apis/example.dev/v1/nothing",
    "/apis/example.dev/v1/namespaces/<<ns>>/widgets/a/status", "/apis/example.dev/v2/widgets", "/apis/none.dev/v1/x",
    "/apis/example.dev", "/apis/Example.dev/v1", "/apis/policy/v1/namespaces/<<ns>>/poddisruptionbudgets/a/status",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles/a%3ab", "/apis/rbac.authorization.k8s.io/v1/clusterroles/a/b",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "/apis/authorization.k8s.io/v1/subjectaccessreviews/a",
    "/apis/authentication.k8s.io/v1/tokenreviews", "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/none/status", "/apis/apps/v1/deployments/a",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests/a/approval", "/api/v1/nodes/a/status",
    "/api/v1/namespaces/<<ns>>/configmaps/a%20b", "/api/v1/namespaces/<<ns>>/configmaps/%00",
     "/api/v1/namespaces/<<ns>>/configmaps/%25", "/%61pi/v1",
    "/api/v1/namespaces/<<ns>>//configmaps", "/api/v1//namespaces", "/api/v1/./namespaces", "/api/v1/../v1/nodes",
    "/api/v1/configmaps", "/apis/apps/v1/deployments", "/api/v1/namespaces/<<ns>>/configmaps/..", "/api/v1/namespaces/<<ns>>/configmaps/.", "/apis//v1", "/api//v1",
    "/api%2fv1", "/api/v1/%6eodes/none", "/api/v1/namespaces//configmaps", "/api/v1/namespaces/A_B/configmaps",
    "/api/v1/namespaces/%2e%2e/configmaps/a", "/api/v1/namespaces/<<ns>>/configmaps/%C3%A4", "/API/v1", "/apis/",
    "/api/v1/namespaces/<<ns>>/pods/a/proxy", "/api/v1/componentstatuses/none/x", "/apis/apps/v1/namespaces",
    "/version", "/version/", "/version?x=1", "/healthz", "/livez/ping", "/readyz?exclude=x", "/healthz/nothing",
    "/healthz/", "/livez?verbose", "/openapi", "/openapi/v2/", "/openapi/v3/nothing", "/openapi/v3/", "/metrics/",
    "/logs", "/favicon.ico", "/swagger.json", "/", "/index.html", "/.well-known", "/./api", "/api/", "/apis/apps/v1/",
)  # fmt: skip
_QUERIES = (
    "limit=-1", "limit=x", "limit=99999999999999999999", "limit=1.5", "limit=", "limit=0x10", "limit=+5",
    "resourceVersion=x", "resourceVersion=-1", "resourceVersion=99999999999999999999", "resourceVersion=0",
    "resourceVersionMatch=Exact", "resourceVersionMatch=Nearly&resourceVersion=1", "continue=x", "continue=",
    "resourceVersion=0&resourceVersionMatch=Exact", "sendInitialEvents=true", "sendInitialEvents=maybe",
    "timeoutSeconds=x", "timeoutSeconds=-1", "allowWatchBookmarks=maybe", "watch=false", "watch=0", "watch=maybe&limit=x",
    "labelSelector=a%3D%3D%3Db", "labelSelector=a+in+(b", "labelSelector=%21a,b%21%3Dc", "labelSelector=A%20B%3Dc",
    "labelSelector=a%3E1.5", "labelSelector=a%3D" + "b" * 64, "labelSelector=,", "labelSelector=a notin ()".replace(" ", "+"),
    "fieldSelector=spec.x%3D1", "fieldSelector=metadata.name%3Da%2Cmetadata.name%3Db", "fieldSelector=x",
    "fieldSelector=metadata.name%3E1", "fieldSelector=metadata.namespace%21%3Da", "fieldSelector=%3D", "pretty=true",
    "unknown=1", "Limit=x", "limit=1&limit=x", "dryRun=All", "dryRun=x", "dryRun=", "dryRun=All&dryRun=All",
    "fieldManager=" + "m" * 129, "fieldManager=a%00b", "fieldValidation=Maybe", "fieldValidation=Strict", "force=maybe",
    "force=true", "fieldValidation=Strict&fieldManager=x", "fieldValidation=Ignore", "gracePeriodSeconds=x",
    "gracePeriodSeconds=-1", "propagationPolicy=Sometimes", "propagationPolicy=Orphan&orphanDependents=true",
    "orphanDependents=maybe", "includeObject=Nothing", "includeObject=None", "%zz=1", "a=%zz", "limit=1;b=2", "=", "&&&", "ignoreStoreReadErrorWithClusterBreakingPotential=true",
)  # fmt: skip
_ACCEPTS = (
    "text/html", "application/yaml", "application/json;q=0", "*/*;q=0.1", "text/html,*/*", "application/*", "APPLICATION/JSON",
    "text/html, application/json;q=0.1", "application/yaml;q=0.2,application/json;q=0.9", "", ",", ";", "x", "*/json", "*",
    "application/json;as=Table;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v2;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "application/json;as=Nothing;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json", "application/json;stream=watch",
    "application/json;as=Table", "application/json;as=Table;g=meta.k8s.io", "application/json;pretty=1", "application/xml",
    "application/yaml;as=Table;v=v1;g=meta.k8s.io", "application/json;charset=utf-8", "application/json;v=v1", "a/b/c",
    "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io", "application/vnd.kubernetes.protobuf;as=x,application/json",
)  # fmt: skip
_KINDS = (
    JSON, JSON, "application/yaml", "text/plain", "", "application/json; charset=utf-8", "APPLICATION/JSON", "json",
    "application/json;", "application/json;charset", "application/vnd.api+json", "*/*", "application/*", "multipart/form-data",
    "application/yaml; charset=x", "application/x-yaml", "text/yaml", "application/x-www-form-urlencoded", ";", "application/cbor",
)  # fmt: skip
_PATCH_KINDS = (
    APPLY, MERGE, STRATEGIC, JSON_PATCH, JSON, "application/apply-patch+yaml; charset=utf-8", "application/merge-patch+json;x",
    "Application/Merge-Patch+JSON", "application/apply-patch+cbor", "text/plain", "",
)  # fmt: skip
# Upstream writes what it then cannot show in the form that is asked for; here it is refused before.
_OF_WHOLE = tuple(accept for accept in _ACCEPTS if "as=" not in accept)
_METHODS = ("OPTIONS", "TRACE", "FOO", "HEAD", "get", "PROPFIND")


def sequence(draws: Draws) -> list[Step]:
    kinds = (_body, _body, _body, _path, _path, _asked, _asked, _coded, _written)
    return [draws.choice(kinds)(draws, number) for number in range(1, 8)]


def _body(draws: Draws, number: int) -> Step:
    path, raw = draws.choice(_PATHS), draws.choice(_BODIES)
    method = draws.choice(("POST", "POST", "PUT", "PATCH", "DELETE"))
    one = path if method == "POST" else f"{path}/a"
    kind = draws.choice(_KINDS) if draws.is_so(0.4) else JSON
    if method == "PATCH":
        kind = draws.choice(_PATCH_KINDS[:3]) if draws.is_so(0.7) else draws.choice(_PATCH_KINDS)
        one += "?fieldManager=m1"
    return Step(number, method, one, raw=raw, kind=kind)


def _path(draws: Draws, number: int) -> Step:
    method = draws.choice(("GET", "GET", "POST", "PUT", "PATCH", "DELETE"))
    if draws.is_so(0.1):
        method = draws.choice(_METHODS)
    body = {} if method in ("POST", "PUT", "PATCH") else None
    return Step(
        number, method, draws.choice(_ODD_PATHS), body, kind=MERGE if method == "PATCH" else JSON
    )


def _asked(draws: Draws, number: int) -> Step:
    """Lists and objects by odd queries, in odd forms."""
    path = draws.choice(_PATHS)
    if draws.is_so(0.3):
        path += "/a"
    if draws.is_so(0.7):
        path += f"?{draws.choice(_QUERIES)}"
    headers = {"Accept": draws.choice(_ACCEPTS)} if draws.is_so(0.5) else {}
    return Step(number, draws.choice(("GET", "GET", "DELETE")), path, headers=headers)


def _written(draws: Draws, number: int) -> Step:
    """Good bodies with odd queries, to be answered in odd forms."""
    path = f"{_PATHS[0]}?{draws.choice(_QUERIES)}" if draws.is_so(0.7) else _PATHS[0]
    headers = {"Accept": draws.choice(_OF_WHOLE)} if draws.is_so(0.4) else {}
    name = draws.choice(("a", "b"))
    body = {"metadata": {"name": name}, "data": {"a": "b"}}
    method = draws.choice(("POST", "POST", "PUT", "PATCH"))
    if method != "POST":
        path = path.replace("/configmaps", f"/configmaps/{name}", 1)
    return Step(
        number, method, path, body, kind=MERGE if method == "PATCH" else JSON, headers=headers
    )


def _coded(draws: Draws, number: int) -> Step:
    """Bodies in other codes than they say, or in none that is known."""
    method = draws.choice(("POST", "POST", "DELETE"))
    # At such a body of a custom kind kube-apiserver breaks off.
    path = draws.choice(_PATHS[:3] if method == "DELETE" else _PATHS[:2])
    raw, kind, headers = draws.choice((
        ("k8s\x00", "application/vnd.kubernetes.protobuf", {}),
        ("k8s\x00\n\x00\x12\x00\x1a\x00", "application/vnd.kubernetes.protobuf", {}),
        ("k8s\x00\xff", "application/vnd.kubernetes.protobuf", {}),
        ('{"metadata":{"name":"a"}}', "application/vnd.kubernetes.protobuf", {}),
        ("", "application/vnd.kubernetes.protobuf", {}),
        ("k8s\x00\n\x0f\n\x02v1\x12\tConfigMap\x12\x07\n\x05\n\x03pba\x1a\x00", "application/vnd.kubernetes.protobuf", {}),
        ("k8s\x00\n\x09\n\x02v1\x12\x03Pod\x12\x07\n\x05\n\x03pbb\x1a\x00", "application/vnd.kubernetes.protobuf", {}),
        ("{}", JSON, {"Content-Encoding": "identity"}),
    ))  # fmt: skip
    return Step(number, method, path, raw=raw, kind=kind, headers=headers)
