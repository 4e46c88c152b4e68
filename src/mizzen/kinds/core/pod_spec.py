"""The schema of PodSpec. Source: core/v1 types.go, Kubernetes 1.36."""

from __future__ import annotations

from mizzen.kinds.core.containers import (
    APP_ARMOR,
    CONFINED,
    CONTAINER,
    EPHEMERAL_CONTAINER,
    NO_IMAGES,
    PROCESS,
    RESOURCE_REQUIREMENTS,
    SECCOMP,
    SELINUX,
    UNCONFINED,
    WINDOWS,
)
from mizzen.kinds.core.references import (
    LOCAL_OBJECT_REFERENCE,
    NODE_SELECTOR,
    NODE_SELECTOR_TERM,
    TOLERATION,
)
from mizzen.kinds.core.volumes import VOLUME
from mizzen.kinds.meta import LABEL_SELECTOR, OBJECT_META
from mizzen.kinds.schema import (
    BOOL,
    INT32,
    INT64,
    QUANTITIES,
    STR,
    STRING_MAP,
    STRINGS,
    array,
    choice,
    package,
)
from mizzen.kinds.treatment import Fields, accepted, acted, holding, refused_by_node, warned

v1 = package("io.k8s.api.core.v1")

POD_AFFINITY_TERM = v1(
    "PodAffinityTerm",
    "Pods to be near to, or far from.",
    labelSelector=LABEL_SELECTOR("Which pods."),
    namespaces=STRINGS("Their namespaces; the pod's own by default."),
    namespaceSelector=LABEL_SELECTOR("Their namespaces, by label."),
    topologyKey=STR("Node label whose value makes nodes near.", required=True),
    matchLabelKeys=STRINGS("Labels whose value the pods must share."),
    mismatchLabelKeys=STRINGS("Labels whose value they must not share."),
)
WEIGHT = INT32("Weight, 1-100.", required=True, minimum=1, maximum=100)
_POD_AFFINITY_FIELDS = {
    "requiredDuringSchedulingIgnoredDuringExecution": array(POD_AFFINITY_TERM)("Must hold."),
    "preferredDuringSchedulingIgnoredDuringExecution": array(
        v1(
            "WeightedPodAffinityTerm",
            "A term with a weight.",
            weight=WEIGHT(),
            podAffinityTerm=POD_AFFINITY_TERM(required=True),
        )
    )("Should hold."),
}
AFFINITY = v1(
    "Affinity",
    "Where the pod should run.",
    nodeAffinity=v1(
        "NodeAffinity",
        "Which nodes.",
        requiredDuringSchedulingIgnoredDuringExecution=NODE_SELECTOR("Must hold."),
        preferredDuringSchedulingIgnoredDuringExecution=array(
            v1(
                "PreferredSchedulingTerm",
                "A term with a weight.",
                weight=WEIGHT(),
                preference=NODE_SELECTOR_TERM(required=True),
            )
        )("Should hold."),
    ),
    podAffinity=v1("PodAffinity", "Near which pods.", **_POD_AFFINITY_FIELDS),
    podAntiAffinity=v1("PodAntiAffinity", "Far from which pods.", **_POD_AFFINITY_FIELDS),
)
TOPOLOGY_SPREAD = v1(
    "TopologySpreadConstraint",
    "How to spread pods over the cluster.",
    maxSkew=INT32("Largest difference allowed.", required=True, default=0),
    topologyKey=STR("Node label to spread over.", required=True),
    whenUnsatisfiable=STR("Else: DoNotSchedule or ScheduleAnyway.", default=""),
    labelSelector=LABEL_SELECTOR("Which pods count."),
    matchLabelKeys=STRINGS(),
    minDomains=INT32(minimum=1),
    nodeAffinityPolicy=choice("Honor", "Ignore")(),
    nodeTaintsPolicy=choice("Honor", "Ignore")(),
)
POD_SECURITY_CONTEXT = v1(
    "PodSecurityContext",
    "Privileges of all containers.",
    appArmorProfile=APP_ARMOR(),
    fsGroup=INT64("Group that owns the volumes."),
    fsGroupChangePolicy=choice("OnRootMismatch", "Always")(),
    runAsGroup=INT64("Group id."),
    runAsNonRoot=BOOL("Refuse to run as root."),
    runAsUser=INT64("User id."),
    seLinuxChangePolicy=STR(),
    seLinuxOptions=SELINUX(),
    seccompProfile=SECCOMP(),
    supplementalGroups=array(INT64)("More group ids."),
    supplementalGroupsPolicy=choice("Merge", "Strict")(),
    sysctls=array(
        v1(
            "Sysctl",
            "A kernel parameter.",
            name=STR(required=True),
            value=STR(required=True, default=""),
        )
    )("Kernel parameters."),
    windowsOptions=WINDOWS(),
)
POD_RESOURCE_CLAIM = v1(
    "PodResourceClaim",
    "Devices for the pod; one of the two sources.",
    name=STR("Unique in the pod; containers refer to it.", required=True),
    resourceClaimName=STR("A ResourceClaim in the pod's namespace."),
    resourceClaimTemplateName=STR("A ResourceClaimTemplate; the pod gets its own claim from it."),
)
HOST_ALIAS = v1(
    "HostAlias",
    "A line of the hosts file.",
    ip=STR("The address.", required=True, default=""),
    hostnames=STRINGS("Its names."),
)

