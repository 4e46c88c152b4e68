"""Rules of identity: service accounts' tokens, and whom a credential stands for."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from support.api_rules.registry import rule
from support.api_rules.talk import Talk, secret

AUTHENTICATION = "/apis/authentication.k8s.io/v1"
REVIEWS, WHOAMI = f"{AUTHENTICATION}/tokenreviews", f"{AUTHENTICATION}/selfsubjectreviews"
UNKNOWN_UID = "11111111-1111-1111-1111-111111111111"


def account(api: Talk) -> tuple[str, str, Any]:
    """(Its namespace's path, its token's path, the account): a new one."""
    space = api.namespace()
    made = api.post(f"{space}/serviceaccounts", {"metadata": {"name": "robot"}}).ok(201)
    return space, f"{space}/serviceaccounts/robot/token", made


def claims(token: str) -> Any:
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def review(api: Talk, token: str, *audiences: str) -> Any:
    spec = {"token": token, **({"audiences": audiences} if audiences else {})}
    return api.post(REVIEWS, {"spec": spec}).ok(201)["status"]


@rule("a TokenRequest answers itself with its token, for an hour where it says nothing")
def token_request(api: Talk) -> None:
    _, path, made = account(api)
    said = api.post(path, {}).ok(201)
    assert (said["kind"], said["apiVersion"]) == ("TokenRequest", "authentication.k8s.io/v1")
    metadata = said["metadata"]
    own = ("name", "namespace", "uid")
    assert [metadata[each] for each in own] == [made["metadata"][each] for each in own]
    assert metadata["creationTimestamp"].endswith("Z")
    assert said["spec"]["expirationSeconds"] == 3600 and said["spec"]["boundObjectRef"] is None
    assert len(said["spec"]["audiences"]) == 1
    assert set(said["status"]) == {"token", "expirationTimestamp"}


@rule("a token says its account, audiences, life and id")
def token_claims(api: Talk) -> None:
    space, path, made = account(api)
    wish = {"spec": {"audiences": ["a", "b"], "expirationSeconds": 600}}
    found = claims(api.post(path, wish).ok(201)["status"]["token"])
    namespace = space.rpartition("/")[2]
    assert set(found) == {"aud", "exp", "iat", "iss", "jti", "kubernetes.io", "nbf", "sub"}
    assert found["aud"] == ["a", "b"] and found["exp"] - found["iat"] == 600
    assert found["nbf"] == found["iat"] and abs(found["iat"] - time.time()) < 60
    assert found["sub"] == f"system:serviceaccount:{namespace}:robot"
    reference = {"name": "robot", "uid": made["metadata"]["uid"]}
    assert found["kubernetes.io"] == {"namespace": namespace, "serviceaccount": reference}


@rule("a token lives ten minutes at least, 2^32 seconds at most")
def token_life(api: Talk) -> None:
    _, path, _ = account(api)
    for life_s, words in (
        (599, "less than 10 minutes"),
        ((1 << 32) + 1, "larger than 2^32 seconds"),
    ):
        said = api.post(path, {"spec": {"expirationSeconds": life_s}}).refused(422, "Invalid")
        (cause,) = said["details"]["causes"]
        assert cause == {
            "reason": "FieldValueInvalid",
            "field": "spec.expirationSeconds",
            "message": f"Invalid value: {life_s}: may not specify a duration {words}",
        }
        assert said["details"]["kind"] == "TokenRequest"
        assert said["message"].startswith('TokenRequest.authentication.k8s.io "" is invalid: ')


@rule("a TokenRequest names its account, or none; one that is not there is not found")
def token_of_another(api: Talk) -> None:
    space, path, made = account(api)
    real = made["metadata"]["uid"]
    said = api.post(path, {"metadata": {"name": "other"}}).refused(422, "Invalid")
    assert "must match the service account name if specified" in said["message"]
    said = api.post(path, {"metadata": {"uid": UNKNOWN_UID}}).refused(409, "Conflict")
    assert said["message"] == (
        'Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "robot": the UID in '
        f"the token request ({UNKNOWN_UID}) does not match the UID of the service account ({real})"
    )
    said = api.post(f"{space}/serviceaccounts/nobody/token", {}).refused(404, "NotFound")
    assert said["message"] == 'serviceaccounts "nobody" not found'


@rule("a token is bound to a Secret, Pod or Node that is there, and to nothing else")
def bound_tokens(api: Talk) -> None:
    space, path, _ = account(api)
    made = api.post(f"{space}/secrets", secret("s")).ok(201)

    def ask(**reference: str) -> Any:
        return api.post(path, {"spec": {"boundObjectRef": reference}})

    said = ask(apiVersion="v1", kind="Secret", name="s").ok(201)
    own = claims(said["status"]["token"])["kubernetes.io"]
    assert own["secret"] == {"name": "s", "uid": made["metadata"]["uid"]}
    ask(apiVersion="v1", kind="Secret", name="none").refused(404, "NotFound")
    ask(apiVersion="v1", kind="Node", name="none").refused(404, "NotFound")
    said = ask(apiVersion="v1", kind="Service", name="s").refused(400, "BadRequest")
    assert said["message"] == "cannot bind token to object of type /v1, Kind=Service"
    said = ask(apiVersion="v1", kind="Secret", name="s", uid=UNKNOWN_UID).refused(409, "Conflict")
    assert said["message"] == (
        f'Operation cannot be fulfilled on Secret "s": the UID in the bound object reference '
        f"({UNKNOWN_UID}) does not match the UID in record. The object might have been deleted "
        "and then recreated"
    )


@rule("a TokenReview says whom a token stands for, and for whom it is")
def token_review(api: Talk) -> None:
    space, path, made = account(api)
    namespace = space.rpartition("/")[2]
    said = api.post(path, {}).ok(201)
    token = said["status"]["token"]
    status = review(api, token)
    assert status == {
        "authenticated": True,
        "user": {
            "username": f"system:serviceaccount:{namespace}:robot",
            "uid": made["metadata"]["uid"],
            "groups": [
                "system:serviceaccounts",
                f"system:serviceaccounts:{namespace}",
                "system:authenticated",
            ],
            "extra": {
                "authentication.kubernetes.io/credential-id": [f"JTI={claims(token)['jti']}"]
            },
        },
        "audiences": said["spec"]["audiences"],
    }


@rule("a TokenReview of other audiences, of no token and of an unknown one tells no user")
def token_review_refuses(api: Talk) -> None:
    _, path, _ = account(api)
    token = api.post(path, {"spec": {"audiences": ["a", "b"]}}).ok(201)["status"]["token"]
    assert review(api, token, "b", "c")["audiences"] == ["b"]
    status = review(api, token, "c")
    assert status == {
        "user": {},
        "error": '[invalid bearer token, token audiences ["a" "b"] is invalid for the target '
        'audiences ["c"]]',
    }
    assert review(api, "nothing") == {"user": {}, "error": "invalid bearer token"}
    api.post(REVIEWS, {"spec": {}}).refused(400, "BadRequest")
    head, body, signature = token.split(".")
    forged = f"{head}.{body}.{signature[:-8]}AAAAAAAA"
    status = review(api, forged, "b")
    assert status["user"] == {} and status["error"].startswith("[invalid bearer token, ")


@rule("a token counts for nothing once its account or what it is bound to is gone")
def tokens_of_what_is_gone(api: Talk) -> None:
    space, path, _ = account(api)
    api.post(f"{space}/secrets", secret("s")).ok(201)
    reference = {"apiVersion": "v1", "kind": "Secret", "name": "s"}
    plain = api.post(path, {}).ok(201)["status"]["token"]
    bound = api.post(path, {"spec": {"boundObjectRef": reference}}).ok(201)["status"]["token"]
    assert review(api, bound)["authenticated"] and review(api, plain)["authenticated"]
    api.delete(f"{space}/secrets/s").ok()
    _wait_for(api, bound, "[invalid bearer token, service account token has been invalidated]")
    api.post(f"{space}/secrets", secret("s")).ok(201)
    api.delete(path.removesuffix("/token")).ok()
    _wait_for(api, plain, '[invalid bearer token, serviceaccounts "robot" not found]')


def _wait_for(api: Talk, token: str, error: str) -> None:
    """kube-apiserver keeps what it knows of a token for ten seconds."""
    ends = time.monotonic() + 15
    while (status := review(api, token)) != {"user": {}, "error": error}:
        assert time.monotonic() < ends, status
        time.sleep(0.5)


@rule("a SelfSubjectReview tells whoever asks who he is")
def self_subject_review(api: Talk) -> None:
    space, path, made = account(api)
    said = api.post(WHOAMI, {}).ok(201)
    assert said["metadata"]["creationTimestamp"].endswith("Z")
    assert "system:authenticated" in said["status"]["userInfo"]["groups"]
    token = api.post(path, {}).ok(201)["status"]["token"]
    own = {"Authorization": f"Bearer {token}"}
    info = api.call("POST", WHOAMI, {}, more=own).ok(201)["status"]["userInfo"]
    namespace = space.rpartition("/")[2]
    assert info["username"] == f"system:serviceaccount:{namespace}:robot"
    assert info["uid"] == made["metadata"]["uid"]
    said = api.call("GET", f"{space}/secrets", more=own).refused(403, "Forbidden")
    assert f'User "system:serviceaccount:{namespace}:robot" cannot list' in said["message"]
