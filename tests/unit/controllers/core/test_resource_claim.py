import pytest

from mizzen.base.names import CLAIM_NAME_ANNOTATION
from mizzen.base.resources import PODS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from mizzen.controllers.core.resource_claim import CONTROLLER
from mizzen.kinds.names import dns_subdomain
from support.controlled import Cluster

SPEC = {"devices": {"requests": [{"name": "r", "exactly": {"deviceClassName": "x"}}]}}


@pytest.fixture
def cluster():
    made = Cluster(CONTROLLER)
    metadata = {"name": "p", "namespace": "default"}
    entry = {"name": "gpu", "resourceClaimTemplateName": "t"}
    made.add(PODS, {"metadata": metadata, "spec": {"resourceClaims": [entry], "nodeName": "n"}})
    return made


def add_template(cluster):
    metadata = {"name": "t", "namespace": "default"}
    spec = {"metadata": {"labels": {"a": "b"}}, "spec": SPEC}
    cluster.add(RESOURCE_CLAIM_TEMPLATES, {"metadata": metadata, "spec": spec})


def test_a_claim_is_made_from_the_template_and_told_in_the_pods_status(cluster):
    add_template(cluster)
    cluster.settle("p")
    (claim,) = cluster.all(RESOURCE_CLAIMS)
    assert claim["spec"] == SPEC
    assert claim["metadata"]["labels"] == {"a": "b"}
    assert claim["metadata"]["annotations"] == {CLAIM_NAME_ANNOTATION: "gpu"}
    assert claim["metadata"]["ownerReferences"][0]["name"] == "p"
    status = cluster.get(PODS, "p")["status"]
    name = claim["metadata"]["name"]
    assert status["resourceClaimStatuses"] == [{"name": "gpu", "resourceClaimName": name}]


def test_a_missing_template_is_told(cluster):
    cluster.settle("p")
    assert '"default/t" not found' in cluster.events[0].message


def test_a_lost_status_finds_its_claim_again(cluster):
    add_template(cluster)
    cluster.settle("p")
    cluster.change(PODS, "p", {"status": {"resourceClaimStatuses": None}})
    cluster.settle("p")
    assert len(cluster.names(RESOURCE_CLAIMS)) == 1
    assert cluster.get(PODS, "p")["status"]["resourceClaimStatuses"]


def test_claims_of_a_finished_pod_are_deleted(cluster):
    add_template(cluster)
    cluster.settle("p")
    cluster.change(PODS, "p", {"status": {"phase": "Succeeded"}})
    cluster.settle("p")
    assert cluster.names(RESOURCE_CLAIMS) == []


@pytest.mark.parametrize("name", ["a" * 179 + "." + "b" * 20, "a" * 178 + "-." + "b" * 20, "p"])
def test_a_claim_of_a_long_name_still_has_a_name(name):
    cluster = Cluster(CONTROLLER)
    entry = {"name": "gpu", "resourceClaimTemplateName": "t"}
    metadata = {"name": name, "namespace": "default"}
    cluster.add(PODS, {"metadata": metadata, "spec": {"resourceClaims": [entry], "nodeName": "n"}})
    add_template(cluster)
    cluster.settle(name)
    (claim,) = cluster.all(RESOURCE_CLAIMS)
    assert dns_subdomain(claim["metadata"]["name"]) == ""
