"""Claims that the pods of a PodGroup share."""

from __future__ import annotations

from mizzen.base.objects import Obj
from support.scheduler_world import World, claim, exactly, pod, pod_group

MANY = 300  # more than a claim's reservedFor can list


def group(name: str = "g", *, made: str = "", min_count: int = 2, **entry: str) -> Obj:
    found = pod_group(name, min_count)
    found["spec"]["resourceClaims"] = [{"name": "shared", **entry}]
    if made:
        statuses = [{"name": "shared", "resourceClaimName": made}]
        found["status"] = {"resourceClaimStatuses": statuses}
    return found


def member(name: str, claim_name: str = "c", **more: object) -> Obj:
    made = pod(name, gang="g", **more)
    made["spec"]["resourceClaims"] = [{"name": "shared", "resourceClaimName": claim_name}]
    return made


def test_a_group_reserves_its_claim_once() -> None:
    world = World()
    world.add(group(resourceClaimName="c"), claim("c"), member("a"), member("b"))
    world.run()
    given = world.bound()
    assert given["a"] == given["b"] and len(given["a"]) == 1
    assert world.get("ResourceClaim", "c")["status"]["reservedFor"] == [
        {
            "apiGroup": "scheduling.k8s.io",
            "resource": "podgroups",
            "name": "g",
            "uid": "group-g",
        }
    ]
    world.add(member("d"))
    world.run()
    assert world.bound()["d"] == given["a"]
    assert len(world.get("ResourceClaim", "c")["status"]["reservedFor"]) == 1


def test_more_pods_than_a_claim_can_list_share_it() -> None:
    world = World()
    world.nodes[0]["status"]["allocatable"]["pods"] = str(MANY)
    world.add(group(resourceClaimName="c", min_count=MANY), claim("c"))
    world.add(*(member(f"p{index}") for index in range(MANY)))
    world.run()
    assert len(world.bound()) == MANY


def test_a_claim_made_from_a_template_belongs_to_the_group() -> None:
    world = World()
    made = claim("made")
    made["metadata"]["ownerReferences"] = [
        {"kind": "PodGroup", "name": "g", "uid": "group-g", "controller": True}
    ]
    world.add(group(made="made", min_count=1, resourceClaimTemplateName="t"), made)
    one = pod("a", gang="g")
    one["spec"]["resourceClaims"] = [{"name": "shared", "resourceClaimTemplateName": "t"}]
    one["status"]["resourceClaimStatuses"] = [{"name": "shared", "resourceClaimName": "made"}]
    world.add(one)
    world.run()
    assert world.get("Pod", "a")["spec"]["nodeName"] == "n1"
    assert world.get("ResourceClaim", "made")["status"]["reservedFor"][0]["name"] == "g"


def test_a_claim_of_another_name_is_the_pods_own() -> None:
    world = World()
    world.add(group(resourceClaimName="other", min_count=1), claim("c"), member("a"))
    world.run()
    reserved = world.get("ResourceClaim", "c")["status"]["reservedFor"]
    assert reserved == [{"resource": "pods", "name": "a", "uid": "pod-a"}]


def test_devices_stay_with_the_group_while_it_has_no_pods() -> None:
    world = World()
    world.add(group(resourceClaimName="c", min_count=1), claim("c", exactly(count=4)), member("a"))
    world.run()
    world.end("a", with_claim=False)
    world.add(claim("x"), pod("x", claims=("x",)))
    world.run()
    assert "x" not in world.bound()
    world.add(member("b"))
    world.run()
    assert len(world.bound()["b"]) == 4
