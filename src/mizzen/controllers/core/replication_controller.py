"""v1 ReplicationController: a ReplicaSet whose selector is plain labels."""

from __future__ import annotations

from mizzen.base.resources import REPLICATION_CONTROLLERS
from mizzen.controllers.core.replica_set import controller_of_kind

CONTROLLER = controller_of_kind("replicationcontroller", REPLICATION_CONTROLLERS)
