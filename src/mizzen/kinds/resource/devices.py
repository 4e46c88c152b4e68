"""The schema of devices: what slices publish, claims ask for, and allocations record.

Source: k8s.io/api resource/v1 types.go, Kubernetes 1.36; limits as stated there.
"""

from __future__ import annotations

from mizzen.kinds.core.references import NODE_SELECTOR
from mizzen.kinds.meta import CONDITION
from mizzen.kinds.schema import (
    BOOL,
    INT64,
    OPEN,
    QUANTITIES,
    QUANTITY,
    STR,
    STRINGS,
    TIME,
    array,
    choice,
    mapping,
    package,
)
from mizzen.kinds.treatment import accepted, acted

v1 = package("io.k8s.api.resource.v1")

CEL_LENGTH_MAX = 10 * 1024
SELECTORS_MAX = 32
REQUESTS_MAX = 32
SUBREQUESTS_MAX = 8
CONSTRAINTS_MAX = 32
CONFIGS_MAX = 32
RESULTS_MAX = 32
RESERVED_MAX = 256
TOLERATIONS_MAX = 16
TAINTS_MAX = 16

# -- selection ------------------------------------------------------------------------
SELECTOR = v1(
    "DeviceSelector",
    "A condition that a device must meet.",
    cel=v1(
        "CELDeviceSelector",
        "A CEL expression.",
        expression=STR(
            "Over `device.driver`, `device.attributes[domain].name`, "
            "`device.capacity[domain].name`; must yield a bool.",
            required=True,
            max_length=CEL_LENGTH_MAX,
        ),
    ),
)
SELECTORS = array(SELECTOR)("All must hold.", max_items=SELECTORS_MAX)
EFFECT = choice("None", "NoSchedule", "NoExecute")
TOLERATION = v1(
    "DeviceToleration",
    "Accepts devices with a matching taint.",
    key=STR("The taint's key; empty with Exists matches all."),
    operator=choice("Exists", "Equal", default="Equal")("How to compare."),
    value=STR("The taint's value."),
    effect=EFFECT("Empty matches every effect."),
    tolerationSeconds=INT64("How long NoExecute is tolerated; absent: for ever."),
)
TOLERATIONS = array(TOLERATION)("Taints that do not matter.", max_items=TOLERATIONS_MAX)
CAPACITY_REQUIREMENTS = v1(
    "CapacityRequirements",
    "Capacity wanted of a device that several may share.",
    requests=QUANTITIES("By capacity name."),
)
_WANT = {
    "deviceClassName": STR("The DeviceClass.", required=True),
    "selectors": SELECTORS(),
    "allocationMode": choice("ExactCount", "All", default="ExactCount")(
        "ExactCount: count devices. All: every device that matches."
    ),
    "count": INT64("How many; 1 by default.", minimum=1),
    "tolerations": TOLERATIONS(),
    "capacity": CAPACITY_REQUIREMENTS(),
}
REQUEST = v1(
    "DeviceRequest",
    "Devices wanted; exactly one of the two forms.",
    name=STR("Names the request in the claim.", required=True),
    exactly=v1(
        "ExactDeviceRequest",
        "Devices of one class.",
        **_WANT,
        adminAccess=BOOL("For monitoring: shares devices that are in use."),
    ),
    firstAvailable=array(
        v1(
            "DeviceSubRequest",
            "One of several alternatives.",
            name=STR("Names the alternative.", required=True),
            **_WANT,
        )
    )("Alternatives; the first that can be met is.", max_items=SUBREQUESTS_MAX),
)
CONSTRAINT = v1(
    "DeviceConstraint",
    "What the devices of several requests must have in common.",
    requests=STRINGS("The requests; all by default.", max_items=REQUESTS_MAX),
    matchAttribute=STR("<domain>/<name> that must be equal."),
    distinctAttribute=STR("<domain>/<name> that must differ."),
)
OPAQUE = v1(
    "OpaqueDeviceConfiguration",
    "Parameters for a driver.",
    driver=STR("The driver.", required=True),
    parameters=OPEN("What the driver understands.", required=True),
)
CLAIM_SPEC = v1(
    "ResourceClaimSpec",
    "What is wanted; cannot change.",
    devices=v1(
        "DeviceClaim",
        "Devices wanted.",
        requests=array(REQUEST)("All must be met.", max_items=REQUESTS_MAX),
        constraints=array(CONSTRAINT)("Across requests.", max_items=CONSTRAINTS_MAX),
        config=array(
            v1(
                "DeviceClaimConfiguration",
                "Parameters for the devices of some requests.",
                requests=STRINGS("The requests; all by default.", max_items=REQUESTS_MAX),
                opaque=OPAQUE(),
            )
        )("Parameters for drivers.", max_items=CONFIGS_MAX),
    )("Devices wanted.", default={}),
)

