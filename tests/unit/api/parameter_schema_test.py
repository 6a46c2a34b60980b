"""JSON Schemas of parameters, and parameters that keep them or do not."""

import socket
from typing import Any

import pytest

from scheduler_api import parameter_schema, schema_validator
from scheduler_api.parameter_schema import parameter_problems, schema_problems
from scheduler_core.errors import Problem

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "n": {"type": "integer", "minimum": 1},
        "mode": {"enum": ["fast", "full"]},
        "files": {"type": "array", "items": {"$ref": "#/$defs/file"}, "uniqueItems": True},
        "target": {"type": "object", "required": ["host"], "properties": {"host": {"minLength": 2}}},
    },
    "required": ["n"],
    "additionalProperties": False,
    "$defs": {"file": {"type": "string", "pattern": r"\.csv$"}},
}


def problems(schema: dict[str, Any], parameters: dict[str, Any]) -> list[Problem]:
    """What is wrong with parameters by a schema that can be used."""
    assert schema_problems(schema) == []
    return parameter_problems(schema, parameters)


def test_parameter_problems_accepts_what_keeps_the_schema() -> None:
    """Nothing is said of parameters that are right."""
    right = {"n": 1, "mode": "full", "files": ["a.csv", "b.csv"], "target": {"host": "db", "port": 1}}

    assert problems(SCHEMA, right) == []


def test_parameter_problems_tells_all_at_once() -> None:
    """Each problem names its parameter by its path, the value and what is expected."""
    wrong = {"n": 0, "mode": "quick", "files": ["a.csv", "a.txt", "a.csv"], "target": {"host": "x"}, "mod": 1}

    assert set(problems(SCHEMA, wrong)) == {
        Problem("parameters.n", "0 is not at least 1."),
        Problem("parameters.mode", '"quick" is none of ["fast","full"].'),
        Problem("parameters.files.1", "\"a.txt\" does not match the pattern '\\\\.csv$'."),
        Problem("parameters.files", '["a.csv","a.txt","a.csv"] holds an element more than once.'),
        Problem("parameters.target.host", '"x" has 1 characters; at least 2 are expected.'),
        Problem("parameters.mod", "The schema knows no such parameter. Did you mean mode?"),
    }
    assert problems(SCHEMA, {"target": {}}) == [
        Problem("parameters.target.host", "It is missing, and the schema requires it."),
        Problem("parameters.n", "It is missing, and the schema requires it."),
    ]


