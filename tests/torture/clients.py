"""Those who use the workers while these are tortured."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

import httpx

from .model import ThreadTruth, Truth, View, ViolationError

_BASE: Final = "/api/copilotkit"
# What refuses a run, or ends a reader's stream though the run goes on.
_RETRIED: Final = {"SHUTTING_DOWN", "STORE_UNAVAILABLE", "INTERNAL_ERROR"}
# A request to a worker that was held, and then killed, may have an effect so much later, in seconds.
_LATE: Final = 10.0
_BOMBS: Final[tuple[Callable[[], bytes], ...]] = (
    lambda: b'{"threadId":"b","state":[' + b",".join([b"[" * 95 + b"]" * 95] * 20_000) + b"]}",
    lambda: b"[" * 1_000_000,
    lambda: b'{"threadId":"' + b"x" * 4_000_000 + b'"}',
    lambda: b'{"threadId":"b","state":[' + b"1," * 1_500_000 + b"1]}",
    lambda: b"\xff\xfe" * 100_000,
)

Frame = tuple[str | None, dict[str, Any]]


class Client:
    """One user, who does one thing after the other.

    Args:
        number: which.
        seed: of the choices.
        workers: the URLs of the workers.
        threads: how many threads all users share.
        truth: what is known.
        http: how to ask.
    """

    def __init__(
        self, number: int, seed: int, workers: list[str], threads: int, truth: Truth, http: httpx.AsyncClient
    ) -> None:
        self._number = number
        self._random = random.Random(f"{seed} client {number}")
        self._workers = workers
        self._threads = threads
        self._truth = truth
        self._http = http
        self._runs = 0
        self.doing = ""

    async def use(self, until: float) -> None:
        """Uses the workers until the time has come."""
        acts = {
            self.run: 10,
            self.watch: 4,
            self.stop: 1,
            self.rename: 1,
            self.delete: 1,
            self.list: 1,
            self.bomb: 0.2,
        }
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            act = self._random.choices(list(acts), list(acts.values()))[0]
            self.doing = act.__name__
            try:
                await act()
                self._truth.counts[act.__name__] += 1
            except httpx.HTTPError:
                await asyncio.sleep(self._random.uniform(0.05, 0.5))

    async def run(self) -> None:
        """Has an agent count, and reads that to its end."""
        thread = self._thread()
        self._runs += 1
        run_id = f"c{self._number}-{self._runs}"
        flood = self._random.random() < 0.1
        count = self._random.randrange(2000, 8000) if flood else self._random.randrange(1, 400)
        pause = 0 if flood else self._random.choice((0.001, 0.003, 0.01))
        self._truth.begin(thread.id, run_id, count)
        body = {
            **_body(thread.id, run_id),
            "state": {"count": count, "pause": pause},
            "messages": [{"id": f"{run_id}-u", "role": "user", "content": "count"}],
        }
        await self.follow(View(self._truth, thread), "run", body)

    async def watch(self) -> None:
        """Reads a thread to its end."""
        thread = self._thread()
        await self.follow(View(self._truth, thread), "connect", _body(thread.id, "w"))

    async def follow(self, view: View, verb: str, body: dict[str, Any]) -> None:
        """Reads until there is nothing more, over as many connections as it takes.

        Args:
            view: what was seen so far.
            verb: how to begin: `run` or `connect`.
            body: the request.
        """
        try:
            await self._follow(view, verb, body)
        except ViolationError as error:
            # What was seen is of a thread that is gone, and there may be another one of its name.
            if not view.is_of_deleted:
                raise ViolationError(f"{error} ({self!r})") from error
            self._truth.counts["views of deleted threads"] += 1

    async def _follow(self, view: View, verb: str, body: dict[str, Any]) -> None:
        slow = self._random.random() < 0.1
        for attempt in range(1000):
            try:
                if await self._read(view, verb, body, leaves=attempt < 3, slow=slow):
                    return
            except httpx.HTTPError:
                self._truth.counts["connections lost"] += 1
                await asyncio.sleep(self._random.uniform(0.05, 0.5))
            if verb == "run" and not len(view):
                # Nobody knows whether the run has begun. If so, the final look sees it.
                return
            verb, body = "connect", _body(view.thread.id, "w")
            if len(view) and self._random.random() < 0.5:
                view.rewind(self._random.randrange(1, len(view) + 1))
        raise ViolationError(f"{view.thread.id} cannot be read to its end")

    async def _read(self, view: View, verb: str, body: dict[str, Any], *, leaves: bool, slow: bool) -> bool:
        """Reads one answer. Returns whether there is nothing more to come."""
        headers = {"accept": "text/event-stream"}
        if view.last_id is not None:
            headers["last-event-id"] = view.last_id
            self._truth.counts["resumptions"] += 1
        leave_after = self._random.randrange(1, 300) if leaves and self._random.random() < 0.3 else None
        path = f"{self._worker()}{_BASE}/agent/counter/{verb}"
        self.doing = f"{verb} {view.thread.id} after {view.last_id} at {path}, {view.open} is open"
        over = False
        async with self._http.stream("POST", path, json=body, headers=headers) as response:
            self.doing += f", answered with {response.status_code}"
            if response.status_code >= 500:
                await asyncio.sleep(0.2)
                return False
            if response.status_code != 200:
                raise ViolationError(f"{verb} was answered with {response.status_code}")
            number = 0
            async for id, event in _frames(response):
                number += 1
                self.doing = f"{verb} {view.thread.id} at {path}, event {number}: {id} {str(event)[:100]}"
                if over and verb == "run":
                    raise ViolationError(f"{event} after the end of a run on {view.thread.id}")
                if event["type"] == "RUN_ERROR" and id is None:
                    return event.get("code") not in _RETRIED or (verb == "run" and not len(view))
                view.add(id, event)
                over = view.open is None and bool(view.ended)
                if over and event["type"] == "RUN_ERROR" and event.get("code") in _RETRIED:
                    return False
                if leave_after is not None and number >= leave_after:
                    return False
                # Some dozen naps, so that a reader of a long run comes to its end.
                if slow and number < 1000 and self._random.random() < 0.02:
                    await asyncio.sleep(self._random.uniform(0.1, 2.0))
        if view.open is not None:
            raise ViolationError(f"a stream of {view.thread.id} ended in the middle of {view.open}")
        return True

    async def stop(self) -> None:
        """Stops what goes on on a thread."""
        thread = self._thread()
        self._truth.stop(thread)
        thread.ending += 1
        try:
            await self._http.post(f"{self._worker()}{_BASE}/agent/counter/stop/{thread.id}")
        except httpx.HTTPError:
            await asyncio.sleep(_LATE)
            raise
        finally:
            thread.ending -= 1

    async def rename(self) -> None:
        """Renames a thread."""
        thread, name = self._thread(), f"name {self._random.randrange(1000)}"
        confirmed, asked = thread.names
        thread.names = None if asked is None else confirmed, name
        answer = await self._http.patch(
            f"{self._worker()}{_BASE}/threads/{thread.id}", json={"agentId": "counter", "name": name}
        )
        if answer.status_code == 200 and thread.names[1] == name:
            thread.names = name, name

    async def delete(self) -> None:
        """Deletes a thread."""
        thread = self._thread()
        if self._random.random() < 0.7:
            return
        self._truth.stop(thread)
        thread.deletions += 1
        thread.ending += 1
        runs, thread.runs = thread.runs, {}
        begun = {run.id for run in runs.values() if run.begun}
        for run in runs.values():
            run.excused = run.may_be_cut = True
        try:
            answer = await self._http.request(
                "DELETE", f"{self._worker()}{_BASE}/threads/{thread.id}", json={"agentId": "counter"}
            )
        except httpx.HTTPError:
            await asyncio.sleep(_LATE)
            raise
        finally:
            thread.deletions += 1
            thread.ending -= 1
        if answer.status_code == 200:
            thread.gone |= begun

    async def list(self) -> None:
        """Lists the threads."""
        answer = await self._http.get(f"{self._worker()}{_BASE}/threads?agentId=counter")
        if answer.status_code == 200:
            ids = [row["id"] for row in answer.json()["threads"]]
            if len(ids) != len(set(ids)):
                raise ViolationError(f"a thread is listed twice: {ids}")

    def __repr__(self) -> str:
        """Returns what the user does."""
        return f"client {self._number}: {self.doing}"

    async def bomb(self) -> None:
        """Sends what takes long to understand."""
        content = self._random.choice(_BOMBS)()
        answer = await self._http.post(
            f"{self._worker()}{_BASE}/agent/counter/{self._random.choice(('run', 'connect'))}",
            content=content,
            headers={"content-type": "application/json"},
        )
        if answer.status_code >= 500:
            raise ViolationError(f"a bomb was answered with {answer.status_code}")

    def _thread(self) -> ThreadTruth:
        return self._truth.thread(f"t{self._random.randrange(self._threads)}")

    def _worker(self) -> str:
        return self._random.choice(self._workers)


async def read_all(http: httpx.AsyncClient, url: str, truth: Truth, thread: ThreadTruth) -> View:
    """Returns what a worker shows of a thread when all is calm."""
    view = View(truth, thread)
    path = f"{url}{_BASE}/agent/counter/connect"
    async with http.stream("POST", path, json=_body(thread.id, "f")) as response:
        async for id, event in _frames(response):
            view.add(id, event)
    return view


async def run_once(http: httpx.AsyncClient, url: str, truth: Truth, thread: ThreadTruth) -> bool:
    """Has an agent count to three on a thread. Returns whether it did."""
    run_id = f"last-{thread.id}-{truth.counts['last runs']}"
    truth.counts["last runs"] += 1
    truth.begin(thread.id, run_id, 3)
    body = {**_body(thread.id, run_id), "state": {"count": 3, "pause": 0}}
    body["messages"] = [{"id": f"{run_id}-u", "role": "user", "content": "count"}]
    view = View(truth, thread)
    with suppress(httpx.HTTPError):
        async with http.stream("POST", f"{url}{_BASE}/agent/counter/run", json=body) as response:
            async for id, event in _frames(response):
                if event["type"] == "RUN_ERROR" and id is None:
                    return False
                view.add(id, event)
    return view.ended.get(run_id) == "RUN_FINISHED"


async def census(http: httpx.AsyncClient, url: str, number: int) -> dict[str, Any]:
    """Returns what a worker holds."""
    body = _body(f"census-{url.rpartition(':')[2]}", f"census-{number}")
    body["messages"] = [{"id": f"u{number}", "role": "user", "content": "count"}]
    async with http.stream("POST", f"{url}{_BASE}/agent/census/run", json=body) as response:
        async for _, event in _frames(response):
            if event["type"] == "CUSTOM" and event["name"] == "census":
                held: dict[str, Any] = event["value"]
                return held
    raise ViolationError("no census")


def _body(thread_id: str, run_id: str) -> dict[str, Any]:
    body = {"threadId": thread_id, "runId": run_id, "state": {}, "messages": [], "tools": []}
    return {**body, "context": [], "forwardedProps": {}}


async def _frames(response: httpx.Response) -> AsyncIterator[Frame]:
    id: str | None = None
    async for line in response.aiter_lines():
        if line.startswith("id: "):
            id = line[4:]
        elif line.startswith("data: "):
            yield id, json.loads(line[6:])
            id = None
