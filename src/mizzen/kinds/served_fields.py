"""The table of what becomes of each field, by type: acted upon, accepted, warned of, refused.

A type is named by the last three words of its OpenAPI definition. Types that only stand below a
refused field are not here, nor is `status`, which components write. A new field of a schema fails
`tests/unit/kinds/test_served_fields.py` until it is in here.
"""

from __future__ import annotations

from collections.abc import Mapping

from mizzen.kinds.treatment import Accepted, Acted, Refused, Treatment, Warned

_Fields = dict[str, Treatment]


def _by(readers: str, fields: str) -> _Fields:
    """Fields that at least one of these packages reads."""
    return dict.fromkeys(fields.split(), Acted(tuple(readers.split())))


def _each(fields: str) -> _Fields:
    """Fields that only hold others, all of which are said below."""
    return dict.fromkeys(fields.split(), Acted(()))


def _accepted(fields: str, reason: str) -> _Fields:
    return dict.fromkeys(fields.split(), Accepted(reason))


def _warned(fields: str, sentence: str, *fine: object) -> _Fields:
    return dict.fromkeys(fields.split(), Warned(sentence, fine))


def _refused(fields: str, sentence: str, *fine: object) -> _Fields:
    return dict.fromkeys(fields.split(), Refused(sentence, fine))


_PROCESS = "pods are processes of the machine, run by the user that started Mizzen"
_NO_MOUNTS = (
    "containers are processes without a mount namespace; $MIZZEN_VOLUME_<NAME> names the folder"
)
_NO_IMAGES = "no image is pulled: `image` names a built-in image, an interpreter or an environment"
_NO_STREAMS = "nobody can attach to a container; write to its log and read with kubectl logs"
_NO_VIRTUAL_IPS = "this server has no virtual IPs and no load balancers"
_SHOWN = "for people and their tools to read"
_ONE_JOB = "a TrainJob here is one gang of pods, with no JobSet and no Job between"
_CONFINED = f"{_PROCESS}; use the machine's own means, or leave it out"
_UNCONFINED = {"type": "Unconfined"}