POD_SPEC = v1(
    "PodSpec",
    "What to run, and where.",
    containers=array(CONTAINER, key="name")("The processes.", required=True, min_items=1),
    initContainers=array(CONTAINER, key="name")("Run to completion, in order, before them."),
    ephemeralContainers=array(EPHEMERAL_CONTAINER, key="name")("For debugging."),
    volumes=array(VOLUME, key="name")("Files to mount.", retain_keys=True),
    restartPolicy=choice("Always", "OnFailure", "Never", default="Always")(
        "When containers that ended start again."
    ),
    terminationGracePeriodSeconds=INT64(
        "Seconds from the polite signal to the kill.", default=30, minimum=0
    ),
    activeDeadlineSeconds=INT64("The pod fails after so many seconds.", minimum=1),
    resourceClaims=array(POD_RESOURCE_CLAIM, key="name")("Devices.", retain_keys=True),
    resources=RESOURCE_REQUIREMENTS("What all containers together need."),
    nodeName=STR("The node; set by the scheduler."),
    nodeSelector=STRING_MAP("Labels the node must have.", map_type="atomic"),
    affinity=AFFINITY("Where the pod should run."),
    tolerations=array(TOLERATION)("Taints it does not mind."),
    topologySpreadConstraints=array(
        TOPOLOGY_SPREAD, key="topologyKey", keys=("topologyKey", "whenUnsatisfiable")
    )("How to spread."),
    schedulerName=STR("Who places the pod.", default="default-scheduler"),
    schedulingGates=array(
        v1("PodSchedulingGate", "Holds back scheduling.", name=STR("Its name.", required=True)),
        key="name",
    )("The pod is not scheduled while there are any."),
    schedulingGroup=v1(
        "PodSchedulingGroup",
        "The gang the pod belongs to.",
        podGroupName=STR("A PodGroup in the pod's namespace."),
    ),
    priorityClassName=STR("Its priority, by name."),
    priority=INT32("Its priority; from the class."),
    preemptionPolicy=choice("PreemptLowerPriority", "Never")("Whether it may push others out."),
    serviceAccountName=STR("Identity towards the API."),
    serviceAccount=STR("Old name of serviceAccountName."),
    automountServiceAccountToken=BOOL("Whether a token is mounted."),
    securityContext=POD_SECURITY_CONTEXT("Privileges.", default={}),
    dnsPolicy=choice("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None",
                     default="ClusterFirst")("How names resolve."),
    dnsConfig=v1(
        "PodDNSConfig",
        "Name resolution.",
        nameservers=STRINGS(),
        searches=STRINGS(),
        options=array(v1("PodDNSConfigOption", "An option.", name=STR(), value=STR()))(),
    ),
    enableServiceLinks=BOOL("Variables for Services."),
    hostNetwork=BOOL("Use the node's network."),
    hostPID=BOOL("See the node's processes."),
    hostIPC=BOOL("Share the node's IPC."),
    hostUsers=BOOL("Use the node's user ids."),
    shareProcessNamespace=BOOL("Containers see each other's processes."),
    hostname=STR("Host name of the pod."),
    hostnameOverride=STR("Host name of the pod, in full."),
    subdomain=STR("Makes the full name <hostname>.<subdomain>.<namespace>.svc...."),
    setHostnameAsFQDN=BOOL("Whether the kernel's host name is the full one."),
    hostAliases=array(HOST_ALIAS, key="ip")("Lines for the hosts file."),
    imagePullSecrets=array(LOCAL_OBJECT_REFERENCE, key="name")("Credentials for images."),
    overhead=QUANTITIES("What the runtime itself needs."),
    readinessGates=array(
        v1("PodReadinessGate", "A condition.", conditionType=STR("Its type.", required=True))
    )("Conditions that make up readiness."),
    runtimeClassName=STR("The RuntimeClass by which it is run."),
    os=v1("PodOS", "Operating system.", name=STR("linux or windows.", required=True)),
)  # fmt: skip

