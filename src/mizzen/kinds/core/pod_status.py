"""The schema of PodStatus. Source: core/v1 types.go, Kubernetes 1.36."""

from __future__ import annotations

from mizzen.kinds.core.containers import RESOURCE_REQUIREMENTS
from mizzen.kinds.schema import (
    BOOL,
    INT32,
    INT64,
    OPEN,
    QUANTITIES,
    STR,
    TIME,
    array,
    choice,
    package,
)

v1 = package("io.k8s.api.core.v1")

POD_CONDITION = v1(
    "PodCondition",
    "One aspect of the pod's state.",
    type=STR("Ready, PodScheduled, Initialized, ContainersReady, ...", required=True),
    status=choice("True", "False", "Unknown")("Whether it holds.", required=True),
    observedGeneration=INT64("metadata.generation that this describes."),
    lastProbeTime=TIME("When it was last checked."),
    lastTransitionTime=TIME("When status last changed."),
    reason=STR("CamelCase word for programs."),
    message=STR("Sentence for people."),
)
CONTAINER_STATE = v1(
    "ContainerState",
    "One of waiting, running, terminated.",
    waiting=v1(
        "ContainerStateWaiting", "Not started.", reason=STR("Why."), message=STR("In words.")
    ),
    running=v1("ContainerStateRunning", "Running.", startedAt=TIME("Since when.")),
    terminated=v1(
        "ContainerStateTerminated",
        "Ended.",
        exitCode=INT32("Exit code.", required=True),
        signal=INT32("Signal that killed it."),
        reason=STR("Completed, Error, OOMKilled, ..."),
        message=STR("Its last words."),
        startedAt=TIME(),
        finishedAt=TIME(),
        containerID=STR(),
    ),
)
CONTAINER_STATUS = v1(
    "ContainerStatus",
    "What became of a container.",
    name=STR("The container.", required=True),
    state=CONTAINER_STATE("Now."),
    lastState=CONTAINER_STATE("Before the last restart."),
    ready=BOOL("Whether its readiness probe succeeds.", required=True),
    started=BOOL("Whether its startup probe succeeded."),
    restartCount=INT32("How often it was restarted.", required=True),
    image=STR("The image it runs.", required=True),
    imageID=STR("The image, exactly.", required=True),
    containerID=STR("<runtime>://<id>"),
    allocatedResources=QUANTITIES(),
    resources=RESOURCE_REQUIREMENTS("What it really has."),
    allocatedResourcesStatus=array(
        v1(
            "ResourceStatus",
            "Health of a resource.",
            name=STR("claim:<claim>/<request> or the resource's name.", required=True),
            resources=array(
                v1(
                    "ResourceHealth",
                    "Health of a device.",
                    resourceID=STR("<driver>/<pool>/<device>", required=True),
                    health=STR("Healthy, Unhealthy or Unknown."),
                    message=STR(),
                ),
                keys=("resourceID",),
            )(),
        ),
        key="name",
    )("Health of its devices."),
    volumeMounts=array(
        v1(
            "VolumeMountStatus",
            "A mounted volume.",
            name=STR(required=True),
            mountPath=STR(required=True),
            readOnly=BOOL(),
            recursiveReadOnly=STR(),
            volumeStatus=OPEN(),
        ),
        key="mountPath",
    )(),
    user=v1(
        "ContainerUser",
        "Who it runs as.",
        linux=v1(
            "LinuxContainerUser",
            "Ids.",
            uid=INT64(required=True),
            gid=INT64(required=True),
            supplementalGroups=array(INT64)(),
        ),
    ),
    stopSignal=STR(),
)
STATUSES = array(CONTAINER_STATUS)

POD_STATUS = v1(
    "PodStatus",
    "What became of the pod.",
    phase=choice("Pending", "Running", "Succeeded", "Failed", "Unknown")("Where in its life."),
    observedGeneration=INT64("metadata.generation that this describes."),
    conditions=array(POD_CONDITION, key="type")("Aspects of its state."),
    message=STR("Why it is so, in words."),
    reason=STR("Why it is so, for programs, e.g. Evicted."),
    nominatedNodeName=STR("Node where room is being made for it."),
    hostIP=STR("Address of its node."),
    hostIPs=array(v1("HostIP", "An address.", ip=STR(required=True)), key="ip")(
        list_type="atomic", list_keys=()
    ),
    podIP=STR("Its address."),
    podIPs=array(v1("PodIP", "An address.", ip=STR(required=True)), key="ip")("Its addresses."),
    startTime=TIME("When the node accepted it."),
    initContainerStatuses=STATUSES("Init containers."),
    containerStatuses=STATUSES("Containers."),
    ephemeralContainerStatuses=STATUSES("Ephemeral containers."),
    qosClass=choice("Guaranteed", "Burstable", "BestEffort")("Quality of service."),
    resize=STR("State of a resize."),
    allocatedResources=QUANTITIES(),
    resources=RESOURCE_REQUIREMENTS(),
    resourceClaimStatuses=array(
        v1(
            "PodResourceClaimStatus",
            "The claim made for an entry of spec.resourceClaims.",
            name=STR("The entry.", required=True),
            resourceClaimName=STR("The ResourceClaim made for it."),
        ),
        key="name",
    )("Claims made from templates.", retain_keys=True),
    extendedResourceClaimStatus=v1(
        "PodExtendedResourceClaimStatus",
        "The claim made for extended resources such as nvidia.com/gpu.",
        resourceClaimName=STR(required=True),
        requestMappings=array(
            v1(
                "ContainerExtendedResourceRequest",
                "Which container's resource became which request.",
                containerName=STR(required=True),
                resourceName=STR(required=True),
                requestName=STR(required=True),
            )
        )(required=True),
    ),
    nodeAllocatableResourceClaimStatuses=array(
        v1(
            "NodeAllocatableResourceClaimStatus",
            "Node resources that the devices of one claim use.",
            resourceClaimName=STR("The claim.", required=True),
            containers=array(STR, unique=True)("Containers that use it."),
            resources=QUANTITIES("By resource name.", required=True),
        )
    )("Node resources that claims use."),
)
