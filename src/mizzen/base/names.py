"""Labels, annotations, condition types and class names, each written once.

Upstream's names are taken as they are; ours live under `mizzen.dev/`.
"""

# -- upstream -----------------------------------------------------------------
JOBSET_NAME = "jobset.sigs.k8s.io/jobset-name"
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"  # an annotation of pods
REPLICATED_JOB_NAME = "jobset.sigs.k8s.io/replicatedjob-name"
JOB_INDEX = "jobset.sigs.k8s.io/job-index"
COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index"
JOB_NAME = "batch.kubernetes.io/job-name"
JOB_CONTROLLER = "kubernetes.io/job-controller"  # managedBy of Jobs that are run here
CLAIM_NAME_ANNOTATION = "resource.kubernetes.io/pod-claim-name"
EXTENDED_CLAIM_ANNOTATION = "resource.kubernetes.io/extended-resource-claim"
CLAIM_FINALIZER = "resource.kubernetes.io/delete-protection"
DISRUPTION_TARGET = "DisruptionTarget"
PREEMPTION_BY_SCHEDULER = "PreemptionByScheduler"
HOSTNAME_LABEL = "kubernetes.io/hostname"

# -- TrainJob: what a user may write (annotations, so that the object stays upstream's) --
MIN_NODES = "mizzen.dev/min-nodes"  # smallest world size; without it the job is not elastic
MAX_NODES = "mizzen.dev/max-nodes"  # largest world size; numNodes, the wish, must not exceed it
MAX_FAILURES = "mizzen.dev/max-failures-without-progress"  # default 3
PROGRESS_DEADLINE_S = "mizzen.dev/progress-deadline-seconds"  # default 300

WAITING = "mizzen.dev/Waiting"  # condition of TrainJobs and Jobs: too few pods run, and why
SCHEDULING_GATED = "SchedulingGated"  # reason of a pod's PodScheduled

# -- TrainJob pods: how controller and agent agree on a formation ----------------
# A formation is one generation of the gang: which ranks, 0..size-1, run together.
FORMATION_GENERATION = "mizzen.dev/formation-generation"  # controller -> agent, an integer >= 1
FORMATION_SIZE = "mizzen.dev/formation-size"  # controller -> agent
AWAITS_GENERATION = (
    "mizzen.dev/awaits-generation"  # agent -> controller: can only join this or later
)
STEP = "mizzen.dev/step"  # agent -> everyone: last completed step of this rank
PROGRESS = "mizzen.dev/progress"  # agent -> controller: JSON {step, steps, metrics{}, stepSeconds}
CHECKPOINT_STEP = (
    "mizzen.dev/checkpoint-step"  # agent -> scheduler: the last step whose state is durable
)
FAILED_SYNC = "FailedSync"  # reason, as the kubelet's: the agent cannot go on with an object
CHECKPOINT_FAILED = "CheckpointFailed"  # reason: staged state could not be made durable
CHECKPOINTS_DURABLE = "mizzen.dev/CheckpointsDurable"  # pod condition, once one failed
JOIN_READY = "mizzen.dev/JoinReady"  # pod condition: the worker waits to join a formation

# -- gangs: what upstream's PodGroup lacks (annotations on a PodGroup or TrainJob) ------
TOPOLOGY_REQUIRED = "mizzen.dev/topology-required"  # node label: all members in one domain of it
TOPOLOGY_PREFERRED = "mizzen.dev/topology-preferred"  # node label: in one domain if that can be
TOPOLOGY_SLICES = (
    "mizzen.dev/topology-slices"  # "LABEL=SIZE, LABEL=SIZE": runs of ranks, outermost first
)
TOPOLOGY_EXCLUSIVE = "mizzen.dev/topology-exclusive"  # node label: no two that ask share a domain
SUBGROUPS = "mizzen.dev/subgroups"  # JSON [{name, minCount, count, required, preferred, exclusive}]
MAX_COUNT = "mizzen.dev/max-count"  # at most so many members run
SUBGROUP = "mizzen.dev/subgroup"  # on a pod: which of its gang's subgroups it is in

# -- ModelEndpoint pods -----------------------------------------------------------
ENDPOINT = "mizzen.dev/endpoint"  # label: the ModelEndpoint this replica belongs to
REPLICA_INDEX = "mizzen.dev/replica-index"  # label
ENGINE_TYPE = "mizzen.dev/engine-type"  # label: the profile (base.engine) of what it runs
PICKER = "mizzen.dev/picker"  # annotation of a ModelEndpoint: what chooses replicas for requests

# -- any pod ----------------------------------------------------------------------
DISRUPTION = "mizzen.dev/disruption"  # controller -> scheduler: what evicting it loses
STATELESS = "stateless"  # it keeps no work of its own
RESUMABLE = "resumable"  # whoever comes in its place goes on from what was saved
RELOAD_SECONDS = (
    "mizzen.dev/reload-seconds"  # user -> scheduler: how long until a new one is as useful (warm)
)
UNSCHEDULABLE = (
    "mizzen.dev/unschedulable"  # scheduler -> everyone: why it waits, JSON; see docs/scheduling.md
)

# -- anywhere ---------------------------------------------------------------------
CAUSE = (
    "mizzen.dev/cause"  # why this object exists or changed, one sentence, passed on down the chain
)
MANAGED_BY = "app.kubernetes.io/managed-by"

# -- beside another scheduler, on a real cluster -------------------------------------
SYSTEM_NAMESPACE = "mizzen-system"  # where Mizzen itself lives
HANDED_OVER = "mizzen.dev/scheduler"  # label and NoSchedule taint of a node that Mizzen fills
HANDED_OVER_TO = "mizzen"  # their value, and the schedulerName of pods that are placed there
INTENT = "mizzen.dev/intent"  # label of a ConfigMap: a decision whose writes are under way

# -- drivers, classes, priorities, images -------------------------------------------
CPU_DRIVER = "cpu.mizzen.dev"
GPU_DRIVER = "gpu.mizzen.dev"
SIMULATED_DRIVER = "simulated.mizzen.dev"
CPU_CORE_CLASS = "cpu-core.mizzen.dev"  # DeviceClass; extendedResourceName below
GPU_CLASS = "gpu.mizzen.dev"
SIMULATED_CLASS = "simulated.mizzen.dev"
CPU_CORE_RESOURCE = "mizzen.dev/cpu-core"
GPU_RESOURCE = "nvidia.com/gpu"
SIMULATED_RESOURCE = "mizzen.dev/simulated"
PRIORITY_INFERENCE = "mizzen-inference"  # 1000
PRIORITY_TRAINING = "mizzen-training"  # 100, the global default is 0
IMAGE_PYTHON = "mizzen.dev/python"  # built in: the interpreter Mizzen itself runs on

# -- identities (user names that bearer tokens stand for) ----------------------------
ADMIN = "admin"
IDENTITY_PREFIX = "system:mizzen:"  # + controllers | scheduler | node | gateway
KUBELET_CLIENT = "mizzen-apiserver-kubelet-client"  # of the certificate that kubelets are shown
KUBE_PROXY = "system:kube-proxy"  # upstream's; what it may says the role system:node-proxier

# The Kubernetes whose API is served: (major, minor).
KUBERNETES_VERSION = ("1", "36")
