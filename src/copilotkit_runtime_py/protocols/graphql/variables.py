"""Coercion of variables, with the error texts of graphql-js 16."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    VariableDefinitionNode,
    is_required_input_field,
    type_from_ast,
)
from graphql.execution import VariableValues, get_variable_values
from graphql.pyutils import did_you_mean, suggestion_list

_MAX_ERRORS = 50
_MAX_INSPECTED_DEPTH = 2
_MAX_INSPECTED_ITEMS = 10
# Beyond what graphql-js bounds: no error repeats a whole request.
_MAX_INSPECTED_FIELDS = 20
_MAX_INSPECTED_CHARACTERS = 1_000

Path = tuple[str | int, ...]


def coerce_variables(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    inputs: Mapping[str, Any],
    *,
    suggestions: bool = True,
) -> VariableValues | list[GraphQLError]:
    """Coerces the variables of an operation; returns what is wrong with them instead, if something is.

    Args:
        schema: the schema.
        operation: the operation.
        inputs: the variables as the client sent them.
        suggestions: errors may say what else the client may have meant.
    """
    definitions = operation.variable_definitions or ()
    values = get_variable_values(
        schema, definitions, dict(inputs), max_errors=_MAX_ERRORS, hide_suggestions=True
    )
    if isinstance(values, VariableValues):
        return values
    explained = (
        error for definition in definitions for error in _explain(schema, definition, inputs, suggestions)
    )
    errors = list(islice(explained, _MAX_ERRORS + 1))
    if len(errors) > _MAX_ERRORS:
        text = "Too many errors processing variables, error limit reached. Execution aborted."
        errors = [*errors[:_MAX_ERRORS], GraphQLError(text)]
    return errors or values


def _explain(
    schema: GraphQLSchema, definition: VariableDefinitionNode, inputs: Mapping[str, Any], suggestions: bool
) -> Iterator[GraphQLError]:
    name = definition.variable.name.value
    type_: Any = type_from_ast(schema, definition.type)
    if name not in inputs:
        if isinstance(type_, GraphQLNonNull) and definition.default_value is None:
            yield GraphQLError(f'Variable "${name}" of required type "{type_}" was not provided.', definition)
        return
    value = inputs[name]
    if value is None and isinstance(type_, GraphQLNonNull):
        yield GraphQLError(f'Variable "${name}" of non-null type "{type_}" must not be null.', definition)
        return
    for path, invalid, reason in _problems(value, type_, (), suggestions):
        place = f' at "{name}{_print_path(path)}"' if path else ""
        text = f'Variable "${name}" got invalid value {_shown(_inspect(invalid))}{place}; {_shown(reason)}'
        yield GraphQLError(text, definition)


def _problems(
    value: Any, type_: GraphQLInputType, path: Path, suggestions: bool
) -> Iterator[tuple[Path, Any, str]]:
    """What is wrong with a value: where, the value there, and why."""
    if isinstance(type_, GraphQLNonNull):
        if value is None:
            yield path, value, f'Expected non-nullable type "{type_}" not to be null.'
            return
        type_ = type_.of_type
    if value is None:
        return
    if isinstance(type_, GraphQLList):
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from _problems(item, type_.of_type, (*path, index), suggestions)
        else:
            yield from _problems(value, type_.of_type, path, suggestions)
    elif isinstance(type_, GraphQLInputObjectType):
        yield from _object_problems(value, type_, path, suggestions)
    else:
        yield from _leaf_problems(value, type_, path, suggestions)


def _object_problems(
    value: Any, type_: GraphQLInputObjectType, path: Path, suggestions: bool
) -> Iterator[tuple[Path, Any, str]]:
    if not isinstance(value, dict):
        yield path, value, f'Expected type "{type_}" to be an object.'
        return
    for name, field in type_.fields.items():
        if name in value:
            yield from _problems(value[name], field.type, (*path, name), suggestions)
        elif is_required_input_field(field):
            yield path, value, f'Field "{name}" of required type "{field.type}" was not provided.'
    for name in value:
        if name not in type_.fields:
            hint = (
                _double_quotes(did_you_mean(suggestion_list(name, list(type_.fields)))) if suggestions else ""
            )
            yield path, value, f'Field "{name}" is not defined by type "{type_}".{hint}'


def _leaf_problems(value: Any, type_: Any, path: Path, suggestions: bool) -> Iterator[tuple[Path, Any, str]]:
    hide = {} if suggestions or not isinstance(type_, GraphQLEnumType) else {"hide_suggestions": True}
    try:
        if type_.coerce_input_value(value, **hide) is Undefined:
            yield path, value, f'Expected type "{type_}".'
    except GraphQLError as error:
        yield path, value, _double_quotes(error.message)
    except Exception as error:
        yield path, value, f'Expected type "{type_}". {error}'


def _double_quotes(text: str) -> str:
    return re.sub(r"'([^']*)'", r'"\1"', text)


def _print_path(path: Path) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_INSPECTED_CHARACTERS else text[:_MAX_INSPECTED_CHARACTERS] + "…"


def _inspect(value: Any, depth: int = 0) -> str:
    """Shows a JSON value as graphql-js does: two levels of it, ten items of a list."""
    if isinstance(value, str):
        return json.dumps(value[: _MAX_INSPECTED_CHARACTERS + 1], ensure_ascii=False)
    if isinstance(value, dict):
        if not value:
            return "{}"
        if depth > _MAX_INSPECTED_DEPTH:
            return "[Object]"
        fields = islice(value.items(), _MAX_INSPECTED_FIELDS)
        return "{ " + ", ".join(f"{key}: {_inspect(item, depth + 1)}" for key, item in fields) + " }"
    if isinstance(value, list):
        if not value:
            return "[]"
        if depth > _MAX_INSPECTED_DEPTH:
            return "[Array]"
        items = [_inspect(item, depth + 1) for item in value[:_MAX_INSPECTED_ITEMS]]
        more = len(value) - _MAX_INSPECTED_ITEMS
        if more > 0:
            items.append("... 1 more item" if more == 1 else f"... {more} more items")
        return "[" + ", ".join(items) + "]"
    return json.dumps(value, ensure_ascii=False)
