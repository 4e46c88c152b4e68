"""Rules that classes of storage share. Source: pkg/apis/storage/validation, v1.36."""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.causes import invalid, required
from mizzen.kinds.names import dns_subdomain, qualified_name
from mizzen.kinds.reading import part

_PARAMETERS_MAX = 512
_PARAMETERS_BYTES_MAX = 256 * 1024
_DRIVER_NAME_LENGTH_MAX = 63


def check_driver(obj: Obj, field: str) -> list[Cause]:
    """Causes for the name of who provisions."""
    name = obj.get(field) or ""
    if not name:
        return [required(field)]
    problem = qualified_name(name.lower())
    return [invalid(field, name.lower(), problem)] if problem else []


def check_parameters(obj: Obj) -> list[Cause]:
    parameters = part(obj, "parameters")
    if len(parameters) > _PARAMETERS_MAX:
        return [_too_long(_PARAMETERS_MAX)]
    causes = [
        invalid("parameters", key, "field can not be empty.") for key in parameters if not key
    ]
    size = sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items())
    if size > _PARAMETERS_BYTES_MAX:
        causes.append(_too_long(_PARAMETERS_BYTES_MAX))
    return causes


def _too_long(most: int) -> Cause:
    message = f"Too long: may not be more than {most} bytes"
    return Cause("parameters", message, "FieldValueTooLong")


def check_csi_driver_name(name: str, path: str) -> list[Cause]:
    """Causes for the name by which a CSI driver is known."""
    if not name:
        return [required(path)]
    causes: list[Cause] = []
    if len(name) > _DRIVER_NAME_LENGTH_MAX:
        message = f"Too long: may not be more than {_DRIVER_NAME_LENGTH_MAX} bytes"
        causes.append(Cause(path, message, "FieldValueTooLong"))
    problem = dns_subdomain(name.lower())
    return [*causes, invalid(path, name, problem)] if problem else causes
