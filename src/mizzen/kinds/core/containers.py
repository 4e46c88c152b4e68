"""The schema of containers: environment, probes, resources, security. Source: core/v1 types.go."""

from __future__ import annotations

from mizzen.kinds.core.references import (
    OBJECT_FIELD_SELECTOR,
    RESOURCE_FIELD_SELECTOR,
    key_selector,
)
from mizzen.kinds.schema import (
    BOOL,
    INT32,
    INT64,
    INT_OR_STR,
    QUANTITIES,
    STR,
    STRINGS,
    Schema,
    array,
    choice,
    package,
)
from mizzen.kinds.treatment import accepted, acted, holding, refused_by_node, warned

v1 = package("io.k8s.api.core.v1")

PORT_NUMBER = INT32(minimum=1, maximum=65535)

# -- what a container is told ------------------------------------------------------
ENV_VAR_SOURCE = v1(
    "EnvVarSource",
    "Where a variable's value comes from; one of these.",
    fieldRef=OBJECT_FIELD_SELECTOR(),
    resourceFieldRef=RESOURCE_FIELD_SELECTOR(),
    configMapKeyRef=key_selector("ConfigMapKeySelector", "ConfigMap"),
    secretKeyRef=key_selector("SecretKeySelector", "Secret"),
    fileKeyRef=v1(
        "FileKeySelector",
        "A key of a file in a volume.",
        volumeName=STR("The volume.", required=True),
        path=STR("The file, relative to the volume.", required=True),
        key=STR("The key.", required=True),
        optional=BOOL("Whether it may be missing.", default=False),
    ),
)
ENV_VAR = v1(
    "EnvVar",
    "An environment variable.",
    name=STR("Name of the variable.", required=True),
    value=STR("Its value; $(OTHER) is replaced by earlier variables."),
    valueFrom=ENV_VAR_SOURCE("Where the value comes from, instead of value."),
)


def _env_source(kind: str, what: str) -> Schema:
    return v1(
        kind, f"All keys of a {what}.", name=STR("Its name."), optional=BOOL("May be missing.")
    )


ENV_FROM_SOURCE = v1(
    "EnvFromSource",
    "Variables for all keys of a ConfigMap or Secret.",
    prefix=STR("Put before each name."),
    configMapRef=_env_source("ConfigMapEnvSource", "ConfigMap"),
    secretRef=_env_source("SecretEnvSource", "Secret"),
)
CONTAINER_PORT = v1(
    "ContainerPort",
    "A port the container listens on.",
    name=STR("Name that Services and probes may use."),
    containerPort=PORT_NUMBER("Port number.", required=True),
    protocol=choice("TCP", "UDP", "SCTP", default="TCP")("Transport."),
    hostPort=INT32("Port on the node.", minimum=0, maximum=65535),
    hostIP=STR("Address on the node."),
)

