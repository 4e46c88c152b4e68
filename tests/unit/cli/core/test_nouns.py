import pytest

from mizzen.base.resources import DEPLOYMENTS, MODEL_ENDPOINTS, PODS, TRAIN_JOBS
from mizzen.cli.core import nouns


@pytest.mark.parametrize(
    "text,resource,name",
    [
        ("pod/a", PODS, "a"),
        ("po/a", PODS, "a"),
        ("Pods/a", PODS, "a"),
        ("trainjob.trainer.kubeflow.org/x", TRAIN_JOBS, "x"),
        ("me/tiny", MODEL_ENDPOINTS, "tiny"),
        ("deployment.apps/web", DEPLOYMENTS, "web"),
        ("deploy/web", DEPLOYMENTS, "web"),
        ("bare", None, "bare"),
    ],
)
def test_words_for_objects(text: str, resource: object, name: str) -> None:
    assert nouns.parse(text) == (resource, name)


@pytest.mark.parametrize(
    "text,message",
    [
        ("trianjob/x", "did you mean 'trainjob'"),
        ("pod/", "not KIND/NAME"),
        ("a/b/c", "not known"),
        ("", "no name"),
    ],
)
def test_misspelt_words_are_told(text: str, message: str) -> None:
    with pytest.raises(nouns.UnknownNoun, match=message):
        nouns.parse(text)
