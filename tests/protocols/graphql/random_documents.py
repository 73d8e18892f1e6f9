"""Random documents over the schema: aliases, fragments, `@defer`, `@stream`, `@skip` and `@include`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from graphql import (
    GraphQLCompositeType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLUnionType,
    get_named_type,
    is_composite_type,
)
from hypothesis import strategies as st

from copilotkit_runtime_py.protocols.graphql.schema import SCHEMA

VARIABLES = {"yes": True, "no": False, "two": 2}
VARIABLE_TYPES = {"yes": "Boolean!", "no": "Boolean!", "two": "Int!"}


@dataclass
class DocumentBuilder:
    """Draws one document. A field with `@stream` gets an alias of its own, since such fields cannot merge."""

    draw: st.DrawFn
    incremental: bool
    fragments: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    def pick(self, *choices: str) -> str:
        return self.draw(st.sampled_from(choices))

    def chance(self) -> bool:
        return self.draw(st.booleans())

    def document(self) -> str:
        body = self.selection_set(SCHEMA.type_map["CopilotResponse"], 0)
        texts = [f"generateCopilotResponse(data: $data) {body} }}", *self.fragments.values()]
        used = "".join(f", ${name}: {VARIABLE_TYPES[name]}" for name in VARIABLES if f"${name}" in str(texts))
        return f"mutation run($data: GenerateCopilotResponseInput!{used}) {{ " + "\n".join(texts)

    def selection_set(self, type_: object, depth: int) -> str:
        assert is_composite_type(type_)
        selections = [self.selection(type_, depth) for _ in range(self.draw(st.integers(1, 4)))]
        return "{ " + " ".join(selections) + " }"

    def selection(self, type_: GraphQLCompositeType, depth: int) -> str:
        kinds = ["field", "field", "field"]
        if depth < 5:
            kinds += ["inline", "spread"]
        kind = self.pick(*kinds)
        if kind == "field":
            return self.field(type_, depth)
        condition = self.condition(type_)
        defer = self.defer() + self.conditional()
        if kind == "inline":
            on = f"on {condition.name} " if condition is not type_ or self.chance() else ""
            return f"... {on}{defer} {self.selection_set(condition, depth + 1)}"
        known = [name for name in self.fragments if name.startswith(f"{condition.name}_")]
        if known and self.chance():
            return f"...{self.pick(*known)} {defer}"
        body = self.selection_set(condition, depth + 1)
        name = f"{condition.name}_{len(self.fragments)}"
        self.fragments[name] = f"fragment {name} on {condition.name} {body}"
        return f"...{name} {defer}"

    def condition(self, type_: GraphQLCompositeType) -> GraphQLCompositeType:
        if isinstance(type_, GraphQLObjectType):
            return type_
        possible = SCHEMA.get_possible_types(type_)
        name = self.pick(type_.name, *(t.name for t in possible))
        found = SCHEMA.type_map[name]
        assert isinstance(found, (GraphQLObjectType, GraphQLInterfaceType, GraphQLUnionType))
        return found

    def field(self, type_: GraphQLCompositeType, depth: int) -> str:
        names = ["__typename"]
        if not isinstance(type_, GraphQLUnionType):
            names = [name for name in type_.fields if depth < 6 or not _is_deep(type_.fields[name].type)]
            names = names + [name for name in names if name in ("messages", "status", "content")]
        name = self.pick("__typename", *names, *names)
        alias = self.pick("", "", f"{name.strip('_')}_b: ")
        if name == "__typename":
            return alias + name
        assert not isinstance(type_, GraphQLUnionType)
        field_type = type_.fields[name].type
        named = get_named_type(field_type)
        stream = self.stream() if _is_list(field_type) else ""
        if stream:
            alias = f"{name}_{next(self.numbers)}: "
        body = self.selection_set(named, depth + 1) if is_composite_type(named) else ""
        return f"{alias}{name} {stream} {self.conditional()} {body}"

    def conditional(self) -> str:
        return self.pick("", "", "", "", "@include(if: $yes)", "@skip(if: $no)", "@skip(if: $yes)")

    def defer(self) -> str:
        choice = self.pick("", "plain", "label", "yes", "no") if self.incremental else ""
        if choice == "label":
            return f'@defer(label: "L{next(self.numbers)}")'
        arguments = {"plain": "", "yes": "(if: $yes)", "no": "(if: $no)"}
        return f"@defer{arguments[choice]}" if choice else ""

    def stream(self) -> str:
        if not self.incremental:
            return ""
        counts = ("@stream", "@stream(initialCount: 1)", "@stream(initialCount: $two)")
        return self.pick("", *counts, "@stream(if: $no)", "@stream(if: $yes)")


def _is_list(type_: GraphQLOutputType) -> bool:
    return isinstance(type_.of_type if isinstance(type_, GraphQLNonNull) else type_, GraphQLList)


def _is_deep(type_: GraphQLOutputType) -> bool:
    return is_composite_type(get_named_type(type_))


@st.composite
def documents(draw: st.DrawFn, *, incremental: bool = True) -> str:
    """A document with one mutation, `run`, whose variables are `data` and some of those in `VARIABLES`."""
    return DocumentBuilder(draw, incremental).document()
