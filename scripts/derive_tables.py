"""Writes src/mizzen/kinds/tables from the pinned modules of Kubernetes: facts of its types, no text.

    python scripts/derive_tables.py [--modules ~/go/pkg/mod/k8s.io]

Not needed to build or run mizzen: the tables are committed. Reads the OpenAPI v3 documents and the
discovery of k8s.io/kubernetes, and `generated.proto` of the modules that declare the types.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

Obj = dict[str, Any]
VERSION = "1.36.3"
MODULES = {  # prefix of a definition's name -> folder of the module
    "io.k8s.api.": f"api@v0{VERSION.removeprefix('1')}",
    "io.k8s.apimachinery.": f"apimachinery@v0{VERSION.removeprefix('1')}",
    "io.k8s.apiextensions-apiserver.": f"apiextensions-apiserver@v0{VERSION.removeprefix('1')}",
    "io.k8s.kube-aggregator.": f"kube-aggregator@v0{VERSION.removeprefix('1')}",
}
# All that 1.36 serves by default is stable; this is what mizzen serves beyond it.
BEYOND = {
    ("scheduling.k8s.io", "v1alpha2", "podgroups"),
    ("scheduling.k8s.io", "v1alpha2", "workloads"),
    ("resource.k8s.io", "v1alpha3", "resourcepoolstatusrequests"),
    ("resource.k8s.io", "v1beta2", "devicetaintrules"),
}
OUT = Path(__file__).parents[1] / "src" / "mizzen" / "kinds" / "tables"
REFERENCE = "#/components/schemas/"
# Types of which protobuf sends zeros as well; a zero that Go has a pointer to is said.
ZEROS = {"string", "boolean", "int32", "int64", "double", "IntOrString", "Quantity",
         "JSONSchemaPropsOrBool"}  # fmt: skip
# Names in JSON that are no identifiers, of JSONSchemaProps.
SPELLED = {"schema": "$schema", "ref": "$ref"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", type=Path, default=None)
    modules: Path = parser.parse_args().modules or default_modules()
    kubernetes = modules / f"kubernetes@v{VERSION}" / "api"
    resources = [each for each in discovered(kubernetes / "discovery") if is_served(each)]
    definitions = read_definitions(kubernetes / "openapi-spec" / "v3")
    for old in OUT.glob("*.json"):
        old.unlink()
    write_resources(resources, definitions)
    packages: dict[str, dict[str, Obj]] = {}
    for name in sorted(reachable(definitions, resources)):
        package, _, word = name.rpartition(".")
        packages.setdefault(package, {})[word] = definitions[name]
    for package, types in packages.items():
        messages = read_messages(modules, package)
        made = {word: table_of(word, body, package, messages) for word, body in types.items()}
        for (word, field), declared in read_structs(modules, package).items():
            facts = made.get(word, {}).get("fields", {}).get(field, {})
            is_zero = facts.get("default") in ("", 0, False) and not facts.get("required")
            if declared.is_omitted and is_zero:
                del facts["default"]
            if declared.is_pointer and facts.get("type", "").rpartition(".")[2] in ZEROS:
                facts["pointer"] = True
            is_optional = "default" not in facts and not facts.get("required")
            is_collection = facts.get("type", "").startswith(("[]", "{}"))
            if is_optional and is_collection and not (declared.is_omitted or declared.is_pointer):
                facts["written"] = True  # although nothing is in it
        write_package(package, made)


def default_modules() -> Path:
    found = subprocess.run(["go", "env", "GOMODCACHE"], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip()) / "k8s.io"


# -- resources ------------------------------------------------------------------------
def discovered(folder: Path) -> Iterator[Obj]:
    """Every resource of every version, its subresources within."""
    for path in sorted(folder.glob("api*__*.json")):
        listing: Obj = json.loads(path.read_text())
        if listing["kind"] != "APIResourceList":
            continue
        group, _, version = f"/{listing['groupVersion']}".rpartition("/")
        found: dict[str, Obj] = {}
        for each in listing["resources"]:
            name, _, below = each["name"].partition("/")
            if not below:
                found[name] = {**each, "group": group.lstrip("/"), "version": version, "below": []}
            else:
                found.setdefault(
                    name,
                    {"name": name, "group": group.lstrip("/"), "version": version, "below": []},
                )["below"].append({**each, "name": below})
        yield from found.values()


def is_served(resource: Obj) -> bool:
    place = (resource["group"], resource["version"], resource["name"])
    return place in BEYOND or re.fullmatch(r"v\d+", resource["version"]) is not None


def write_resources(resources: Iterable[Obj], definitions: Mapping[str, Obj]) -> None:
    types = {
        (each["group"], each["version"], each["kind"]): name
        for name, body in definitions.items()
        for each in body.get("x-kubernetes-group-version-kind", ())
        if name.endswith(f".{each['kind']}")
    }
    rows: list[Obj] = []
    for each in sorted(resources, key=lambda r: (r["group"], r["version"], r["name"])):
        place = (each["group"], each["version"], each["kind"])
        row: Obj = {
            "group": each["group"],
            "version": each["version"],
            "plural": each["name"],
            "kind": each["kind"],
            "singular": each["singularName"],
            "namespaced": each["namespaced"],
            "type": types[place],
            "verbs": sorted(each["verbs"]),
        }
        for key, source in (("short_names", "shortNames"), ("categories", "categories")):
            if each.get(source):
                row[key] = each[source]
        if each["below"]:
            row["subresources"] = [subresource(below, place) for below in each["below"]]
        rows.append(row)
    text = "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n"
    (OUT / "resources.json").write_text(text)


def subresource(below: Obj, place: tuple[str, str, str]) -> Obj:
    """What it answers with is said where that is not the object itself."""
    row: Obj = {"name": below["name"], "verbs": sorted(below["verbs"])}
    answer = (below.get("group", place[0]), below.get("version", place[1]), below["kind"])
    return row if answer == place else {**row, "response": answer}


# -- types ----------------------------------------------------------------------------
def read_definitions(folder: Path) -> dict[str, Obj]:
    found: dict[str, Obj] = {}
    for path in sorted(folder.glob("*.json")):
        document: Obj = json.loads(path.read_text())
        found |= document.get("components", {}).get("schemas", {})
    return found


def reachable(definitions: Mapping[str, Obj], resources: Iterable[Obj]) -> set[str]:
    """The types of the packages that declare served resources, and what they are made of."""
    served = {(each["group"], each["version"]) for each in resources}
    packages = {
        name.rpartition(".")[0]
        for name, body in definitions.items()
        for each in body.get("x-kubernetes-group-version-kind", ())
        if (each["group"], each["version"]) in served and "apimachinery" not in name
    }
    todo = [name for name in definitions if name.rpartition(".")[0] in packages]
    todo += [name for name in definitions if ".apis.meta.v1." in name]
    found: set[str] = set()
    while todo:
        name = todo.pop()
        if name in found or re.search(r"(?<!API)(?<!Group)List$", name):
            continue
        found.add(name)
        todo += references(definitions[name])
    return found


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref" and isinstance(value, str):
                yield value.removeprefix(REFERENCE)
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def table_of(word: str, body: Obj, package: str, messages: Mapping[str, Obj]) -> Obj:
    """One type: its own facts, and its fields in upstream's order of their names."""
    made: Obj = {}
    if "properties" not in body:
        made["type"] = expression(body, package)
        if "format" in body:
            made["format"] = body["format"]
    if body.get("x-kubernetes-map-type"):
        made["map"] = body["x-kubernetes-map-type"]
    if unions := body.get("x-kubernetes-unions"):
        made["unions"] = unions
    numbers = json_numbers(word, messages)
    fields: Obj = {}
    for name, field in sorted(body.get("properties", {}).items()):
        fields[name] = field_of(field, package, required=name in body.get("required", ()))
        if name.lower() in numbers:
            fields[name]["number"] = numbers[name.lower()]
    if fields:
        made["fields"] = fields
    return made