# -- allocation -----------------------------------------------------------------------
ALLOCATION = v1(
    "AllocationResult",
    "The devices the claim was given.",
    devices=v1(
        "DeviceAllocationResult",
        "Devices and their parameters.",
        results=array(
            v1(
                "DeviceRequestAllocationResult",
                "A device.",
                request=STR("<request> or <request>/<alternative>.", required=True),
                driver=STR("Driver of the device.", required=True),
                pool=STR("Pool of the device.", required=True),
                device=STR("The device in its pool.", required=True),
                adminAccess=BOOL("Whether it may be in use by others, too."),
                tolerations=TOLERATIONS("The request's, at the time."),
                bindingConditions=STRINGS("Conditions to await before binding.", max_items=4),
                bindingFailureConditions=STRINGS("Conditions that end the wait.", max_items=4),
                shareID=STR("Names one share of a device that several hold."),
                consumedCapacity=QUANTITIES("Capacity the share takes."),
            )
        )("The devices.", max_items=RESULTS_MAX),
        config=array(
            v1(
                "DeviceAllocationConfiguration",
                "Parameters for a driver.",
                source=choice("FromClass", "FromClaim")("Where they come from.", required=True),
                requests=STRINGS("The requests; all by default.", max_items=REQUESTS_MAX),
                opaque=OPAQUE(),
            )
        )("Parameters of class and claim, merged.", max_items=2 * CONFIGS_MAX),
    )("The devices.", default={}),
    nodeSelector=NODE_SELECTOR("Where the devices can be used; absent: everywhere."),
    allocationTimestamp=TIME("When they were given."),
)
DEVICE_STATUS = v1(
    "AllocatedDeviceStatus",
    "What the driver says of an allocated device.",
    driver=STR("Driver of the device.", required=True),
    pool=STR("Pool of the device.", required=True),
    device=STR("The device in its pool.", required=True),
    shareID=STR("The share, if it has several."),
    conditions=array(CONDITION, keys=("type",))("Aspects of its state.", max_items=8),
    data=OPEN("Anything the driver wants to say."),
    networkData=v1(
        "NetworkDeviceData",
        "For network devices.",
        interfaceName=STR(max_length=256),
        ips=STRINGS("Addresses with prefix length.", max_items=16),
        hardwareAddress=STR(max_length=128),
    ),
)

