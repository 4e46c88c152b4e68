from mizzen.controllers.core.pod_templates import fresh_name, hash_of, pod_of

OWNER = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "metadata": {"name": "rs", "namespace": "n", "uid": "u"},
}


def test_a_pod_has_what_its_template_says_and_shares_no_labels():
    metadata = {"labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["e/f"]}
    template = {"metadata": metadata, "spec": {"containers": []}}
    pod = pod_of(template, OWNER, "rs-1")
    assert pod["metadata"]["name"] == "rs-1" and pod["metadata"]["namespace"] == "n"
    assert {k: pod["metadata"][k] for k in metadata} == metadata
    pod["metadata"]["labels"]["x"] = "y"
    assert metadata["labels"] == {"a": "b"}
    assert "annotations" not in pod_of({"spec": {}}, OWNER, "rs-2")["metadata"]


def test_names_follow_from_their_seed_and_pass_over_what_is_taken():
    first = fresh_name(OWNER, "s", lambda name: False)
    assert first == fresh_name(OWNER, "s", lambda name: False)
    assert first != fresh_name(OWNER, "t", lambda name: False)
    assert fresh_name(OWNER, "s", lambda name: name == first) != first
    assert not set(first[3:]) & set("aeiou013")


def test_a_hash_is_of_the_value_and_not_of_its_order():
    assert hash_of({"a": 1, "b": [1, "x"]}) == hash_of({"b": [1, "x"], "a": 1})
    assert hash_of({"a": 1}) != hash_of({"a": "1"})
    assert hash_of({"a": 1}) != hash_of({"a": 1}, 1)
