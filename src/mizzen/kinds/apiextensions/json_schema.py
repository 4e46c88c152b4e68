"""The schema of schemas: JSONSchemaProps, as CustomResourceDefinitions hold them.

Source: apiextensions/v1 types_jsonschema.go.
"""

from __future__ import annotations

from mizzen.kinds.schema import (
    ANY,
    BOOL,
    INT64,
    NUMBER,
    STR,
    STRINGS,
    Schema,
    array,
    lazy,
    mapping,
    package,
)

PREFIX = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
v1 = package(PREFIX)


def _props() -> Schema:
    return JSON_SCHEMA_PROPS


PROPS = lazy(f"{PREFIX}.JSONSchemaProps", _props)

VALIDATION_RULE = v1(
    "ValidationRule",
    "A CEL rule that objects must keep.",
    rule=STR("The rule.", expected=True),
    message=STR("What is said where it is broken."),
    messageExpression=STR("Computes the message."),
    reason=STR("FieldValueInvalid, ...Forbidden, ...Required or ...Duplicate."),
    fieldPath=STR("The field it is about, from here."),
    optionalOldSelf=BOOL("Whether oldSelf is an optional, and the rule runs on creation, too."),
)
JSON_SCHEMA_PROPS = v1(
    "JSONSchemaProps",
    "A JSON schema (OpenAPI v3).",
    **{
        "$ref": STR("Forbidden."),
        "$schema": STR(),
        "id": STR(),
        "title": STR(),
        "description": STR("What it means."),
        "type": STR("object, array, string, integer, number or boolean."),
        "format": STR("A refinement of the type."),
        "nullable": BOOL("Whether null is a value."),
        "default": ANY("Inserted where the field is absent."),
        "enum": array(ANY)("The allowed values."),
        "example": ANY(),
        "minimum": NUMBER(),
        "maximum": NUMBER(),
        "exclusiveMinimum": BOOL(),
        "exclusiveMaximum": BOOL(),
        "multipleOf": NUMBER(),
        "minLength": INT64(),
        "maxLength": INT64(),
        "pattern": STR(),
        "minItems": INT64(),
        "maxItems": INT64(),
        "uniqueItems": BOOL(),
        "minProperties": INT64(),
        "maxProperties": INT64(),
        "required": STRINGS("Fields that must be there."),
        "properties": mapping(PROPS)("Fields by name."),
        "patternProperties": mapping(PROPS)("Forbidden."),
        "additionalProperties": ANY("Schema of all other fields, or whether there may be any."),
        "items": ANY("Schema of the items."),
        "additionalItems": ANY("Forbidden."),
        "allOf": array(PROPS)(),
        "anyOf": array(PROPS)(),
        "oneOf": array(PROPS)(),
        "not": PROPS(),
        "definitions": mapping(PROPS)("Forbidden."),
        "dependencies": ANY("Forbidden."),
        "externalDocs": ANY(),
        "x-kubernetes-int-or-string": BOOL("An integer or a string."),
        "x-kubernetes-preserve-unknown-fields": BOOL("Keep fields the schema does not know."),
        "x-kubernetes-embedded-resource": BOOL("A whole object with its own metadata."),
        "x-kubernetes-list-type": STR("atomic, set or map."),
        "x-kubernetes-list-map-keys": STRINGS("Keys of a list of type map."),
        "x-kubernetes-map-type": STR("granular or atomic."),
        "x-kubernetes-validations": array(VALIDATION_RULE, key="rule")("Rules that hold here."),
    },
)
