"""`init`: a server with an agent, and a page, that talk to each other."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from .origin import requirement

_SUFFIX = ".in"  # no tool of this project takes a template for a source file of its own
_CLIENTS = ("newest", "1.10")
# Each page has a folder of its own, one for each client, and the port of its development server.
_PAGES = {"vite": ("page", 5173), "next": ("next", 3000)}
_REQUIREMENT = "@requirement@"
_PORT = "@port@"


EXAMPLES = """\b
Examples:
  copilotkit-runtime-py init my-app
  copilotkit-runtime-py init my-app --page next
  copilotkit-runtime-py init my-app --client 1.10
"""


@click.command("init", epilog=EXAMPLES)
@click.argument("directory", default=".", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--client",
    default="newest",
    show_default=True,
    type=click.Choice(_CLIENTS),
    help="The version of CopilotKit in the page.",
)
@click.option(
    "--page",
    default="vite",
    show_default=True,
    type=click.Choice(list(_PAGES)),
    help="The page is a Vite or a Next.js app.",
)
def command(directory: Path, client: str, page: str) -> None:
    """Write a small FastAPI app with a LangGraph agent and a React page into DIRECTORY.

    The agent needs no key. No file that exists is changed.
    """
    folder, port = _PAGES[page]
    values = {_REQUIREMENT: json.dumps(requirement("langgraph")), _PORT: str(port)}
    wanted = {
        directory / path: _filled(text, values)
        for part in ("app", folder, f"{folder}-{client}")
        for path, text in _files(part)
    }
    existing = [str(path) for path in wanted if path.exists()]
    if existing:
        raise click.ClickException(
            f"Nothing is written, because there is already: {', '.join(existing)}. Name a new directory."
        )
    try:
        for path, text in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror or error}.") from error
    click.echo("\n".join(_next_steps(directory, list(wanted), port)))


def _filled(text: str, values: Mapping[str, str]) -> str:
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


def _next_steps(directory: Path, written: list[Path], port: int) -> Iterator[str]:
    yield f"Wrote {', '.join(str(path.relative_to(directory)) for path in written)}.\n"
    enter = "" if directory == Path() else f"cd {shlex.quote(str(directory))} && "
    yield f"1. The server:  {enter}uv run uvicorn app:app --reload"
    yield f"2. The page:    {enter}cd web && npm install && npm run dev"
    yield f"3. Open http://localhost:{port}"


def _files(part: str) -> Iterator[tuple[Path, str]]:
    """Yields the files of a part of the templates: the path that each is to have, and its text."""

    def walk(folder: Traversable, path: Path) -> Iterator[tuple[Path, str]]:
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if entry.is_dir():
                yield from walk(entry, path / entry.name)
            elif entry.name.endswith(_SUFFIX):
                yield path / entry.name.removesuffix(_SUFFIX), entry.read_text(encoding="utf-8")

    yield from walk(files(__package__).joinpath("templates", part), Path())
