"""The attributes of a request that authorizers judge."""

from __future__ import annotations

from typing import NamedTuple

from mizzen.apiserver.core.user import User


class Access(NamedTuple):
    """One verb on a resource, or on a path that is not about objects (`path`).

    `resource` is the plural; `namespace` "" is the cluster scope or every namespace, `name` ""
    every object.
    """

    user: User
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    field_selector: str = ""  # of lists, watches and deletions of several, as it was written

    def selects(self, path: str, value: str) -> bool:
        """True if the request is for objects alone whose field has this value."""
        return any(
            term in (f"{path}={value}", f"{path}=={value}")
            for term in self.field_selector.split(",")
        )

    @property
    def what(self) -> str:
        """The resource as rules and messages name it: `pods/log`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def refusal(self) -> str:
        """The sentence that says whom what is denied, as upstream's."""
        if self.path:
            return f'User "{self.user.name}" cannot {self.verb} path "{self.path}"'
        where = f'in the namespace "{self.namespace}"' if self.namespace else "at the cluster scope"
        return (
            f'User "{self.user.name}" cannot {self.verb} resource "{self.what}" '
            f'in API group "{self.group}" {where}'
        )
