"""How much a surface may have a page draw.

A few components can stand for millions: each may be the child of several others, and a template repeats its
child for each item of a list. Validation finds nothing wrong with that, and a browser would never be done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

MAX_CHARACTERS: Final = 512 * 1024
"""The longest arguments of a render call: a surface is validated and sent again each time it grows."""
MAX_COMPONENTS: Final = 1_000
MAX_REFERENCES: Final = 10_000
"""The most children that components name, those that are missing included: each is an error of its own."""
MAX_SURFACES: Final = 50
"""The most surfaces that one result of a tool draws."""
MAX_DEPTH: Final = 100
"""How deep components and data may be nested."""
MAX_DRAWN: Final = 20_000
"""The most components that a page draws of one surface, repeated ones counted each time."""
# The validator describes each circle by its whole length.
_MAX_CIRCLES: Final = 20


def excess(components: Any, data: Any = None) -> str | None:
    """Returns what of a surface exceeds a bound, as a sentence, or None.

    Args:
        components: the components, as a model or a tool wrote them.
        data: the surface's data, as far as it is known.
    """
    if _is_deep(data):
        return f"The data is nested more than {MAX_DEPTH} levels deep."
    if not isinstance(components, list):
        return None
    if len(components) > MAX_COMPONENTS:
        return f"A surface may have {MAX_COMPONENTS} components at most."
    if _is_deep(components):
        return f"A component is nested more than {MAX_DEPTH} levels deep."
    children = _children(components, data)
    if sum(map(len, children.values())) > MAX_REFERENCES or _named_children(components) > MAX_REFERENCES:
        return f"The components of a surface may have {MAX_REFERENCES} children at most."
    return _drawing_excess(children)


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for each in level for child in _parts(each) if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _parts(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def _children(components: Sequence[Any], data: Any) -> dict[str, list[tuple[str, int]]]:
    """Returns the components that each one draws, by their ids, and how often."""
    known = {each["id"]: each for each in components if isinstance(each, dict) and _is_id(each.get("id"))}
    longest = _longest_list(data)
    return {
        id: [
            (child, times)
            for name, value in component.items()
            if name not in ("id", "component")
            for child, times in _references(value, known, data, longest)
        ]
        for id, component in known.items()
    }


def _named_children(components: Sequence[Any]) -> int:
    lists = (each.get("children") for each in components if isinstance(each, dict))
    return sum(len(children) for children in lists if isinstance(children, list))


def _references(value: Any, known: Mapping[str, Any], data: Any, longest: int) -> Iterator[tuple[str, int]]:
    """Yields what may be a reference to a component: a property of any name may hold one, or a list."""
    if isinstance(value, str):
        if value in known:
            yield value, 1
    elif isinstance(value, list):
        for each in value:
            yield from _references(each, known, data, longest)
    elif isinstance(value, dict):
        template, path = value.get("componentId"), value.get("path")
        if isinstance(template, str) and isinstance(path, str):
            if template in known:
                yield template, _repetitions(path, data, longest)
        else:
            for each in value.values():
                yield from _references(each, known, data, longest)


def _repetitions(path: str, data: Any, longest: int) -> int:
    """Returns how often a template is drawn. A relative path leads to any list."""
    if not path.startswith("/"):
        return longest
    value = data
    for segment in filter(None, path.split("/")[: MAX_DEPTH + 2]):
        if isinstance(value, dict):
            value = value.get(segment)
        elif isinstance(value, list) and segment.isdecimal() and len(segment) < 10:
            value = value[int(segment)] if int(segment) < len(value) else None
        else:
            return 1
    return len(value) if isinstance(value, dict | list) else 1


def _longest_list(data: Any) -> int:
    longest, level = 1, [data]
    while level:
        longest = max(longest, *(len(each) for each in level if isinstance(each, list)), 1)
        level = [child for each in level for child in _parts(each) if isinstance(child, dict | list)]
    return longest


def _drawing_excess(children: Mapping[str, list[tuple[str, int]]]) -> str | None:
    """Walks from each component to those that it draws, each one once."""
    size: dict[str, int] = {}
    depth: dict[str, int] = {}
    circles = 0
    for root in children:
        path = [(root, iter(children[root]))] if root not in size else []
        open_ids = {root}
        while path:
            id, left = path[-1]
            for child, _ in left:
                if child in open_ids:
                    circles += 1
                elif child not in size:
                    path.append((child, iter(children[child])))
                    open_ids.add(child)
                    break
            else:
                path.pop()
                open_ids.discard(id)
                drawn = [(child, times) for child, times in children[id] if child in size]
                size[id] = min(1 + sum(times * size[child] for child, times in drawn), MAX_DRAWN + 1)
                depth[id] = 1 + max((depth[child] for child, _ in drawn), default=0)
        if circles > _MAX_CIRCLES:
            return "The components of a surface are children of each other in many circles."
    if max(size.values(), default=0) > MAX_DRAWN:
        return f"The surface would draw more than {MAX_DRAWN} components."
    if max(depth.values(), default=0) > MAX_DEPTH:
        return f"The components are nested more than {MAX_DEPTH} levels deep."
    return None


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value != ""
