"""Webhooks are shown evictions, bindings, scales, options of exec as kube-apiserver shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support import api_process, subject_cases
from support.real_cluster import real_cluster
from support.subject_cases import NS, Asked
from support.webhook_server import webhook_in_thread


def test_every_question_and_answer_is_upstreams(peers: Path, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("webhook", "kubernetes", "mizzen")]
    for folder in folders:
        folder.mkdir()
    asked = Asked()
    with webhook_in_thread(folders[0], asked.answer) as hook:
        with real_cluster(folders[1], gates=(), runtime_config=()) as real:
            real.make_namespace(NS)
            theirs = subject_cases.answers(real.call, hook.client_config, asked)
        with api_process.running(folders[2]) as mizzen:

            def ask(method: str, path: str, body: Any) -> tuple[int, Any]:
                kind = "merge-patch+json" if method == "PATCH" else "json"
                return mizzen.call(method, path, body, content_type=f"application/{kind}")

            assert ask("POST", "/api/v1/namespaces", {"metadata": {"name": NS}})[0] == 201
            ours = subject_cases.answers(ask, hook.client_config, asked)
    differing = {case: (theirs[case], ours[case]) for case in theirs if theirs[case] != ours[case]}
    assert not differing, "\n".join(
        f"{case}:\n  ours   {mine}\n  theirs {other}" for case, (other, mine) in differing.items()
    )
    assert len(theirs) > 25
