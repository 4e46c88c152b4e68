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
from mizzen.kinds.resource.devices import CONFIGS_MAX, OPAQUE, SELECTORS
from mizzen.kinds.resource.rules import check_opaque
from mizzen.kinds.resource.selectors import Selectors, expressions_of
from mizzen.kinds.schema import STR, array, package
from mizzen.kinds.treatment import acted

v1 = package("io.k8s.api.resource.v1")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec = new["spec"]
    known = expressions_of(entries(old, "spec.selectors"))
    causes = Selectors(known).check(entries(spec, "selectors"), "spec.selectors")
    stored = old is not None and old["spec"].get("config") == spec.get("config")
    for index, config in enumerate(entries(spec, "config")):
        causes += check_opaque(config, f"spec.config[{index}]", stored=stored)
    name = spec.get("extendedResourceName")
    if name is not None and not is_extended_resource(name):
        message = "must be a valid extended resource name"
        causes.append(invalid_value("spec.extendedResourceName", name, message))
    return causes


def is_extended_resource(name: str) -> bool:
    """True if pods may request it by name. Source: core/v1/helper IsExtendedResourceName."""
    domain, slash, _ = name.partition("/")
    native = not slash or "kubernetes.io/" in name
    return not (native or domain.startswith("requests.") or qualified_name(f"requests.{name}"))


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

SERVED_FIELDS = {
    "resource.v1.DeviceClass": acted("scheduler", "spec"),
    "resource.v1.DeviceClassSpec": acted("scheduler", "selectors config extendedResourceName"),
    "resource.v1.DeviceClassConfiguration": acted("scheduler kinds", "opaque"),
}
