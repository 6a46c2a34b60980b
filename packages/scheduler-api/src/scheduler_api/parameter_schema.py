"""JSON Schemas of parameters: whether one can be used, and whether parameters keep it.

It loads the library: import it where a schema is at hand. Nothing here fetches anything or takes long.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import msgspec
from jsonschema.exceptions import ValidationError
from referencing.exceptions import Unresolvable

from scheduler_api.schema_messages import message_of
from scheduler_api.schema_patterns import pattern_problem
from scheduler_api.schema_structure import FIELD, patterns, structure_problems
from scheduler_api.schema_validator import (
    ALWAYS_KNOWN,
    SCHEMA_SECONDS_MAX,
    TooMuchWorkError,
    limited,
    look_at_time,
    schema_validator,
    validator,
)
from scheduler_core.decisions.templating.markers import template_texts
from scheduler_core.errors import Problem

SCHEMA_BYTES_MAX = 65_536
PROBLEMS_MAX = 50

_CONDITIONS = frozenset({"then", "else", "dependentSchemas"})


def schema_problems(schema: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with a JSON Schema of the draft 2020-12 for parameters; empty when it can be used."""
    try:
        size = len(msgspec.json.encode(schema))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return [Problem(FIELD, f"The schema cannot be written as JSON: {error}.")]
    if size > SCHEMA_BYTES_MAX:
        return [
            Problem(
                FIELD, f"The schema takes {size} bytes as JSON; at most {SCHEMA_BYTES_MAX} are allowed. Shorten it."
            )
        ]
    try:
        with limited(SCHEMA_SECONDS_MAX):
            errors = list(islice(schema_validator().iter_errors(schema), PROBLEMS_MAX))
            if errors:
                return [Problem(_field(FIELD, error.absolute_path), message_of(error)) for error in errors]
            found = list(islice(chain(structure_problems(schema), _pattern_problems(schema)), PROBLEMS_MAX))
    except TooMuchWorkError as error:
        return [Problem(FIELD, f"The schema cannot be judged. {error}")]
    except RecursionError:
        return [Problem(FIELD, "The schema is nested too deeply.")]
    return found or _root_problems(schema)


def parameter_problems(schema: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with parameters by a schema that `schema_problems` has accepted.

    What a template will become is not known yet: nothing is said of a value that is one or contains one.
    """
    try:
        with limited():
            errors = (
                error for error in validator(schema).iter_errors(dict(parameters)) if _is_certain(error, parameters)
            )
            found = (Problem(_field("parameters", error.absolute_path), message_of(error)) for error in errors)
            # The same error comes by each way that leads to its keyword.
            return list(dict.fromkeys(islice(found, PROBLEMS_MAX)))
    except TooMuchWorkError as error:
        return [Problem("parameters", f"The parameters cannot be judged by the schema. {error}")]
    except Unresolvable as error:
        return [Problem(FIELD, f"The schema refers to what is not there: {error}. Put it under $defs.")]
    except (ArithmeticError, ValueError):  # a number that the library cannot divide, or write
        return [Problem("parameters", "The parameters, or the schema, have a number that is too large to be judged.")]
    except RecursionError:
        return [Problem("parameters", "The schema refers to itself without end. Correct parameters_schema.")]


def _is_certain(error: ValidationError, parameters: Mapping[str, Any]) -> bool:
    """Whether it is an error whatever the templates become."""
    if _CONDITIONS.intersection(map(str, error.absolute_schema_path)) and _is_open(parameters):
        return False
    if error.validator in ALWAYS_KNOWN:
        return True
    return not _is_open(error.instance)


def _is_open(value: Any) -> bool:
    return next(template_texts(value), None) is not None


def _pattern_problems(schema: Mapping[str, Any]) -> Iterator[Problem]:
    for field, pattern in patterns(schema):
        look_at_time()
        if (problem := pattern_problem(pattern)) is not None:
            yield Problem(field, problem)


def _root_problems(schema: Mapping[str, Any]) -> list[Problem]:
    kinds = schema.get("type", "object")
    if "object" in ([kinds] if isinstance(kinds, str) else kinds):
        return []
    return [Problem(f"{FIELD}.type", f"Parameters are an object, which {kinds!r} excludes. Write object.")]


def _field(root: str, path: Sequence[Any]) -> str:
    return ".".join([root, *map(str, path)])
