"""DeviceClass: devices that claims name instead of describing."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.resources import DEVICE_CLASSES
from mizzen.kinds.columns import AGE, NAME
from mizzen.kinds.kind import Kind
from mizzen.kinds.meta import root
from mizzen.kinds.names import invalid_value, qualified_name
from mizzen.kinds.reading import entries
from mizzen.kinds.resource.claim_rules import check_opaque, check_selectors
from mizzen.kinds.resource.devices import CONFIGS_MAX, OPAQUE, SELECTORS
from mizzen.kinds.schema import STR, array, package

v1 = package("io.k8s.api.resource.v1")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    causes = check_selectors(entries(spec, "selectors"), "spec.selectors")
    for index, config in enumerate(entries(spec, "config")):
        causes += check_opaque(config, f"spec.config[{index}]")
    name = spec.get("extendedResourceName")
    if name is not None:
        problem = qualified_name(name)
        if not problem and ("/" not in name or name.partition("/")[0].endswith("kubernetes.io")):
            problem = "must be a domain-prefixed name outside *.kubernetes.io"
        if problem:
            causes.append(invalid_value("spec.extendedResourceName", name, problem))
    return causes


KIND = Kind(
    resource=DEVICE_CLASSES,
    schema=root(
        DEVICE_CLASSES,
        "Devices that claims name instead of describing.",
        "io.k8s.api.resource.v1.DeviceClass",
        spec=v1(
            "DeviceClassSpec",
            "Which devices.",
            selectors=SELECTORS("All must hold."),
            config=array(
                v1("DeviceClassConfiguration", "Parameters for a driver.", opaque=OPAQUE())
            )("Parameters for drivers.", max_items=CONFIGS_MAX),
            extendedResourceName=STR("Resource name by which pods may ask, e.g. nvidia.com/gpu."),
        )("Which devices.", required=True),
    ),
    validate=_validate,
    columns=(NAME, AGE),
)
