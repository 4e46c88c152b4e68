"""The agent's numbers for Prometheus, under the kubelet's names where it counts the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mizzen.base.exposition import Page
from mizzen.node.agent import Agent

_Statistics = Callable[[], Mapping[str, int]]
_AGENT = (
    ("running_pods", "kubelet_running_pods", "Pods of which something runs."),
    ("pods", "mizzen_node_pods", "Pods that the agent looks after."),
    ("held", "mizzen_node_addresses", "Addresses given to pods."),
    ("passed_over", "mizzen_node_addresses_passed_over_total", "Addresses that others listen on."),
)
_BOUNDARY = (
    ("aside", "mizzen_node_set_aside", "Objects set aside after a fault, to be tried again."),
    ("faults", "mizzen_node_faults_total", "Faults that stopped at their object."),
)
_REPORTER = (
    ("marked", "mizzen_node_reports_waiting", "Pods whose state is to be reported."),
    ("writes", "mizzen_node_reports_total", "Commits of pods' states."),
    ("refused", "mizzen_node_reports_refused_total", "Such commits refused, then sent singly."),
    ("rejected", "mizzen_node_reports_rejected_total", "Reports refused for what they say."),
    ("unavailable", "mizzen_node_reports_unavailable_total", "Reports that had no answer."),
)
_GANGS = (
    ("gangs", "mizzen_node_gangs", "Trainings with workers here."),
    ("unsaved", "mizzen_node_checkpoints_unsaved", "Trainings with state in shared memory alone."),
    ("waiting", "mizzen_node_checkpoints_waiting", "Trainings whose copy waits for its turn."),
    ("done", "mizzen_node_checkpoint_copies_total", "Copies to the durable tiers that ended."),
)
_USAGE = (
    ("unwritten", "mizzen_node_usage_unwritten", "UsageRecords that wait to be written."),
    ("written", "mizzen_node_usage_written_total", "UsageRecords written."),
    ("refused", "mizzen_node_usage_refused_total", "UsageRecords that the API server refused."),
    ("dropped", "mizzen_node_usage_dropped_total", "UsageRecords given up: too many waited."),
    ("lost", "mizzen_node_usage_intervals_lost_total", "Intervals overwritten before being read."),
)
_SERVICES = (
    ("routes", "mizzen_node_service_routes", "Ports of Services that lead to endpoints here."),
    ("refused", "mizzen_node_service_routes_refused", "Such ports that cannot be listened on."),
    ("restarts", "mizzen_node_forwarder_restarts_total", "Times that the forwarder ended."),
)
_API = (("connections", "mizzen_node_api_connections", "Connections to the agent's own API."),)


def collect(agent: Agent, api: _Statistics, page: Page) -> None:
    """Of one agent; `api` is the `statistics` of its server."""
    text, labels = "Runs of containers.", {"container_state": "running"}
    runs = len(agent.runtimes.running)
    page.add("kubelet_running_containers", "gauge", text, runs, labels)
    page.add_all(_AGENT, agent.statistics())
    page.add_all(_BOUNDARY, agent.boundary.statistics())
    page.add_all(_REPORTER, agent.reporter.statistics())
    page.add_all(_GANGS, agent.gangs.statistics())
    page.add_all(_USAGE, agent.usage.statistics())
    page.add_all(_SERVICES, agent.services.statistics())
    page.add_all(_API, api())