# -- what a driver publishes ------------------------------------------------------------
ATTRIBUTE = v1(
    "DeviceAttribute",
    "A property; exactly one of the values.",
    int=INT64("A number."),
    bool=BOOL("True or false."),
    string=STR("Text."),
    version=STR("A semantic version."),
    ints=array(INT64)("Numbers."),
    bools=array(BOOL)("True or false, several."),
    strings=STRINGS("Texts."),
    versions=STRINGS("Semantic versions."),
)
CAPACITY = v1(
    "DeviceCapacity",
    "An amount the device has.",
    value=QUANTITY("How much.", required=True),
    requestPolicy=v1(
        "CapacityRequestPolicy",
        "How much of it one share may take.",
        default=QUANTITY("Without a request."),
        validValues=array(QUANTITY)("Only these, rounded up.", max_items=10),
        validRange=v1(
            "CapacityRequestPolicyRange",
            "Between min and max, in steps.",
            min=QUANTITY(),
            max=QUANTITY(),
            step=QUANTITY(),
        ),
    ),
)
COUNTERS = mapping(v1("Counter", "An amount.", value=QUANTITY("How much.", required=True)))
TAINT = v1(
    "DeviceTaint",
    "Keeps claims away that do not tolerate it.",
    key=STR("Name of the taint.", required=True),
    value=STR("Its value."),
    effect=EFFECT("What it does.", required=True),
    timeAdded=TIME("Since when."),
)
DEVICE = v1(
    "Device",
    "One device.",
    name=STR("Unique in the pool; a DNS label.", required=True),
    attributes=mapping(ATTRIBUTE)("Properties by [domain/]name."),
    capacity=mapping(CAPACITY)("Amounts by [domain/]name."),
    consumesCounters=array(
        v1(
            "DeviceCounterConsumption",
            "What the device takes from a counter set of its pool.",
            counterSet=STR("The set.", required=True),
            counters=COUNTERS("Amounts."),
        )
    )("Shared amounts it needs.", max_items=2),
    nodeName=STR("Its node, with perDeviceNodeSelection."),
    nodeSelector=NODE_SELECTOR("Its nodes, with perDeviceNodeSelection."),
    allNodes=BOOL("Any node, with perDeviceNodeSelection."),
    taints=array(TAINT)("Taints.", max_items=TAINTS_MAX),
    bindsToNode=BOOL("Whether its allocation is bound to the chosen node."),
    bindingConditions=STRINGS("Conditions to await before binding.", max_items=4),
    bindingFailureConditions=STRINGS("Conditions that end the wait.", max_items=4),
    allowMultipleAllocations=BOOL("Whether several claims may share it."),
    nodeAllocatableResourceMappings=mapping(
        v1(
            "NodeAllocatableResourceMapping",
            "How using it counts against a resource of the node.",
            capacityKey=STR(),
            allocationMultiplier=QUANTITY(),
        )
    )("Node resources it uses."),
)
COUNTER_SET = v1(
    "CounterSet",
    "Amounts that devices of the pool share.",
    name=STR("Unique in the pool.", required=True),
    counters=COUNTERS("The amounts."),
)
POOL = v1(
    "ResourcePool",
    "The pool a slice belongs to.",
    name=STR("Name of the pool; often the node's.", required=True),
    generation=INT64("Slices of older generations are out of date.", required=True, minimum=0),
    resourceSliceCount=INT64("Slices in the pool, at this generation.", required=True, minimum=1),
)
CONSUMER = v1(
    "ResourceClaimConsumerReference",
    "Who may use the claim.",
    apiGroup=STR("API group; empty for core."),
    resource=STR("Plural, e.g. pods.", required=True),
    name=STR("Name.", required=True),
    uid=STR("UID.", required=True),
)

_DRIVERS = "copied into allocations, for the drivers they are meant for"
SERVED_FIELDS = {
    "resource.v1.DeviceSelector": acted("scheduler", "cel"),
    "resource.v1.CELDeviceSelector": acted("scheduler", "expression"),
    "resource.v1.OpaqueDeviceConfiguration": accepted("driver parameters", _DRIVERS),
    "resource.v1.DeviceTaint": acted("scheduler controllers", "key value effect timeAdded"),
    "resource.v1.ResourceClaimSpec": acted("scheduler", "devices"),
    "resource.v1.DeviceClaim": acted("scheduler", "requests constraints config"),
    "resource.v1.DeviceRequest": acted("scheduler", "name exactly firstAvailable"),
    "resource.v1.ExactDeviceRequest": acted(
        "scheduler",
        "deviceClassName selectors allocationMode count tolerations capacity adminAccess",
    ),
    "resource.v1.DeviceSubRequest": acted(
        "scheduler", "name deviceClassName selectors allocationMode count tolerations capacity"
    ),
    "resource.v1.DeviceToleration": acted(
        "scheduler controllers", "key operator value effect tolerationSeconds"
    ),
    "resource.v1.CapacityRequirements": acted("scheduler", "requests"),
    "resource.v1.DeviceConstraint": acted("scheduler", "requests matchAttribute distinctAttribute"),
    "resource.v1.DeviceClaimConfiguration": acted("scheduler kinds", "requests opaque"),
    "resource.v1.ResourcePool": acted("scheduler", "name generation resourceSliceCount"),
    "resource.v1.Device": acted(
        "scheduler",
        "name attributes capacity consumesCounters nodeName nodeSelector allNodes taints "
        "bindsToNode bindingConditions bindingFailureConditions allowMultipleAllocations "
        "nodeAllocatableResourceMappings",
    ),
    "resource.v1.DeviceAttribute": acted(
        "scheduler", "int bool string version ints bools strings versions"
    ),
    "resource.v1.DeviceCapacity": acted("scheduler", "value requestPolicy"),
    "resource.v1.CapacityRequestPolicy": acted("scheduler", "default validValues validRange"),
    "resource.v1.CapacityRequestPolicyRange": acted("scheduler", "min max step"),
    "resource.v1.DeviceCounterConsumption": acted("scheduler", "counterSet counters"),
    "resource.v1.Counter": acted("scheduler", "value"),
    "resource.v1.CounterSet": acted("scheduler", "name counters"),
    "resource.v1.NodeAllocatableResourceMapping": acted(
        "scheduler", "capacityKey allocationMultiplier"
    ),
}