def field_of(field: Obj, package: str, *, required: bool) -> Obj:
    made: Obj = {"type": expression(field, package)}
    if required:
        made["required"] = True
    if "default" in field:
        made["default"] = field["default"]
    if "x-kubernetes-list-type" in field:
        made["list"] = field["x-kubernetes-list-type"]
    if "x-kubernetes-list-map-keys" in field:
        made["keys"] = field["x-kubernetes-list-map-keys"]
    if "x-kubernetes-map-type" in field:
        made["map"] = field["x-kubernetes-map-type"]
    if "x-kubernetes-patch-strategy" in field:
        made["strategy"] = field["x-kubernetes-patch-strategy"]
    if "x-kubernetes-patch-merge-key" in field:
        made["merge_key"] = field["x-kubernetes-patch-merge-key"]
    return made


def expression(node: Obj, package: str) -> str:
    """A type in one word: string, int32, []Container, {}Quantity; a type of another package whole."""
    if "allOf" in node:
        (only,) = node["allOf"]
        return expression(only, package)
    if "$ref" in node:
        name = node["$ref"].removeprefix(REFERENCE)
        home, _, word = name.rpartition(".")
        return word if home == package else name
    if "oneOf" in node:
        return "|".join(each["type"] for each in node["oneOf"])
    kind = node.get("type", "any")
    if kind == "array":
        return "[]" + expression(node["items"], package)
    if kind == "object" and "additionalProperties" in node:
        return "{}" + expression(node["additionalProperties"], package)
    return (
        node["format"]
        if kind in ("integer", "number") and "format" in node
        else (node["format"] if node.get("format") == "byte" else kind)
    )


