from pathlib import Path

import pytest

from mizzen.base.errors import BadRequest
from mizzen.client.in_cluster import in_cluster

HERE = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("secret\n")
    (tmp_path / "ca.crt").write_text("PEM")
    return tmp_path


def test_the_pods_account_at_the_address_of_the_environment(account: Path) -> None:
    found = in_cluster(HERE, account)
    assert (found.server, found.token) == ("https://10.0.0.1:443", "secret")
    assert found.certificate_authority == "PEM"
    assert found.verify


def test_a_token_that_is_renewed_is_read_again(account: Path) -> None:
    found = in_cluster(HERE, account)
    (account / "token").write_text("newer\n")
    assert found.fresh_token() == "newer"


def test_an_ipv6_address_is_put_into_brackets(account: Path) -> None:
    found = in_cluster({**HERE, "KUBERNETES_SERVICE_HOST": "fd00::1"}, account)
    assert found.server == "https://[fd00::1]:443"


@pytest.mark.parametrize("missing", HERE)
def test_outside_of_a_pod_the_kubeconfig_is_asked_for(account: Path, missing: str) -> None:
    rest = {name: value for name, value in HERE.items() if name != missing}
    with pytest.raises(BadRequest, match="say --kubeconfig FILE"):
        in_cluster(rest, account)


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
def test_an_account_that_is_not_mounted_is_named(account: Path, missing: str) -> None:
    (account / missing).unlink()
    with pytest.raises(BadRequest, match=f"{missing} cannot be read"):
        in_cluster(HERE, account)