POD_TEMPLATE_SPEC = v1(
    "PodTemplateSpec",
    "Pods to be made.",
    metadata=OBJECT_META("Their labels and annotations."),
    spec=POD_SPEC("What they run."),
)

_NO_WISHES = "what must hold decides where a pod goes; preferences are not weighed"
_AFFINITY: Fields = {
    **acted("scheduler", "requiredDuringSchedulingIgnoredDuringExecution"),
    **warned("preferredDuringSchedulingIgnoredDuringExecution", _NO_WISHES),
}
SERVED_FIELDS = {
    "core.v1.PodTemplateSpec": acted("controllers", "metadata spec"),
    "core.v1.PodSpec": {
        **acted("node", "containers initContainers volumes restartPolicy resourceClaims nodeName"),
        **acted("node", "terminationGracePeriodSeconds activeDeadlineSeconds hostname subdomain"),
        **acted("node", "readinessGates"),
        **acted(
            "scheduler", "nodeSelector affinity tolerations topologySpreadConstraints overhead"
        ),
        **acted("scheduler", "schedulerName schedulingGates schedulingGroup resources"),
        **acted("scheduler apiserver", "priorityClassName priority preemptionPolicy"),
        **acted("apiserver node", "runtimeClassName"),
        **acted("apiserver node", "serviceAccountName"),
        **acted("kinds", "serviceAccount"),
        **acted("apiserver", "automountServiceAccountToken"),
        **accepted("enableServiceLinks", "headless Services have no variables upstream either"),
        **accepted("imagePullSecrets", NO_IMAGES),
        **accepted(
            "hostPID hostIPC shareProcessNamespace",
            "the processes of all pods see each other as it is",
        ),
        **holding("securityContext os"),
        **warned(
            "hostNetwork",
            "pods use the machine's network as it is; status.podIP stays the pod's own 127.x.y.z",
        ),
        **refused_by_node(
            "dnsPolicy",
            "pods resolve names as the machine does",
            "ClusterFirst",
            "ClusterFirstWithHostNet",
            "Default",
        ),
        **refused_by_node(
            "dnsConfig hostAliases",
            "pods resolve names as the machine does; change "
            "/etc/resolv.conf or /etc/hosts, or leave it out",
        ),
        **refused_by_node("hostUsers", PROCESS, True),
        **refused_by_node(
            "setHostnameAsFQDN hostnameOverride",
            "the machine keeps its host name; use "
            "hostname and subdomain, which $HOSTNAME and other pods know",
        ),
        **refused_by_node("ephemeralContainers", "they are not started; use kubectl exec"),
    },
    "core.v1.PodOS": refused_by_node("name", "pods run on this Linux machine", "linux"),
    "core.v1.PodSecurityContext": {
        **refused_by_node("appArmorProfile seccompProfile", CONFINED, UNCONFINED),
        **refused_by_node(
            "fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser", CONFINED
        ),
        **refused_by_node("seLinuxChangePolicy seLinuxOptions supplementalGroups", CONFINED),
        **refused_by_node("supplementalGroupsPolicy sysctls windowsOptions", CONFINED),
    },
    "core.v1.PodResourceClaim": acted(
        "scheduler controllers", "name resourceClaimName resourceClaimTemplateName"
    ),
    "core.v1.PodReadinessGate": acted("node", "conditionType"),
    "core.v1.PodSchedulingGate": acted("scheduler kinds", "name"),
    "core.v1.PodSchedulingGroup": acted("scheduler", "podGroupName"),
    "core.v1.Affinity": acted("scheduler", "nodeAffinity podAffinity podAntiAffinity"),
    "core.v1.NodeAffinity": _AFFINITY,
    "core.v1.PodAffinity": _AFFINITY,
    "core.v1.PodAntiAffinity": _AFFINITY,
    "core.v1.PodAffinityTerm": acted(
        "scheduler",
        "labelSelector namespaces namespaceSelector topologyKey matchLabelKeys mismatchLabelKeys",
    ),
    "core.v1.TopologySpreadConstraint": {
        **acted("scheduler", "maxSkew topologyKey labelSelector matchLabelKeys minDomains"),
        **acted("scheduler", "nodeAffinityPolicy nodeTaintsPolicy"),
        **warned("whenUnsatisfiable", _NO_WISHES, "DoNotSchedule"),
    },
}