# -- probes and hooks ----------------------------------------------------------------
EXEC_ACTION = v1("ExecAction", "Runs a command in the container.", command=STRINGS("Its words."))
HTTP_GET_ACTION = v1(
    "HTTPGetAction",
    "An HTTP GET request.",
    path=STR("Path of the request.", default="/"),
    port=INT_OR_STR("Number or name of the port.", required=True, default=0),
    host=STR("Host to connect to; the pod's address by default."),
    scheme=choice("HTTP", "HTTPS", default="HTTP")("Scheme."),
    httpHeaders=array(
        v1(
            "HTTPHeader",
            "A header.",
            name=STR("Its name.", required=True),
            value=STR("Its value.", required=True, default=""),
        )
    )("Headers to send."),
)
TCP_ACTION = v1(
    "TCPSocketAction",
    "A TCP connection.",
    port=INT_OR_STR("Number or name of the port.", required=True, default=0),
    host=STR("Host to connect to; the pod's address by default."),
)
GRPC_ACTION = v1(
    "GRPCAction",
    "A gRPC health check.",
    port=INT32("Port number.", required=True),
    service=STR("Service to ask for.", default=""),
)
SLEEP_ACTION = v1("SleepAction", "A pause.", seconds=INT64("Seconds.", required=True))
PROBE = v1(
    "Probe",
    "A check of the container's health.",
    exec=EXEC_ACTION(),
    httpGet=HTTP_GET_ACTION(),
    tcpSocket=TCP_ACTION(),
    grpc=GRPC_ACTION(),
    initialDelaySeconds=INT32("Seconds before the first check.", minimum=0),
    timeoutSeconds=INT32("Seconds until a check fails.", default=1, minimum=1),
    periodSeconds=INT32("Seconds between checks.", default=10, minimum=1),
    successThreshold=INT32("Successes in a row that count.", default=1, minimum=1),
    failureThreshold=INT32("Failures in a row that count.", default=3, minimum=1),
    terminationGracePeriodSeconds=INT64("Grace when the check kills the container.", minimum=1),
)
LIFECYCLE_HANDLER = v1(
    "LifecycleHandler",
    "An action at a moment of the container's life.",
    exec=EXEC_ACTION(),
    httpGet=HTTP_GET_ACTION(),
    tcpSocket=TCP_ACTION("Deprecated; not run."),
    sleep=SLEEP_ACTION(),
)
LIFECYCLE = v1(
    "Lifecycle",
    "Actions at moments of the container's life.",
    postStart=LIFECYCLE_HANDLER("Right after the start."),
    preStop=LIFECYCLE_HANDLER("Right before the stop."),
    stopSignal=STR("Signal that stops the container, e.g. SIGTERM."),
)

# -- resources ----------------------------------------------------------------------
RESOURCE_REQUIREMENTS = v1(
    "ResourceRequirements",
    "What the container needs and may use.",
    limits=QUANTITIES("The most it may use, by resource."),
    requests=QUANTITIES("What is kept for it; limits by default."),
    claims=array(
        v1(
            "ResourceClaim",
            "A claim of spec.resourceClaims that the container uses.",
            name=STR("The claim's name in spec.resourceClaims.", required=True),
            request=STR("One request of the claim; all by default."),
        ),
        keys=("name",),
    )("Device claims the container uses."),
)
RESIZE_POLICY = v1(
    "ContainerResizePolicy",
    "What a change of a resource does.",
    resourceName=STR("The resource.", required=True, default=""),
    restartPolicy=STR("NotRequired or RestartContainer.", required=True, default=""),
)

# -- security -----------------------------------------------------------------------
SECCOMP = v1(
    "SeccompProfile",
    "System-call filter.",
    type=choice("Localhost", "RuntimeDefault", "Unconfined")("Which.", required=True),
    localhostProfile=STR("File on the node."),
)
APP_ARMOR = v1(
    "AppArmorProfile",
    "AppArmor profile.",
    type=choice("Localhost", "RuntimeDefault", "Unconfined")("Which.", required=True),
    localhostProfile=STR("Profile loaded on the node."),
)
SELINUX = v1("SELinuxOptions", "SELinux context.", level=STR(), role=STR(), type=STR(), user=STR())
WINDOWS = v1(
    "WindowsSecurityContextOptions",
    "Windows only.",
    gmsaCredentialSpec=STR(),
    gmsaCredentialSpecName=STR(),
    hostProcess=BOOL(),
    runAsUserName=STR(),
)
SECURITY_CONTEXT = v1(
    "SecurityContext",
    "Privileges of a container.",
    allowPrivilegeEscalation=BOOL("Whether a process may gain more than its parent has."),
    appArmorProfile=APP_ARMOR(),
    capabilities=v1(
        "Capabilities",
        "POSIX capabilities.",
        add=STRINGS("To add."),
        drop=STRINGS("To take away."),
    ),
    privileged=BOOL("Root on the node."),
    procMount=choice("Default", "Unmasked")("How /proc is mounted."),
    readOnlyRootFilesystem=BOOL("Whether the root file system is read-only."),
    runAsGroup=INT64("Group id."),
    runAsNonRoot=BOOL("Refuse to run as root."),
    runAsUser=INT64("User id."),
    seLinuxOptions=SELINUX(),
    seccompProfile=SECCOMP(),
    windowsOptions=WINDOWS(),
)

