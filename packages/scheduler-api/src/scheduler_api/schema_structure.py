"""What a JSON Schema consists of: its subschemas, its patterns and what it refers to."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

from scheduler_core.errors import Problem

FIELD = "parameters_schema"
DRAFT = "https://json-schema.org/draft/2020-12/schema"

_ONE = (
    *("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"),
    *("unevaluatedItems", "unevaluatedProperties"),
)
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_MAPS = ("properties", "patternProperties", "dependentSchemas", "$defs")
_REFERENCES = ("$ref", "$dynamicRef")


class _Place(NamedTuple):
    path: tuple[str, ...]
    schema: Mapping[str, Any]

    def field(self, *more: str) -> str:
        return ".".join((FIELD, *self.path, *more))


def structure_problems(schema: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with a schema that is valid in itself: references that lead out of it or nowhere."""
    if schema.get("$schema", DRAFT) not in (DRAFT, f"{DRAFT}#"):
        yield Problem(
            f"{FIELD}.$schema",
            f"Schemas are of the draft 2020-12, not of {schema['$schema']!r:.100}. Write {DRAFT}, or leave it out.",
        )
    places = list(_places(_Place((), schema)))
    targets = {"#" + "".join(f"/{_escaped(step)}" for step in place.path) for place in places}
    targets |= {
        f"#{place.schema[key]}" for place in places for key in ("$anchor", "$dynamicAnchor") if key in place.schema
    }
    has_patterns = any("patternProperties" in place.schema for place in places)
    for place in places:
        if place.path and "$schema" in place.schema:
            yield Problem(place.field("$schema"), "$schema stands at the root of a schema only. Leave it out here.")
        if "$id" in place.schema:
            yield Problem(place.field("$id"), "$id would change what references mean. Leave it out.")
        for key in _REFERENCES:
            if key in place.schema and (problem := _reference_problem(place.schema[key], targets)) is not None:
                yield Problem(place.field(key), problem)
        if has_patterns and "unevaluatedProperties" in place.schema:
            yield Problem(
                place.field("unevaluatedProperties"),
                "unevaluatedProperties does not go together with patternProperties here. Use additionalProperties.",
            )


def patterns(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """All regular expressions in a schema, each after its field."""
    for place in _places(_Place((), schema)):
        if isinstance(place.schema.get("pattern"), str):
            yield place.field("pattern"), place.schema["pattern"]
        for pattern in place.schema.get("patternProperties", ()):
            yield place.field("patternProperties", pattern), pattern


def _reference_problem(reference: str, targets: set[str]) -> str | None:
    if not reference.startswith("#"):
        return f"{reference[:100]!r} leads out of the schema, and nothing is fetched. Put it under $defs: #/$defs/NAME."
    if unquote(reference) not in targets:
        return f"{reference[:100]!r} leads to no schema. Put what is meant under $defs, and write #/$defs/NAME."
    return None


def _places(place: _Place) -> Iterator[_Place]:
    yield place
    for key, value in place.schema.items():
        if key in _ONE:
            yield from _subschema(value, place.path, key)
        elif key in _LISTS:
            for index, each in enumerate(value):
                yield from _subschema(each, place.path, key, str(index))
        elif key in _MAPS:
            for name, each in value.items():
                yield from _subschema(each, place.path, key, name)


def _subschema(value: Any, path: tuple[str, ...], *steps: str) -> Iterator[_Place]:
    if isinstance(value, Mapping):  # true and false are schemas, too
        yield from _places(_Place((*path, *steps), value))


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
