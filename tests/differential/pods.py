"""Specs of pods with much in them: every list that is merged by keys, and maps and atomic lists."""

from __future__ import annotations

from typing import Any

from differential.draws import VALUES, Draws, pairs


def rich_pod(draws: Draws) -> dict[str, Any]:
    return {
        "containers": [_container(draws, name) for name in draws.few("abc", 3, 1)],
        "volumes": [{"name": name, **_source(draws)} for name in draws.few("vw", 2, 2)],
        **draws.some(
            0.2,
            initContainers=lambda: [_container(draws, name) for name in draws.few("ij", 2, 1)],
            nodeSelector=lambda: pairs(draws),
            tolerations=lambda: [
                {"key": n, "operator": "Exists", "effect": "NoSchedule"} for n in draws.few("kl", 2, 1)],
            imagePullSecrets=lambda: [{"name": n} for n in draws.few("st", 2, 1)],
            hostAliases=lambda: [
                {"ip": f"1.2.3.{n}", "hostnames": draws.few("gh", 2, 1)} for n in draws.few("12", 2, 1)],
            topologySpreadConstraints=lambda: [
                {"maxSkew": draws.randint(1, 2), "topologyKey": n, "whenUnsatisfiable": "ScheduleAnyway",
                 "labelSelector": {"matchLabels": {"a": "b"}}} for n in draws.few(("zone", "rack"), 2, 1)],
            securityContext=lambda: draws.some(
                0.5, runAsUser=lambda: draws.randint(1, 2), supplementalGroups=lambda: draws.few((1, 2), 2, 1),
                sysctls=lambda: [{"name": "kernel.shm_rmid_forced", "value": draws.choice("01")}]),
            affinity=lambda: {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": draws.randint(1, 2), "preference": {"matchExpressions": [
                    {"key": "a", "operator": "In", "values": draws.few("bc", 2, 1)}]}}]}},
            dnsConfig=lambda: {"nameservers": ["1.2.3.4"], "options": [{"name": "ndots", "value": "2"}]},
            terminationGracePeriodSeconds=lambda: draws.randint(1, 2),
            priorityClassName=lambda: "system-node-critical",
        ),
    }  # fmt: skip


def _container(draws: Draws, name: str) -> dict[str, Any]:
    return {"name": name, "image": draws.choice(("x", "y:1")), **draws.some(
        0.3,
        args=lambda: draws.few(("1", "2"), 2, 1),
        env=lambda: [_variable(draws, n) for n in draws.few("ABC", 3, 1)],
        envFrom=lambda: [{"configMapRef": {"name": n}} for n in draws.few("mn", 2, 1)],
        ports=lambda: [
            {"containerPort": port, **draws.some(0.6, protocol=lambda: draws.choice(("TCP", "UDP")),
                                                 name=lambda port=port: f"p{port}")}
            for port in draws.few((80, 81, 82), 3, 1)],
        volumeMounts=lambda: [
            {"name": draws.choice("vw"), "mountPath": f"/{path}", **draws.some(0.3, readOnly=lambda: True)}
            for path in draws.few("xyz", 3, 1)],
        resources=lambda: draws.some(
            0.8, limits=lambda: {n: draws.choice(("1", "2")) for n in draws.few(("cpu", "memory"), 2, 1)},
            requests=lambda: {"cpu": draws.choice(("500m", "0.5", 1))}),
        livenessProbe=lambda: {"httpGet": {"port": draws.choice((80, "web")), "httpHeaders": [
            {"name": n, "value": "1"} for n in draws.few("HI", 2)]}, **draws.some(
                0.3, periodSeconds=lambda: draws.randint(5, 6))},
        lifecycle=lambda: {"preStop": {"exec": {"command": draws.few("ab", 2, 1)}}},
        securityContext=lambda: {"capabilities": {"add": draws.few(("CHOWN", "KILL"), 2, 1)}},
        resizePolicy=lambda: [
            {"resourceName": n, "restartPolicy": "NotRequired"} for n in draws.few(("cpu", "memory"), 2, 1)],
    )}  # fmt: skip


def _variable(draws: Draws, name: str) -> dict[str, Any]:
    if draws.is_so(0.7):
        return {"name": name, "value": draws.choice(VALUES)}
    return {"name": name, "valueFrom": draws.choice((
        {"fieldRef": {"fieldPath": "metadata.name"}},
        {"configMapKeyRef": {"name": "m", "key": draws.choice("kl")}},
        {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}))}  # fmt: skip


def _source(draws: Draws) -> dict[str, Any]:
    return draws.choice((
        {"emptyDir": {}}, {"emptyDir": {"medium": "Memory"}},
        {"configMap": {"name": draws.choice("mn"), "items": [
            {"key": n, "path": n} for n in draws.few("kl", 2, 1)]}},
        {"secret": {"secretName": "s", "defaultMode": draws.choice((256, 384))}},
        {"projected": {"sources": [{"configMap": {"name": n}} for n in draws.few("mn", 2, 1)]}},
    ))  # fmt: skip
