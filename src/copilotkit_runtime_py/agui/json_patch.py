"""JSON Patch (RFC 6902), applied in place and within bounds.

A patch applies where AG-UI's clients apply it (`fast-json-patch`), so that a state is the same here and on
the page. What RFC 6902 forbids and leaves a client with a broken state is refused: to move a value into
itself, an index beyond 32 bits, and a `from` that is not a JSON Pointer.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from ..logs.records import get_logger
from .events import decode, encode

logger = get_logger(__name__)

Operation: TypeAlias = dict[str, Any]

MAX_STATE_BYTES: Final = 16 * 1024 * 1024
"""The largest value that patches may make, as JSON."""

MAX_OPERATIONS: Final = 10_000
"""The most operations of one patch. To change more, send the whole value."""

# What the patches of a run may copy or measure, as bytes of JSON, and how many list elements they may shift.
_MAX_COPIED_BYTES: Final = 32 * 1024 * 1024
_MAX_SHIFTED: Final = 200_000_000
# What one patch may copy: copying what was copied doubles it every time.
_MAX_COPIED_BY_PATCH: Final = 1024 * 1024
# How long a path may be, and how deep a value at its end. The encoder takes 254 levels.
_MAX_DEPTH: Final = 100
_MAX_INDEX: Final = 2**31 - 1

# How to take a change back: a container, a key or an index, and what was there; None for the container stands
# for the whole value.
_Undo: TypeAlias = tuple[Any, Any, Any]
_ABSENT: Final = object()
_INSERTED: Final = object()


class PatchError(Exception):
    """A patch does not apply, or goes beyond a bound."""


class PatchBudget:
    """What the patches of one run may still cost beyond their own length."""

    __slots__ = ("bytes", "shifted", "warned")

    def __init__(self) -> None:
        self.warned = False
        self.bytes = _MAX_COPIED_BYTES
        self.shifted = _MAX_SHIFTED


class Patched:
    """A JSON value that patches change in place.

    What a patch costs depends on what it changes, and not on the size of the value.

    Args:
        value: the value, which stays as it is: before the first patch, it is copied.
        budget: what the patches may cost, if others share it.

    Attributes:
        value: the value as it is now. It must not be changed from outside, and changes with the next patch.
    """

    __slots__ = ("_budget", "_copied", "_is_own", "_size", "_undo", "value")

    def __init__(self, value: Any, budget: PatchBudget | None = None) -> None:
        self._budget = budget or PatchBudget()
        self.replace(value)

    def replace(self, value: Any) -> None:
        """Puts another value in the place of this one."""
        self.value = value
        # None: it is too deep to be patched.
        self._is_own: bool | None = False
        self._size = 0

    def apply(self, patch: list[Operation]) -> bool:
        """Applies a patch as a whole or not at all, and returns whether it applied."""
        applied = self._make_own() and self._apply_all(patch)
        if not applied and not self._budget.warned:
            self._budget.warned = True  # once for a run: an agent may send thousands
            logger.warning("skipped a patch that does not apply, or makes too much of the state")
        return applied

    def _make_own(self) -> bool:
        if self._is_own is False:
            try:
                self.value, self._size = self._copy_of(self.value)
                self._is_own = True
            except (PatchError, RecursionError):
                self._is_own = None
        return self._is_own is True

    def _apply_all(self, patch: list[Operation]) -> bool:
        self._undo: list[_Undo] = []
        self._copied = 0
        size = self._size
        try:
            for operation in patch:
                self._apply(operation)
            if self._size > MAX_STATE_BYTES:
                self._measure()
        except (PatchError, RecursionError):
            self._roll_back()
            self._size = size
            return False
        return True

    def _apply(self, operation: Operation) -> None:
        op, path = operation.get("op"), _tokens(operation.get("path"))
        if op == "add":
            self._add(path, self._value_of(operation), clamp=False)
        elif op == "remove":
            self._take(path)
        elif op == "replace":
            self._replace(path, self._value_of(operation))
        elif op == "test":
            if "value" not in operation or not _equal(_resolve(self.value, path), operation["value"]):
                raise PatchError
        elif op in ("move", "copy"):
            self._transfer(op, _tokens(operation.get("from")), path)
        else:
            raise PatchError

    def _transfer(self, op: str, source: list[str], path: list[str]) -> None:
        value = _resolve(self.value, source)
        if path:
            _container(self.value, path)
        if op == "copy":
            value = self._copied_within_bounds(value)
        else:
            if path[: len(source)] == source and len(path) > len(source):
                raise PatchError
            if len(path) > len(source):
                # It must not become too deep.
                _check_depth(value, self._encode(value))
            self._take(source)
        self._add(path, value, clamp=True)

    def _value_of(self, operation: Operation) -> Any:
        if "value" not in operation:
            raise PatchError
        value = operation["value"]
        value, size = self._copy_of(value)
        self._size += size
        return value

    def _add(self, path: list[str], value: Any, *, clamp: bool) -> None:
        if not path:
            self._set_root(value)
            return
        container, token = _container(self.value, path), path[-1]
        if isinstance(container, dict):
            self._undo.append((container, token, container.get(token, _ABSENT)))
            self._size += len(token) + 4
            container[token] = value
            return
        length = len(container)
        index = length if token == "-" else _number(token)
        if index > length:
            if not clamp:
                raise PatchError
            index = length
        self._shift(length - index)
        self._undo.append((container, index, _INSERTED))
        container.insert(index, value)

    def _replace(self, path: list[str], value: Any) -> None:
        if not path:
            self._set_root(value)
            return
        container = _container(self.value, path)
        key = _existing(container, path[-1])
        self._undo.append((container, key, container[key]))
        container[key] = value

    def _take(self, path: list[str]) -> None:
        if not path:
            self._set_root(None)
            return
        container = _container(self.value, path)
        key = _existing(container, path[-1])
        if isinstance(container, list):
            self._shift(len(container) - key)
            self._undo.append((container, (key,), container.pop(key)))
        else:
            self._undo.append((container, key, container.pop(key)))

    def _set_root(self, value: Any) -> None:
        self._undo.append((None, None, self.value))
        self.value = value

    def _roll_back(self) -> None:
        while self._undo:
            container, key, value = self._undo.pop()
            if container is None:
                self.value = value
            elif value is _INSERTED or value is _ABSENT:
                del container[key]
            elif isinstance(key, tuple):
                container.insert(*key, value)
            else:
                container[key] = value

    def _copy_of(self, value: Any) -> tuple[Any, int]:
        """Returns a private copy of a value, and its size as JSON."""
        if not isinstance(value, dict | list):
            return value, len(value) if isinstance(value, str) else 8
        data = encode(value)
        _check_depth(value, data)
        return decode(data), len(data)

    def _copied_within_bounds(self, value: Any) -> Any:
        """Returns a copy of a part of the value, which grows by it."""
        if not isinstance(value, dict | list | str):
            return value
        data = self._encode(value)
        self._copied += len(data)
        self._size += len(data)
        if self._copied > _MAX_COPIED_BY_PATCH:
            raise PatchError
        _check_depth(value, data)
        return decode(data)

    def _encode(self, value: Any) -> bytes:
        if self._budget.bytes <= 0:
            raise PatchError
        data = encode(value)
        self._budget.bytes -= len(data)
        return data

    def _shift(self, count: int) -> None:
        if count > self._budget.shifted:
            raise PatchError
        self._budget.shifted -= count

    def _measure(self) -> None:
        """Finds out how large the value is. Until then, what was removed from it is not subtracted."""
        self._size = len(self._encode(self.value))
        if self._size > MAX_STATE_BYTES:
            raise PatchError


def _check_depth(value: Any, data: bytes) -> None:
    """Refuses a value, of which `data` is the JSON, that is too deep."""
    if data.count(b"[") + data.count(b"{") > _MAX_DEPTH and _depth(value) > _MAX_DEPTH:
        raise PatchError


def _tokens(pointer: Any) -> list[str]:
    """Returns the parts of a JSON Pointer (RFC 6901)."""
    if pointer == "":
        return []
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise PatchError
    tokens = pointer[1:].split("/")
    if len(tokens) > _MAX_DEPTH:
        raise PatchError
    if "~" in pointer:
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in tokens]
    for place, token in enumerate(tokens):
        # A client refuses to touch an object's prototype.
        if token == "__proto__" or (token == "prototype" and place and tokens[place - 1] == "constructor"):
            raise PatchError
    return tokens


def _resolve(value: Any, path: list[str]) -> Any:
    for token in path:
        value = value[_existing(value, token)]
    return value


def _container(value: Any, path: list[str]) -> Any:
    """Returns the object or the list in which a path ends."""
    container = _resolve(value, path[:-1])
    if not isinstance(container, dict | list):
        raise PatchError
    if isinstance(container, list) and path[-1] != "-":
        _number(path[-1])
    return container


def _existing(container: Any, token: str) -> Any:
    """Returns the key or the index of a member that is there."""
    if isinstance(container, dict):
        if token in container:
            return token
    elif isinstance(container, list):
        index = _number(token)
        if index < len(container) and str(index) == token:
            return index
    raise PatchError


def _number(token: str) -> int:
    """Returns an index. Clients take an empty one for 0, and accept leading zeros where a value is added."""
    if not token:
        return 0
    if not (token.isascii() and token.isdigit() and len(token) < 20) or int(token) > _MAX_INDEX:
        raise PatchError
    return int(token)


def _equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are the same; `True` is not a number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _depth(value: Any) -> int:
    """Returns how deep a value is, up to one level too many."""
    level, depth = [value], 0
    while level and depth <= _MAX_DEPTH:
        depth += 1
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
    return depth
