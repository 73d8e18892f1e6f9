"""What clients make of incremental payloads, in the old format as urql reads it and in graphql-core's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = Any


def merged(payloads: Iterable[Mapping[str, Any]]) -> Json:
    """Merges payloads of the old format.

    Raises:
        AssertionError: an index is not the next one, or a path leads nowhere.
    """
    root: dict[str, Json] = {}
    for payload in payloads:
        if "data" in payload:
            root["data"] = payload["data"]
        for entry in payload.get("incremental", ()):
            path = ["data", *entry["path"]]
            target: Json = root
            for key in path[:-1]:
                target = target[key]
            last: Json = path[-1]
            if "items" in entry:
                _add_items(target, last, entry["items"] or [])
            else:
                target[last] = _deep_merge(target[last], entry["data"])
    return root["data"]


def _add_items(target: list[Json], index: int, items: list[Json]) -> None:
    for offset, item in enumerate(items):
        position = index + offset
        assert position <= len(target), "an item came before the one that precedes it"
        if position == len(target):
            target.append(item)
        else:
            target[position] = _deep_merge(target[position], item)


def _deep_merge(target: Json, source: Json) -> Json:
    if isinstance(target, dict) and isinstance(source, dict):
        return {**target, **{key: _deep_merge(target.get(key), value) for key, value in source.items()}}
    if isinstance(target, list) and isinstance(source, list):
        common = [_deep_merge(old, new) for old, new in zip(target, source, strict=False)]
        return [*common, *target[len(source) :], *source[len(target) :]]
    return source if source is not None else target


def merged_by_id(payloads: Iterable[Mapping[str, Any]]) -> Json:
    """Merges payloads of the format with `pending`, `id`, `subPath` and `completed`."""
    root: dict[str, Json] = {}
    paths: dict[str, list[str | int]] = {}
    for payload in payloads:
        if "data" in payload:
            root["data"] = payload["data"]
        paths.update({item["id"]: item["path"] for item in payload.get("pending", ())})
        for entry in payload.get("incremental", ()):
            target: Json = root["data"]
            for key in [*paths[entry["id"]], *entry.get("subPath", ())]:
                target = target[key]
            if "items" in entry:
                target.extend(entry["items"])
            else:
                target.update(_deep_merge(target, entry["data"]))
    return root["data"]