# -- the container itself ----------------------------------------------------------
RESTART_RULE = v1(
    "ContainerRestartRule",
    "What to do when the container exits in a certain way.",
    action=choice("Restart", "RestartAllContainers")("What to do.", required=True),
    exitCodes=v1(
        "ContainerRestartRuleOnExitCodes",
        "Exit codes.",
        operator=choice("In", "NotIn")("How to compare.", required=True),
        values=array(INT32)("The codes.", list_type="set"),
    ),
)
VOLUME_MOUNT = v1(
    "VolumeMount",
    "Where a volume appears in the container.",
    name=STR("The volume.", required=True),
    mountPath=STR("Where it appears.", required=True),
    subPath=STR("Path within the volume."),
    subPathExpr=STR("Path within the volume, with $(VARIABLES)."),
    readOnly=BOOL("Whether it is read-only."),
    recursiveReadOnly=choice("Disabled", "IfPossible", "Enabled")("Mounts below it too."),
    mountPropagation=choice("None", "HostToContainer", "Bidirectional")("How mounts spread."),
)
_CONTAINER_FIELDS: dict[str, Schema] = {
    "name": STR("Unique in the pod; a DNS label.", required=True),
    "image": STR("What to run: a built-in image, an interpreter or an image's name."),
    "command": STRINGS("Replaces the image's entry point."),
    "args": STRINGS("Arguments of the command."),
    "workingDir": STR("Working directory."),
    "env": array(ENV_VAR, key="name")("Environment variables."),
    "envFrom": array(ENV_FROM_SOURCE)("Variables from ConfigMaps and Secrets."),
    "ports": array(CONTAINER_PORT, key="containerPort", keys=("containerPort", "protocol"))(
        "Ports the container listens on."
    ),
    "resources": RESOURCE_REQUIREMENTS("What it needs and may use.", default={}),
    "resizePolicy": array(RESIZE_POLICY)("What changes of resources do."),
    "restartPolicy": choice("Always", "OnFailure", "Never")(
        "Overrides the pod's; Always makes an init container a sidecar."
    ),
    "restartPolicyRules": array(RESTART_RULE)("Exceptions by exit code."),
    "volumeMounts": array(VOLUME_MOUNT, key="mountPath")("Volumes in its file system."),
    "volumeDevices": array(
        v1(
            "VolumeDevice",
            "A raw block device.",
            name=STR("The volume.", required=True),
            devicePath=STR("Where it appears.", required=True),
        ),
        key="devicePath",
    )("Raw block devices."),
    "livenessProbe": PROBE("Failing restarts the container."),
    "readinessProbe": PROBE("Failing takes the pod out of service."),
    "startupProbe": PROBE("Until it succeeds the other probes wait."),
    "lifecycle": LIFECYCLE("Hooks."),
    "terminationMessagePath": STR("File with the last words.", default="/dev/termination-log"),
    "terminationMessagePolicy": choice("File", "FallbackToLogsOnError", default="File")(
        "Whether the log's end stands in for that file."
    ),
    "imagePullPolicy": choice("Always", "IfNotPresent", "Never")("When the image is fetched."),
    "securityContext": SECURITY_CONTEXT("Privileges."),
    "stdin": BOOL("Keep standard input open."),
    "stdinOnce": BOOL("Close it after the first attach."),
    "tty": BOOL("Give it a terminal."),
}
CONTAINER = v1("Container", "A process of the pod.", **_CONTAINER_FIELDS)
EPHEMERAL_CONTAINER = v1(
    "EphemeralContainer",
    "A container added to a running pod for debugging.",
    **_CONTAINER_FIELDS,
    targetContainerName=STR("Container whose namespaces it joins."),
)

