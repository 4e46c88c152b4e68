import random

import orjson
import pytest

from mizzen.base.objects import Key, key_of
from mizzen.client.compact import CompactObjects


def pod(number, revision=1):
    container = {"name": "main", "image": "registry.example.com/app:1", "env": [{"name": "A"}]}
    return {
        "metadata": {
            "name": f"p{number}",
            "namespace": "x",
            "resourceVersion": str(revision),
            "labels": {"app": "a\u00e9\U0001f600", "index": str(number)},
        },
        "spec": {"containers": [container] * 3, "nodeName": f"node-{number % 7}"},
        "status": {"ratio": 0.1 + number, "large": 2**63 + number, "none": None, "yes": True},
    }


def filled(count, parsed_max):
    kept = CompactObjects(parsed_max)
    for number in range(count):
        obj = pod(number, number + 1)
        kept[key_of(obj)] = obj
    return kept


def is_settled(obj):
    return obj["spec"]["nodeName"] < "node-4"


KINDS = {
    "all alike": lambda: CompactObjects(8),
    "some settled": lambda: CompactObjects(8, 4, is_settled),
}


@pytest.mark.parametrize("made", KINDS.values(), ids=KINDS)
def test_it_is_a_mapping_like_a_dict(made):
    """The same calls on a dict and on it, in an order drawn by chance."""
    chance = random.Random(7)
    kept, plain = made(), {}
    for revision in range(1, 3000):
        obj = pod(chance.randrange(60), revision)
        key = key_of(obj)
        match chance.randrange(4):
            case 0:
                assert (kept.pop(key, None)) == plain.pop(key, None)
            case 1:
                assert kept.get(key) == plain.get(key)
                assert (key in kept) == (key in plain)
            case _:
                kept[key], plain[key] = obj, obj
                assert kept.revision(key) == revision
        assert len(kept) == len(plain)
    assert list(kept.items()) == list(plain.items())
    assert all(kept.revision(k) == int(o["metadata"]["resourceVersion"]) for k, o in plain.items())


def test_what_is_not_there_is_missing():
    kept = filled(20, 4)
    with pytest.raises(KeyError):
        kept[Key("x", "other")]
    with pytest.raises(KeyError):
        del kept[Key("x", "other")]
    with pytest.raises(KeyError):
        kept.revision(Key("x", "other"))


def test_all_but_the_newest_are_packed_small():
    kept = filled(500, 16)
    assert len(kept._parsed) == 16
    packed = [value for value in kept._packed.values() if value is not None]
    assert len(packed) >= 484
    texts = sum(len(orjson.dumps(obj)) for obj in kept.values())
    assert 500 / len(packed) * sum(map(len, packed)) < texts / 4


def test_what_is_settled_takes_no_room_from_what_is_not():
    kept = CompactObjects(100, 4, is_settled)
    for number in range(140):  # four of seven are settled
        kept[key_of(pod(number))] = pod(number)
    unpacked = [key for key, value in kept._packed.items() if value is None]
    assert len(unpacked) == 60 + 4
    moving = next(key for key in unpacked if not is_settled(kept[key]))
    assert kept[moving] is kept[moving]


def test_what_is_read_again_and_again_is_not_packed_again():
    kept = filled(50, 4)
    first = Key("x", "p0")
    before = kept._packed[first]
    assert kept[first] == pod(0, 1)
    assert kept[first] is kept[first]  # parsed once for those who ask at the same time
    list(kept.values())
    assert kept._packed[first] is before


def test_an_object_that_is_nested_too_deeply_for_the_writer_is_kept():
    """An API server may have it: orjson reads 1,024 levels and writes 254."""
    deep = orjson.loads(b'{"metadata":{"name":"deep"},"spec":' + b"[" * 500 + b"]" * 500 + b"}")
    kept = CompactObjects(4)
    kept[Key("", "deep")] = deep
    for number in range(10):
        kept[key_of(pod(number))] = pod(number)
    assert kept[Key("", "deep")] == deep