# -- protobuf -------------------------------------------------------------------------
def read_messages(modules: Path, package: str) -> dict[str, Obj]:
    """message -> field -> (type, number) of a package's generated.proto; {} where it has none."""
    path = folder_of(modules, package) / "generated.proto"
    return parse_proto(path.read_text()) if path.exists() else {}


class GoField(NamedTuple):
    """How Go declares a field: what JSON and protobuf say of its zero depends on it."""

    is_pointer: bool
    is_omitted: bool  # from JSON where it is zero


def read_structs(modules: Path, package: str) -> dict[tuple[str, str], GoField]:
    """(type, field in JSON) -> its declaration, of a package's types.go."""
    paths = sorted(folder_of(modules, package).glob("types*.go"))
    text = "".join(path.read_text() for path in paths)
    found = re.finditer(r"^type (\w+) struct \{(.*?)^\}", text, re.M | re.S)
    structs = {struct[1]: struct[2] for struct in found}
    fields: dict[tuple[str, str], GoField] = {}
    for word in structs:
        bodies = [structs[word]]
        for inner in re.finditer(r'^\s+(\w+)\s+`json:",inline"', structs[word], re.M):
            bodies.append(structs.get(inner[1], ""))
        for body in bodies:
            for each in re.finditer(r'^\s+\w+\s+(\S+)\s+`json:"([^,"]+)([^"]*)"', body, re.M):
                is_pointer = each[1].startswith("*")
                fields[word, each[2]] = GoField(is_pointer, not is_pointer and ",omit" in each[3])
    return fields


def folder_of(modules: Path, package: str) -> Path:
    for prefix, module in MODULES.items():
        if package.startswith(prefix):
            return modules / module / package.removeprefix(prefix).replace(".", "/")
    raise SystemExit(f"no module is known for {package}")


def parse_proto(text: str) -> dict[str, Obj]:
    found: dict[str, Obj] = {}
    for message in re.finditer(r"^message (\w+) \{(.*?)^\}", text, re.M | re.S):
        fields = re.finditer(
            r"^\s+(optional|repeated|map<string, )\s*([\w.]+)>? (\w+) = (\d+);", message[2], re.M
        )
        found[message[1]] = {
            each[3]: (each[2].lstrip("."), int(each[4]), each[1].startswith("opt"))
            for each in fields
        }
    return found


def json_numbers(word: str, messages: Mapping[str, Obj]) -> dict[str, Any]:
    """Numbers by the name in JSON, in lower case: some messages spell it in their own. A struct that Go holds inline is a message on the wire: its
    fields have a path of numbers."""
    found: dict[str, Any] = {}
    for name, (kind, number, single) in messages.get(word, {}).items():
        inline = single and kind in messages and is_inline(word, name, kind)
        if inline:
            for inner, path in json_numbers(kind, messages).items():
                found[inner] = [number, *(path if isinstance(path, list) else [path])]
        else:
            spelled = SPELLED.get(name, name) if word == "JSONSchemaProps" else name
            found[kebab(spelled).lower()] = number
    return found


def kebab(name: str) -> str:
    if not name.startswith("xKubernetes"):
        return name
    return re.sub(r"(?<!^)([A-Z])", lambda m: f"-{m[1].lower()}", name)


INLINE = {
    "volumeSource", "persistentVolumeSource", "localObjectReference", "handler",
    "ephemeralContainerCommon", "deviceConfiguration", "ruleWithOperations", "rule",
    "ingressRuleValue",
}  # fmt: skip


def is_inline(word: str, name: str, kind: str) -> bool:
    return name in INLINE and name.lower() in (kind.lower(), "handler")


def write_package(package: str, types: Mapping[str, Obj]) -> None:
    """One line a field, so that a new release is a readable difference."""
    lines: list[str] = []
    for word, body in types.items():
        plain = ", ".join(
            f"{json.dumps(key)}: {json.dumps(value)}"
            for key, value in body.items()
            if key != "fields"
        )
        fields = [
            f"   {json.dumps(name)}: {json.dumps(field)}"
            for name, field in body.get("fields", {}).items()
        ]
        inner = [part for part in (plain and f"   {plain}",) if part]
        if fields:
            inner.append('   "fields": {\n ' + ",\n ".join(fields) + "\n   }")
        lines.append(f"  {json.dumps(word)}: {{\n" + ",\n".join(inner) + "\n  }")
    name = ".".join(package.split(".")[-2:])
    text = (
        f'{{\n "package": {json.dumps(package)},\n "types": {{\n' + ",\n".join(lines) + "\n }\n}\n"
    )
    json.loads(text)
    (OUT / f"{name}.json").write_text(text)


if __name__ == "__main__":
    main()