_SELECTOR = {
    "meta.v1.LabelSelector": _by("scheduler controllers base", "matchLabels matchExpressions"),
    "meta.v1.LabelSelectorRequirement": _by("scheduler base", "key operator values"),
}
_NO_WISHES = "what must hold decides where a pod goes; preferences are not weighed"
_AFFINITY: _Fields = {
    **_by("scheduler", "requiredDuringSchedulingIgnoredDuringExecution"),
    **_warned("preferredDuringSchedulingIgnoredDuringExecution", _NO_WISHES),
}
_PODS: Mapping[str, _Fields] = {
    "core.v1.Pod": _by("node", "spec"),
    "core.v1.PodTemplateSpec": _by("controllers", "metadata spec"),
    "core.v1.PodSpec": {
        **_by("node", "containers initContainers volumes restartPolicy resourceClaims nodeName"),
        **_by("node", "terminationGracePeriodSeconds activeDeadlineSeconds hostname subdomain"),
        **_by("node", "readinessGates"),
        **_by("scheduler", "nodeSelector affinity tolerations topologySpreadConstraints overhead"),
        **_by("scheduler", "schedulerName schedulingGates schedulingGroup resources"),
        **_by("scheduler apiserver", "priorityClassName priority preemptionPolicy"),
        **_accepted(
            "serviceAccountName serviceAccount automountServiceAccountToken",
            "no token is given to pods; a fieldRef can pass the name on",
        ),
        **_accepted("enableServiceLinks", "headless Services have no variables upstream either"),
        **_accepted("imagePullSecrets", _NO_IMAGES),
        **_accepted(
            "hostPID hostIPC shareProcessNamespace",
            "the processes of all pods see each other as it is",
        ),
        **_each("securityContext os"),
        **_warned(
            "hostNetwork",
            "pods use the machine's network as it is; status.podIP stays the pod's own 127.x.y.z",
        ),
        **_refused(
            "dnsPolicy",
            "pods resolve names as the machine does",
            "ClusterFirst",
            "ClusterFirstWithHostNet",
            "Default",
        ),
        **_refused(
            "dnsConfig hostAliases",
            "pods resolve names as the machine does; change "
            "/etc/resolv.conf or /etc/hosts, or leave it out",
        ),
        **_refused("hostUsers", f"{_PROCESS}", True),
        **_refused(
            "setHostnameAsFQDN hostnameOverride",
            "the machine keeps its host name; use "
            "hostname and subdomain, which $HOSTNAME and other pods know",
        ),
        **_refused("runtimeClassName", "there is one runtime: processes; leave it out"),
        **_refused("ephemeralContainers", "ephemeral containers are not served"),
    },
    "core.v1.PodOS": _refused("name", "pods run on this Linux machine", "linux"),
    "core.v1.PodSecurityContext": {
        **_refused("appArmorProfile seccompProfile", _CONFINED, _UNCONFINED),
        **_refused("fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser", _CONFINED),
        **_refused("seLinuxChangePolicy seLinuxOptions supplementalGroups", _CONFINED),
        **_refused("supplementalGroupsPolicy sysctls windowsOptions", _CONFINED),
    },
    "core.v1.SecurityContext": {
        **_refused("allowPrivilegeEscalation", _CONFINED, True),
        **_refused("appArmorProfile seccompProfile", _CONFINED, _UNCONFINED),
        **_refused("capabilities privileged readOnlyRootFilesystem runAsGroup", _CONFINED),
        **_refused("procMount", _CONFINED, "Default"),
        **_refused("runAsNonRoot runAsUser seLinuxOptions windowsOptions", _CONFINED),
    },
    "core.v1.Container": {
        **_by("node", "name image command args workingDir env envFrom lifecycle volumeMounts"),
        **_by("node", "resources livenessProbe readinessProbe startupProbe"),
        **_by("gateway scheduler", "ports"),
        **_accepted("resizePolicy", "resources are not resized in place"),
        **_accepted(
            "terminationMessagePath terminationMessagePolicy",
            "last words are what is in $MIZZEN_TERMINATION_LOG, else the log's end",
        ),
        **_accepted("imagePullPolicy", _NO_IMAGES),
        **_each("securityContext"),
        **_refused(
            "restartPolicy",
            "the pod's restartPolicy holds for all its containers, and init "
            "containers run to their end: make what runs beside the others a container",
        ),
        **_refused(
            "restartPolicyRules",
            "the pod's restartPolicy holds for every exit code; a "
            "Job's podFailurePolicy can tell them apart",
        ),
        **_refused("volumeDevices", "block devices are not served"),
        **_refused("stdin stdinOnce tty", _NO_STREAMS),
    },
    "core.v1.EnvVar": _by("node", "name value valueFrom"),
    "core.v1.EnvVarSource": {
        **_by("node", "fieldRef resourceFieldRef configMapKeyRef secretKeyRef"),
        **_refused("fileKeyRef", "use a fieldRef, or a key of a ConfigMap or Secret"),
    },
    "core.v1.ObjectFieldSelector": {
        **_by("node", "fieldPath"),
        **_refused("apiVersion", "paths are written as in v1", "v1"),
    },
    "core.v1.ResourceFieldSelector": _by("node", "containerName resource divisor"),
    "core.v1.ConfigMapKeySelector": _by("node", "name key optional"),
    "core.v1.SecretKeySelector": _by("node", "name key optional"),
    "core.v1.EnvFromSource": _by("node", "prefix configMapRef secretRef"),
    "core.v1.ConfigMapEnvSource": _by("node", "name optional"),
    "core.v1.SecretEnvSource": _by("node", "name optional"),
    "core.v1.ContainerPort": _by(
        "gateway scheduler", "name containerPort protocol hostPort hostIP"
    ),
    "core.v1.ResourceRequirements": _by("scheduler node", "limits requests claims"),
    "core.v1.ResourceClaim": {
        **_by("scheduler node kinds", "name"),
        **_warned("request", "all containers of a pod see all of its devices"),
    },
    "core.v1.VolumeMount": {
        **_by("node", "name mountPath"),
        **_refused("subPath subPathExpr", _NO_MOUNTS),
        **_warned("readOnly", f"{_NO_MOUNTS}, and only its permissions protect it"),
        **_refused("recursiveReadOnly", _NO_MOUNTS, "Disabled"),
        **_refused("mountPropagation", _NO_MOUNTS, "None"),
    },
    "core.v1.Probe": {
        **_by("node", "exec httpGet tcpSocket initialDelaySeconds timeoutSeconds periodSeconds"),
        **_by("node", "successThreshold failureThreshold"),
        **_refused("grpc", "use httpGet, tcpSocket or exec"),
        **_refused(
            "terminationGracePeriodSeconds", "the pod's own grace period holds; leave it out"
        ),
    },
    "core.v1.ExecAction": _by("node", "command"),
    "core.v1.HTTPGetAction": _by("node", "path port host scheme httpHeaders"),
    "core.v1.HTTPHeader": _by("node", "name value"),
    "core.v1.TCPSocketAction": _by("node", "port host"),
    "core.v1.Lifecycle": {
        **_by("node", "preStop"),
        **_refused("postStart", "begin with it in `command`, or in an init container"),
        **_refused("stopSignal", "containers are stopped by SIGTERM", "SIGTERM"),
    },
    "core.v1.LifecycleHandler": {
        **_by("node", "exec"),
        **_refused("httpGet tcpSocket sleep", 'use exec, such as ["sleep", "5"]'),
    },
    "core.v1.PodResourceClaim": _by(
        "scheduler controllers", "name resourceClaimName resourceClaimTemplateName"
    ),
    "core.v1.PodReadinessGate": _by("node", "conditionType"),
    "core.v1.PodSchedulingGate": _by("scheduler kinds", "name"),
    "core.v1.PodSchedulingGroup": _by("scheduler", "podGroupName"),
    # -- where pods go
    "core.v1.Affinity": _by("scheduler", "nodeAffinity podAffinity podAntiAffinity"),
    "core.v1.NodeAffinity": _AFFINITY,
    "core.v1.NodeSelector": _by("scheduler", "nodeSelectorTerms"),
    "core.v1.NodeSelectorTerm": _by("scheduler", "matchExpressions matchFields"),
    "core.v1.NodeSelectorRequirement": _by("scheduler", "key operator values"),
    "core.v1.PodAffinity": _AFFINITY,
    "core.v1.PodAntiAffinity": _AFFINITY,
    "core.v1.PodAffinityTerm": _by(
        "scheduler",
        "labelSelector namespaces namespaceSelector topologyKey matchLabelKeys mismatchLabelKeys",
    ),
    "core.v1.TopologySpreadConstraint": {
        **_by("scheduler", "maxSkew topologyKey labelSelector matchLabelKeys minDomains"),
        **_by("scheduler", "nodeAffinityPolicy nodeTaintsPolicy"),
        **_warned("whenUnsatisfiable", _NO_WISHES, "DoNotSchedule"),
    },
    "core.v1.Toleration": _by(
        "scheduler controllers", "key operator value effect tolerationSeconds"
    ),
}
_MODES = "files of a ConfigMap are readable by all (0444), of a Secret by their owner alone (0400)"
_VOLUME_TYPES = (
    "downwardAPI projected image persistentVolumeClaim ephemeral nfs csi awsElasticBlockStore "
    "azureDisk azureFile cephfs cinder fc flexVolume flocker gcePersistentDisk gitRepo glusterfs "
    "iscsi photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume"
)
_VOLUMES: Mapping[str, _Fields] = {
    "core.v1.Volume": {
        **_by("node", "name configMap secret emptyDir hostPath"),
        **_refused(_VOLUME_TYPES, "volumes are emptyDir, hostPath, configMap and secret"),
    },
    "core.v1.ConfigMapVolumeSource": {
        **_by("node", "name items optional"), **_warned("defaultMode", _MODES, 0o644, 0o444),
    },
    "core.v1.SecretVolumeSource": {
        **_by("node", "secretName items optional"),
        **_warned("defaultMode", _MODES, 0o644, 0o400, 0o600),
    },
    "core.v1.KeyToPath": {**_by("node", "key path"), **_warned("mode", _MODES, 0o444, 0o400)},
    "core.v1.EmptyDirVolumeSource": {
        **_warned("medium", "the folder lies on the disk of the instance's state"),
        **_warned("sizeLimit", "the folder may grow as long as the disk has room"),
    },
    "core.v1.HostPathVolumeSource": {
        **_by("node", "path"),
        **_warned("type", "the path must exist, of whatever type; nothing is created"),
    },
}  # fmt: skip
_CORE: Mapping[str, _Fields] = {
    "core.v1.ConfigMap": {**_by("node", "data binaryData"), **_by("kinds", "immutable")},
    "core.v1.Secret": {**_by("node", "data"), **_by("kinds", "stringData type immutable")},
    "core.v1.Service": _by("gateway", "spec"),
    "core.v1.ServiceSpec": {
        **_by("gateway", "selector ports type publishNotReadyAddresses"),
        **_by("kinds", "clusterIP clusterIPs externalName externalIPs"),
        **_by("kinds", "loadBalancerIP loadBalancerClass"),
        **_refused("sessionAffinity", "each request goes to the next ready pod", "None"),
        **_refused("sessionAffinityConfig", "each request goes to the next ready pod"),
        **_refused("loadBalancerSourceRanges allocateLoadBalancerNodePorts healthCheckNodePort "
                   "externalTrafficPolicy", _NO_VIRTUAL_IPS),
        **_accepted("internalTrafficPolicy trafficDistribution", "all pods are on this machine"),
        **_accepted("ipFamilies ipFamilyPolicy", "pods have one address each"),
    },
    "core.v1.ServicePort": {
        **_by("gateway", "name port targetPort protocol"),
        **_accepted("appProtocol", _SHOWN),
        **_by("kinds", "nodePort"),
    },
    "core.v1.ServiceAccount": _accepted(
        "secrets imagePullSecrets automountServiceAccountToken",
        "no token is given to pods, and no image is pulled",
    ),
    "core.v1.Namespace": _by("apiserver", "spec"),
    "core.v1.NamespaceSpec": _by("apiserver", "finalizers"),
    "core.v1.Node": _by("scheduler", "spec"),
    "core.v1.NodeSpec": {
        **_by("scheduler", "unschedulable taints"),
        **_accepted("providerID podCIDR podCIDRs externalID configSource", _SHOWN),
    },
    "core.v1.Taint": {
        **_by("scheduler controllers", "key value effect"), **_by("controllers", "timeAdded"),
    },
    "core.v1.Event": {
        **_by("client cli", "involvedObject reason message type source firstTimestamp count"),
        **_by("client apiserver", "lastTimestamp reportingComponent"),
        **_accepted("eventTime series action related reportingInstance", _SHOWN),
    },
    "core.v1.ObjectReference": {
        **_by("client base cli", "apiVersion kind namespace name uid resourceVersion"),
        **_accepted("fieldPath", _SHOWN),
    },
    "core.v1.EventSource": {**_by("client", "component"), **_accepted("host", _SHOWN)},
    "coordination.v1.Lease": _by("node controllers", "spec"),
    "coordination.v1.LeaseSpec": {
        **_by("node controllers compose client", "holderIdentity leaseDurationSeconds renewTime"),
        **_accepted("acquireTime leaseTransitions strategy preferredHolder",
                    "for those who hold leases to agree upon"),
    },
}  # fmt: skip
_BATCH: Mapping[str, _Fields] = {
    "batch.v1.Job": _by("controllers", "spec"),
    "batch.v1.JobSpec": {
        **_by("controllers", "template parallelism completions completionMode backoffLimit"),
        **_by("controllers", "backoffLimitPerIndex activeDeadlineSeconds maxFailedIndexes suspend"),
        **_by("controllers", "ttlSecondsAfterFinished podFailurePolicy podReplacementPolicy"),
        **_by("controllers", "successPolicy managedBy"),
        **_by("kinds", "selector manualSelector"),
    },
    "batch.v1.PodFailurePolicy": _by("controllers", "rules"),
    "batch.v1.PodFailurePolicyRule": _by("controllers", "action onExitCodes onPodConditions"),
    "batch.v1.PodFailurePolicyOnExitCodesRequirement": _by(
        "controllers", "containerName operator values"
    ),
    "batch.v1.PodFailurePolicyOnPodConditionsPattern": _by("controllers", "type status"),
    "batch.v1.SuccessPolicy": _by("controllers", "rules"),
    "batch.v1.SuccessPolicyRule": _by("controllers", "succeededCount succeededIndexes"),
}
_META: Mapping[str, _Fields] = {  # of templates; that of objects themselves is the server's
    "meta.v1.ObjectMeta": {
        **_by("controllers", "labels annotations"),
        **_accepted("name generateName namespace uid resourceVersion generation creationTimestamp "
                    "deletionTimestamp deletionGracePeriodSeconds ownerReferences finalizers "
                    "managedFields selfLink", "what is made has its own, upstream too"),
    },
}  # fmt: skip
_NO_TORCH = (
    "torchrun's environment (PET_*, MASTER_ADDR) is not made, so workers would train alone; use "
    "mlPolicy.jax, or a runtime without a policy whose program joins by itself"
)
_TRAINING: Mapping[str, _Fields] = {
    "trainer.v1alpha1.TrainJob": _by("controllers", "spec"),
    "trainer.v1alpha1.TrainJobSpec": {
        **_by("controllers", "runtimeRef trainer runtimePatches labels annotations suspend"),
        **_by("controllers", "activeDeadlineSeconds"),
        **_refused("initializer", "nothing is fetched before training: fetch in the program, or put "
                   "data and model on this machine"),
        **_refused("managedBy", "no other controller runs TrainJobs here; leave it out",
                   "trainer.kubeflow.org/trainjob-controller"),
    },
    "trainer.v1alpha1.RuntimeRef": {
        **_by("controllers", "name kind"), **_by("kinds", "apiGroup"),
    },
    "trainer.v1alpha1.Trainer": {
        **_by("controllers", "image command args env numNodes resourcesPerNode"),
        **_refused("numProcPerNode", "each worker is one process; ask for more workers (numNodes)", 1),
    },
    "trainer.v1alpha1.RuntimePatch": {
        **_by("controllers", "trainingRuntimeSpec"),
        **_by("kinds", "manager"),
        **_accepted("time", _SHOWN),
    },
    "trainer.v1alpha1.TrainingRuntimeSpecPatch": _by("controllers", "template"),
    "trainer.v1alpha1.JobSetTemplatePatch": {
        **_by("controllers", "spec"),
        **_refused("metadata", f"{_ONE_JOB}: use spec.labels and spec.annotations"),
    },
    "trainer.v1alpha1.JobSetSpecPatch": _by("controllers", "replicatedJobs"),
    "trainer.v1alpha1.ReplicatedJobPatch": _by("controllers", "name template"),
    "trainer.v1alpha1.ClusterTrainingRuntime": _by("controllers", "spec"),
    "trainer.v1alpha1.TrainingRuntime": _by("controllers", "spec"),
    "trainer.v1alpha1.TrainingRuntimeSpec": {
        **_by("controllers", "mlPolicy template"),
        **_accepted("podGroupPolicy", "workers are always placed together"),
    },
    "trainer.v1alpha1.MLPolicy": {
        **_by("controllers", "numNodes jax"),
        **_refused("torch", f"the PyTorch runtime is not served: {_NO_TORCH}"),
        **_refused("mpi flux xgboost", "of the policies only jax is served"),
    },
    "trainer.v1alpha1.JobSetTemplateSpec": {
        **_by("controllers", "spec"),
        **_accepted("metadata", f"{_ONE_JOB}, whose labels these would be"),
    },
    "jobset.v1alpha2.JobSetSpec": {
        **_by("controllers", "replicatedJobs"),
        **_each("network"),
        **_accepted("startupPolicy successPolicy", "there is one Job, `node`, and all its pods count"),
        **_refused("failurePolicy", "a gang restarts in place; annotation "
                   "mizzen.dev/max-failures-without-progress of the TrainJob bounds it"),
        **_refused("suspend ttlSecondsAfterFinished volumeClaimPolicies coordinator", _ONE_JOB),
        **_refused("managedBy", _ONE_JOB, "jobset.sigs.k8s.io/jobset-controller"),
    },
    "jobset.v1alpha2.Network": {
        **_accepted("enableDNSHostnames publishNotReadyAddresses",
                    "pods find each other by <hostname>.<subdomain>, ready or not"),
        **_refused("subdomain", "it is always the TrainJob's name"),
    },
    "jobset.v1alpha2.ReplicatedJob": {
        **_by("controllers", "name template"),
        **_accepted("groupName", _SHOWN),
        **_refused("replicas", f"{_ONE_JOB}; ask for more workers (numNodes)", 1),
        **_refused("dependsOn", _ONE_JOB),
    },
    "jobset.v1alpha2.JobTemplateSpec": {
        **_by("controllers", "spec"),
        **_accepted("metadata", f"{_ONE_JOB}, whose labels these would be"),
    },
    "jobset.v1alpha2.JobSpec": {  # a Job's, where it stands in a runtime
        **_by("controllers", "template"),
        **_accepted("parallelism completions completionMode podReplacementPolicy",
                    "as upstream, numNodes decides"),
        **_warned("backoffLimit", "annotation mizzen.dev/max-failures-without-progress of the "
                  "TrainJob bounds restarts", 6, 0),
        **_refused("backoffLimitPerIndex maxFailedIndexes podFailurePolicy successPolicy", _ONE_JOB),
        **_refused("ttlSecondsAfterFinished selector manualSelector managedBy", _ONE_JOB),
        **_refused("activeDeadlineSeconds suspend", f"{_ONE_JOB}: set it in the TrainJob"),
    },
}  # fmt: skip
_MIZZEN: Mapping[str, _Fields] = {
    "mizzen.v1alpha1.ModelEndpoint": _by("controllers gateway", "spec"),
    "mizzen.v1alpha1.ModelEndpointSpec": {
        **_by("controllers", "model resources priorityClassName engine"),
        **_by("gateway", "replicas scaling queue"),
    },
    "mizzen.v1alpha1.Model": _by("controllers", "path name"),
    "mizzen.v1alpha1.ReplicaRange": _by("gateway", "min max"),
    "mizzen.v1alpha1.Scaling": _by(
        "gateway", "targetConcurrency scaleDownDelaySeconds scaleToZeroDelaySeconds"
    ),
    "mizzen.v1alpha1.Queue": _by("gateway", "maxLength timeoutSeconds"),
    "mizzen.v1alpha1.ReplicaResources": _by("controllers", "deviceClassName count"),
    "mizzen.v1alpha1.Engine": _by("controllers", "type maxBatchSize contextLength args"),
    "mizzen.v1alpha1.UsageRecord": _by("node cli", "spec"),
    "mizzen.v1alpha1.UsageRecordSpec": _by(
        "node base",
        "node driver pool device start end pod podUID workload namespace claim intervals kernelCPU "
        "folded",
    ),
    "mizzen.v1alpha1.UsageInterval": _by("node base", "line start end cpu step"),
}
_DRIVERS = "copied into allocations, for the drivers they are meant for"
_RESOURCE: Mapping[str, _Fields] = {
    "resource.v1.DeviceClass": _by("scheduler", "spec"),
    "resource.v1.DeviceClassSpec": _by("scheduler", "selectors config extendedResourceName"),
    "resource.v1.DeviceSelector": _by("scheduler", "cel"),
    "resource.v1.CELDeviceSelector": _by("scheduler", "expression"),
    "resource.v1.DeviceClassConfiguration": _by("scheduler kinds", "opaque"),
    "resource.v1.OpaqueDeviceConfiguration": _accepted("driver parameters", _DRIVERS),
    "resource.v1beta2.DeviceTaintRule": _by("scheduler controllers", "spec"),
    "resource.v1beta2.DeviceTaintRuleSpec": _by("scheduler controllers", "deviceSelector taint"),
    "resource.v1beta2.DeviceTaintSelector": _by("scheduler controllers", "driver pool device"),
    "resource.v1.DeviceTaint": _by("scheduler controllers", "key value effect timeAdded"),
    "resource.v1.ResourceClaim": _by("scheduler", "spec"),
    "resource.v1.ResourceClaimSpec": _by("scheduler", "devices"),
    "resource.v1.DeviceClaim": _by("scheduler", "requests constraints config"),
    "resource.v1.DeviceRequest": _by("scheduler", "name exactly firstAvailable"),
    "resource.v1.ExactDeviceRequest": _by(
        "scheduler",
        "deviceClassName selectors allocationMode count tolerations capacity adminAccess",
    ),
    "resource.v1.DeviceSubRequest": _by(
        "scheduler", "name deviceClassName selectors allocationMode count tolerations capacity"
    ),
    "resource.v1.DeviceToleration": _by(
        "scheduler controllers", "key operator value effect tolerationSeconds"
    ),
    "resource.v1.CapacityRequirements": _by("scheduler", "requests"),
    "resource.v1.DeviceConstraint": _by("scheduler", "requests matchAttribute distinctAttribute"),
    "resource.v1.DeviceClaimConfiguration": _by("scheduler kinds", "requests opaque"),
    "resource.v1.ResourceClaimTemplate": _by("controllers scheduler", "spec"),
    "resource.v1.ResourceClaimTemplateSpec": _by("controllers scheduler", "metadata spec"),
    "resource.v1alpha3.ResourcePoolStatusRequest": _by("controllers", "spec"),
    "resource.v1alpha3.ResourcePoolStatusRequestSpec": _by("controllers", "driver poolName limit"),
    "resource.v1.ResourceSlice": _by("scheduler", "spec"),
    "resource.v1.ResourceSliceSpec": _by(
        "scheduler",
        "driver pool nodeName nodeSelector allNodes perDeviceNodeSelection devices sharedCounters",
    ),
    "resource.v1.ResourcePool": _by("scheduler", "name generation resourceSliceCount"),
    "resource.v1.Device": _by(
        "scheduler",
        "name attributes capacity consumesCounters nodeName nodeSelector allNodes taints "
        "bindsToNode bindingConditions bindingFailureConditions allowMultipleAllocations "
        "nodeAllocatableResourceMappings",
    ),
    "resource.v1.DeviceAttribute": _by(
        "scheduler", "int bool string version ints bools strings versions"
    ),
    "resource.v1.DeviceCapacity": _by("scheduler", "value requestPolicy"),
    "resource.v1.CapacityRequestPolicy": _by("scheduler", "default validValues validRange"),
    "resource.v1.CapacityRequestPolicyRange": _by("scheduler", "min max step"),
    "resource.v1.DeviceCounterConsumption": _by("scheduler", "counterSet counters"),
    "resource.v1.Counter": _by("scheduler", "value"),
    "resource.v1.CounterSet": _by("scheduler", "name counters"),
    "resource.v1.NodeAllocatableResourceMapping": _by(
        "scheduler", "capacityKey allocationMultiplier"
    ),
}
_GROUP = (
    "schedulingPolicy schedulingConstraints resourceClaims disruptionMode priorityClassName "
    "priority"
)
_SCHEDULING: Mapping[str, _Fields] = {
    "scheduling.v1.PriorityClass": {
        **_by("apiserver", "value globalDefault preemptionPolicy"),
        **_accepted("description", _SHOWN),
    },
    "scheduling.v1alpha2.PodGroup": _by("scheduler", "spec"),
    "scheduling.v1alpha2.PodGroupSpec": {
        **_by("scheduler controllers", _GROUP),
        **_accepted("podGroupTemplateRef", "says where the group came from"),
    },
    "scheduling.v1alpha2.PodGroupSchedulingPolicy": _by("scheduler kinds", "basic gang"),
    "scheduling.v1alpha2.GangSchedulingPolicy": _by("scheduler", "minCount"),
    "scheduling.v1alpha2.PodGroupSchedulingConstraints": _by("scheduler", "topology"),
    "scheduling.v1alpha2.TopologyConstraint": _by("scheduler", "key"),
    "scheduling.v1alpha2.PodGroupResourceClaim": _by(
        "scheduler controllers", "name resourceClaimName resourceClaimTemplateName"
    ),
    "scheduling.v1alpha2.Workload": _accepted(
        "spec", "for controllers of yours that make PodGroups from it; upstream alike"
    ),
}
_CUSTOM: Mapping[str, _Fields] = {
    "apiextensions.v1.CustomResourceDefinition": _by("apiserver", "spec"),
    "apiextensions.v1.CustomResourceDefinitionSpec": _by(
        "apiserver kinds", "group names scope versions conversion preserveUnknownFields"
    ),
    "apiextensions.v1.CustomResourceDefinitionNames": _by(
        "apiserver kinds", "kind plural singular listKind shortNames categories"
    ),
    "apiextensions.v1.CustomResourceDefinitionVersion": {
        **_by("apiserver kinds", "name served storage schema subresources"),
        **_by("kinds", "additionalPrinterColumns selectableFields"),
        **_warned("deprecated deprecationWarning", "nobody is warned of the version"),
    },
    "apiextensions.v1.CustomResourceValidation": _by("kinds", "openAPIV3Schema"),
    "apiextensions.v1.CustomResourceSubresources": _by("kinds", "status scale"),
    "apiextensions.v1.CustomResourceSubresourceScale": _by(
        "kinds", "specReplicasPath statusReplicasPath labelSelectorPath"
    ),
    "apiextensions.v1.CustomResourceColumnDefinition": _by(
        "kinds", "name type jsonPath format description priority"
    ),
    "apiextensions.v1.SelectableField": _by("kinds", "jsonPath"),
    "apiextensions.v1.CustomResourceConversion": {
        **_by("kinds", "strategy"),
        **_refused("webhook", "versions are converted by their apiVersion alone"),
    },
}
# Of a definition's schema `kinds/structural.py` says what is served.
UNLISTED = frozenset({"apiextensions.v1.JSONSchemaProps"})
TABLE: Mapping[str, _Fields] = {
    **_SELECTOR, **_PODS, **_VOLUMES, **_CORE, **_BATCH, **_META, **_TRAINING, **_MIZZEN,
    **_RESOURCE, **_SCHEDULING, **_CUSTOM,
}  # fmt: skip
_WORDS = 3  # core.v1.PodSpec of io.k8s.api.core.v1.PodSpec


def table_name(definition: str) -> str:
    """The name under which the table has a type, from that of its OpenAPI definition."""
    return ".".join(definition.split(".")[-_WORDS:])


def treatments(definition: str) -> Mapping[str, Treatment]:
    """The treatment of each field of a type; fields that are not in the table have none."""
    return TABLE.get(table_name(definition), {})