PROCESS = "pods are processes of the machine, run by the user that started Mizzen"
_NO_MOUNTS = (
    "containers are processes without a mount namespace; $MIZZEN_VOLUME_<NAME> names the folder"
)
NO_IMAGES = "no image is pulled: `image` names a built-in image, an interpreter or an environment"
CONFINED = f"{PROCESS}; use the machine's own means, or leave it out"
UNCONFINED = {"type": "Unconfined"}
SERVED_FIELDS = {
    "core.v1.SecurityContext": {
        **refused_by_node("allowPrivilegeEscalation", CONFINED, True),
        **refused_by_node("appArmorProfile seccompProfile", CONFINED, UNCONFINED),
        **refused_by_node("capabilities privileged readOnlyRootFilesystem runAsGroup", CONFINED),
        **refused_by_node("procMount", CONFINED, "Default"),
        **refused_by_node("runAsNonRoot runAsUser seLinuxOptions windowsOptions", CONFINED),
    },
    "core.v1.Container": {
        **acted("node", "name image command args workingDir env envFrom lifecycle volumeMounts"),
        **acted("node", "resources livenessProbe readinessProbe startupProbe"),
        **acted("gateway scheduler", "ports"),
        **accepted("resizePolicy", "resources are not resized in place"),
        **accepted(
            "terminationMessagePath terminationMessagePolicy",
            "last words are what is in $MIZZEN_TERMINATION_LOG, else the log's end",
        ),
        **accepted("imagePullPolicy", NO_IMAGES),
        **holding("securityContext"),
        **refused_by_node(
            "restartPolicy",
            "the pod's restartPolicy holds for all its containers, and init "
            "containers run to their end: make what runs beside the others a container",
        ),
        **refused_by_node(
            "restartPolicyRules",
            "the pod's restartPolicy holds for every exit code; a "
            "Job's podFailurePolicy can tell them apart",
        ),
        **refused_by_node("volumeDevices", "block devices are not served"),
        **acted("node", "stdin stdinOnce tty"),
    },
    "core.v1.EnvVar": acted("node", "name value valueFrom"),
    "core.v1.EnvVarSource": {
        **acted("node", "fieldRef resourceFieldRef configMapKeyRef secretKeyRef"),
        **refused_by_node("fileKeyRef", "use a fieldRef, or a key of a ConfigMap or Secret"),
    },
    "core.v1.ConfigMapKeySelector": acted("node", "name key optional"),
    "core.v1.SecretKeySelector": acted("node", "name key optional"),
    "core.v1.EnvFromSource": acted("node", "prefix configMapRef secretRef"),
    "core.v1.ConfigMapEnvSource": acted("node", "name optional"),
    "core.v1.SecretEnvSource": acted("node", "name optional"),
    "core.v1.ContainerPort": acted(
        "gateway scheduler", "name containerPort protocol hostPort hostIP"
    ),
    "core.v1.ResourceRequirements": acted("scheduler node", "limits requests claims"),
    "core.v1.ResourceClaim": {
        **acted("scheduler node kinds", "name"),
        **warned("request", "all containers of a pod see all of its devices"),
    },
    "core.v1.VolumeMount": {
        **acted("node", "name mountPath"),
        **refused_by_node("subPath subPathExpr", _NO_MOUNTS),
        # Admission writes it, so it is warned of nowhere.
        **accepted("readOnly", f"{_NO_MOUNTS} but the account's token, which is read only"),
        **refused_by_node("recursiveReadOnly", _NO_MOUNTS, "Disabled"),
        **refused_by_node("mountPropagation", _NO_MOUNTS, "None"),
    },
    "core.v1.Probe": {
        **acted("node", "exec httpGet tcpSocket initialDelaySeconds timeoutSeconds periodSeconds"),
        **acted("node", "successThreshold failureThreshold"),
        **refused_by_node("grpc", "use httpGet, tcpSocket or exec"),
        **refused_by_node(
            "terminationGracePeriodSeconds", "the pod's own grace period holds; leave it out"
        ),
    },
    "core.v1.ExecAction": acted("node", "command"),
    "core.v1.HTTPGetAction": acted("node", "path port host scheme httpHeaders"),
    "core.v1.HTTPHeader": acted("node", "name value"),
    "core.v1.TCPSocketAction": acted("node", "port host"),
    "core.v1.Lifecycle": {
        **acted("node", "preStop postStart"),
        **refused_by_node("stopSignal", "containers are stopped by SIGTERM", "SIGTERM"),
    },
    "core.v1.LifecycleHandler": {
        **acted("node", "exec httpGet sleep"),
        **refused_by_node("tcpSocket", "no kubelet runs it either; use exec, httpGet or sleep"),
    },
    "core.v1.SleepAction": acted("node", "seconds"),
}