@pytest.mark.parametrize(
    ("schema", "parameters", "message"),
    [
        ({"properties": {"a": {"type": ["integer", "null"]}}}, {"a": "x"}, '"x" is not of the type integer or null.'),
        ({"properties": {"a": {"const": 3}}}, {"a": True}, "true is not 3."),
        ({"properties": {"a": False}}, {"a": 1}, "There must be no value here; it is 1. Remove it."),
        ({"properties": {"a": {"not": {"const": 1}}}}, {"a": 1}, '1 does not keep not: {"const":1}.'),
        (
            {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {},
            (
                "{} keeps none of 2 alternatives: a: It is missing, and the schema requires it. "
                "b: It is missing, and the schema requires it."
            ),
        ),
        ({"oneOf": [{}, {}]}, {}, "{} keeps more than one of the 2 alternatives, of which one is to be kept."),
        ({"patternProperties": {"^a": {"type": "string"}}}, {"ab": 1}, "1 is not of the type string."),
        ({"additionalProperties": {"type": "string"}}, {"b": 1}, "1 is not of the type string."),
        ({"properties": {"a": {"uniqueItems": True}}}, {"a": [1, 1.0]}, "[1,1.0] holds an element more than once."),
        ({"properties": {"a": {"maxItems": 1}}}, {"a": [1, 2]}, "[1,2] has 2 elements; at most 1 are expected."),
    ],
)
def test_parameter_problems_has_a_sentence_for_each_keyword(
    schema: dict[str, Any], parameters: dict[str, Any], message: str
) -> None:
    """What is said names the value and what is expected."""
    assert [problem.message for problem in problems(schema, parameters)] == [message]


def test_parameter_problems_leaves_templates_to_the_run() -> None:
    """Nothing is said of values that are or contain templates; what is missing or unknown is so all the same."""
    open_parameters = {
        "n": "{{ upstream.a.result }}",
        "mode": "{% if x %}fast{% endif %}",
        "files": ["{{ item }}", "{{ item }}"],
        "target": {"host": "{{ x }}"},
    }
    assert problems(SCHEMA, open_parameters) == []
    assert [problem.field for problem in problems(SCHEMA, {"target": {"a": "{{ x }}"}, "b": "{{ y }}"})] == [
        "parameters.target.host",
        "parameters.n",
        "parameters.b",
    ]
    conditional = {"if": {"properties": {"m": {"const": "a"}}}, "then": {"required": ["x"]}}
    assert problems(conditional, {"m": "{{ y }}"}) == []
    assert [problem.field for problem in problems(conditional, {"m": "a"})] == ["parameters.x"]


@pytest.mark.parametrize(
    ("schema", "field", "words"),
    [
        ({"type": "strin"}, "parameters_schema.type", '"strin" keeps none of 2 alternatives'),
        ({"type": "array"}, "parameters_schema.type", "Parameters are an object"),
        ({"properties": {"a": {"minimum": "x"}}}, "parameters_schema.properties.a.minimum", '"x" is not of the type'),
        ({"properties": {"a": {"pattern": "("}}}, "parameters_schema.properties.a.pattern", "no regular expression"),
        ({"patternProperties": {"(": {}}}, "parameters_schema.patternProperties.(", "no regular expression"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "parameters_schema.$schema", "draft 2020-12"),
        ({"$id": "http://example.com/a"}, "parameters_schema.$id", "Leave it out."),
        ({"$ref": "http://127.0.0.1:9/a"}, "parameters_schema.$ref", "leads out of the schema, and nothing is fetched"),
        ({"$ref": "other.json"}, "parameters_schema.$ref", "leads out of the schema"),
        ({"items": {"$dynamicRef": "file:///etc/passwd"}}, "parameters_schema.items.$dynamicRef", "leads out"),
        ({"allOf": [{"$ref": "#/$defs/x"}]}, "parameters_schema.allOf.0.$ref", "leads to no schema"),
        ({"description": "x" * 70_000}, "parameters_schema", "at most 65536 are allowed"),
        (
            {"patternProperties": {"a": {}}, "unevaluatedProperties": False},
            "parameters_schema.unevaluatedProperties",
            "does not go together with patternProperties",
        ),
    ],
)
def test_schema_problems_names_what_is_wrong(schema: dict[str, Any], field: str, words: str) -> None:
    """A schema that cannot be used is refused with the place in it and the reason."""
    (problem,) = schema_problems(schema)

    assert problem.field == field
    assert words in problem.message


@pytest.mark.parametrize(
    "schema",
    [
        {},
        SCHEMA,
        {"properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}}},
        {"properties": {"a": {"$ref": "#/$defs/a~1b%20c"}}, "$defs": {"a/b c": {}}},
        {"properties": {"a": {"$ref": "#here"}}, "$defs": {"x": {"$anchor": "here"}}},
        {"properties": {"a": {"default": {"$ref": "http://x"}, "enum": [{"$ref": "y"}]}}},
    ],
)
def test_schema_problems_accepts_what_can_be_used(schema: dict[str, Any]) -> None:
    """Names of parameters and values are no keywords."""
    assert schema_problems(schema) == []


def test_schema_problems_never_opens_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a schema names, nothing is fetched, not even by a validation without the check before."""

    def connect(*arguments: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", connect)
    schema = {"$ref": "http://127.0.0.1:9/schema.json"}

    assert schema_problems(schema)
    (problem,) = parameter_problems(schema, {})
    assert "127.0.0.1" in problem.message


def _doubling(levels: int, last: dict[str, Any]) -> dict[str, Any]:
    definitions: dict[str, Any] = {"d0": last}
    for level in range(1, levels):
        definitions[f"d{level}"] = {"allOf": [{"$ref": f"#/$defs/d{level - 1}"}] * 2}
    return {"$defs": definitions, "properties": {"a": {"$ref": f"#/$defs/d{levels - 1}"}}}


@pytest.mark.parametrize(
    ("schema", "parameters", "words"),
    [
        (_doubling(60, {"type": "string"}), {"a": "x"}, "takes more than 0.5 s to judge"),
        ({"properties": {"a": {"pattern": "^(a|a)*$"}}}, {"a": "a" * 80 + "b"}, "takes too long to match"),
        (
            {"patternProperties": {"^(a|a)*$": {}}, "additionalProperties": False},
            {"a" * 80 + "b": 1},
            "takes too long to match",
        ),
        (
            {"properties": {"a": {"anyOf": [{"type": "string"}] * 3000}}},
            {"a": ["x" * 1000] * 1000},
            "too large a value",
        ),
        ({"properties": {"a": {"unevaluatedItems": False}}}, {"a": [1] * 200_000}, "at most 1000 elements"),
        ({"$ref": "#"}, {}, "refers to itself without end"),
    ],
)
def test_parameter_problems_ends_soon(schema: dict[str, Any], parameters: dict[str, Any], words: str) -> None:
    """No schema and no value hold up the server: what is too much is refused with the reason."""
    (problem,) = problems(schema, parameters)

    assert problem.field == "parameters"
    assert words in problem.message


def test_parameter_problems_compares_many_elements_quickly() -> None:
    """Elements that cannot be sorted are still compared without trying every pair."""
    many = [{"id": number} for number in range(20_000)]

    assert problems({"properties": {"a": {"uniqueItems": True}}}, {"a": many}) == []
    assert len(problems({"properties": {"a": {"uniqueItems": True}}}, {"a": [*many, many[0]]})) == 1


def test_parameter_problems_counts_the_processor_time_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is looked at by each keyword."""
    monkeypatch.setattr(schema_validator, "SECONDS_MAX", -1.0)

    (problem,) = parameter_problems({"type": "object"}, {})
    assert "takes more than -1 s" in problem.message


DRAFT = "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    ("schema", "field", "message"),
    [
        ({"properties": {"a": {"$schema": DRAFT}}}, "properties.a.$schema", "$schema stands at the root"),
        ({"properties": {"a": {"$ref": "#/"}}}, "properties.a.$ref", "'#/' leads to no schema."),
        ({"properties": {"a": {"$ref": "#/$defs/x/"}}, "$defs": {"x": {}}}, "properties.a.$ref", "'#/$defs/x/' leads"),
        (
            {"properties": {"a": {"pattern": "((((a{1000}){1000}){1000}){1000})"}}},
            "properties.a.pattern",
            "'((((a{1000}){1000}){1000}){1000})' has more than 1000 elements",
        ),
        ({"properties": {"a": {"pattern": "x{1001}"}}}, "properties.a.pattern", "'x{1001}' has more than"),
        ({"patternProperties": {"(?:ab){501}": {}}}, "patternProperties.(?:ab){501}", "'(?:ab){501}' has more than"),
        ({"properties": {"a": {"pattern": "a|" * 501}}}, "properties.a.pattern", "The pattern has 1002 characters"),
    ],
)
def test_schema_problems_refuses_what_would_escape_the_limits(schema: dict[str, Any], field: str, message: str) -> None:
    """Schemas that choose another validator, lead nowhere, or are larger than they look are told with their place."""
    (problem,) = schema_problems(schema)

    assert problem.field == f"parameters_schema.{field}"
    assert problem.message.startswith(message)


@pytest.mark.parametrize(
    "pattern", ["^[a-z]{1,4000}$", "(?:ab){500}", "(a)(?(1)b|c)", r"^\d{4}-\d{2}$", "(?:(?:x?){0,1000}){0,1000}"]
)
def test_schema_problems_accepts_patterns_that_are_small(pattern: str) -> None:
    """What may be repeated often is not written out, so it is no matter."""
    assert schema_problems({"properties": {"a": {"pattern": pattern}}}) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": DRAFT, "properties": {"a": {"pattern": "(a|aa)+$"}, "b": {"$ref": "#"}}},
        {"properties": {"b": {"$schema": DRAFT, "properties": {"a": {"pattern": "(a|aa)+$"}}}}},
    ],
)
def test_parameter_problems_keeps_its_limits_whatever_schema_is_named(
    schema: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No $schema, wherever it is reached, lets the library judge by itself."""
    asked: list[tuple[str, str]] = []

    def seen(pattern: str, text: str) -> bool:
        asked.append((pattern, text))
        return False

    monkeypatch.setattr(schema_validator, "matches", seen)

    assert parameter_problems(schema, {"b": {"a": "x"}})
    assert asked == [("(a|aa)+$", "x")]


@pytest.mark.parametrize(
    ("schema", "parameters"),
    [
        ({"properties": {"a": {"multipleOf": 0.1}}}, {"a": 10**400}),
        ({"properties": {"a": {"type": "string"}}}, {"a": 10**5000}),
    ],
)
def test_parameter_problems_tells_of_numbers_that_are_too_large(
    schema: dict[str, Any], parameters: dict[str, Any]
) -> None:
    """A number that cannot be divided or written is a problem and no failure."""
    (problem,) = problems(schema, parameters)

    assert problem.field == "parameters"
    assert "too large" in problem.message


def test_schema_problems_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema that cannot be judged in time is refused."""
    monkeypatch.setattr(parameter_schema, "SCHEMA_SECONDS_MAX", 0.0)

    (problem,) = schema_problems({"properties": {"a": {"pattern": "a"}}})

    assert problem == Problem(
        "parameters_schema", "The schema cannot be judged. It takes more than 0 s to judge. Use a simpler schema."
    )


def test_schema_problems_looks_at_long_lists_once() -> None:
    """That the names of a list are unique is found without comparing each with each."""
    names = [f"{number:x}" for number in range(9000)]

    found = schema_problems({"required": [*names, 1]})

    assert found == [Problem("parameters_schema.required.9000", "1 is not of the type string.")]
