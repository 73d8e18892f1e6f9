import sys
from collections.abc import Iterator
from pathlib import Path

import langchain_openai  # noqa: F401 - imported by no test of its own, and not again for each
import pytest

from copilotkit_runtime_py.providers.chat import ChatProvider
from copilotkit_runtime_py.providers.target import TargetError, import_file, load_target


@pytest.fixture(autouse=True)
def _import_state() -> Iterator[None]:
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def test_a_module_is_found_in_the_directory(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("agent = 'the agent'")

    assert load_target("shop:agent", tmp_path) == "the agent"


def test_an_attribute_may_be_nested(tmp_path: Path) -> None:
    (tmp_path / "nested.py").write_text("class Agents:\n    chat = 'the agent'")

    assert load_target("nested:Agents.chat", tmp_path) == "the agent"


def test_a_file_may_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "neighbour.py").write_text("value = 'from the neighbour'")
    (tmp_path / "src" / "agent.py").write_text("from neighbour import value as graph")

    assert load_target("./src/agent.py:graph", tmp_path) == "from the neighbour"


def test_a_file_in_a_package_may_use_relative_imports(tmp_path: Path) -> None:
    package = tmp_path / "acme_agents" / "chat"
    package.mkdir(parents=True)
    (tmp_path / "acme_agents" / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "prompt.py").write_text("text = 'the prompt'")
    (package / "agent.py").write_text("from .prompt import text as graph")

    assert load_target("acme_agents/chat/agent.py:graph", tmp_path) == "the prompt"


def test_files_of_the_same_name_are_different_modules(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "agent.py").write_text(f"graph = '{name}'")

    assert load_target("one/agent.py:graph", tmp_path) == "one"
    assert load_target("two/agent.py:graph", tmp_path) == "two"


def test_a_file_is_imported_once(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("graph = object()")

    assert import_file(tmp_path / "agent.py") is import_file(tmp_path / "." / "agent.py")


@pytest.mark.parametrize("url", ["http://localhost:9000/agent", "https://agents.example.com/a:b"])
def test_a_url_is_returned_as_it_is(url: str) -> None:
    assert load_target(url) is url


def test_a_vendor_and_a_model_are_a_chat_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")

    assert isinstance(load_target("openai:gpt-4o"), ChatProvider)


@pytest.mark.parametrize(
    ("target", "absent", "advice"),
    [
        ("openai:gpt-4o", None, "Missing credentials."),
        ("groq:llama-3", "langchain_groq", "pip install langchain-groq"),
        ("openai:gpt-4o", "langchain.chat_models", "pip install 'copilotkit-runtime-py[chat]'"),
    ],
)
def test_what_a_chat_model_lacks_is_told(
    target: str, absent: str | None, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if absent is not None:
        monkeypatch.setitem(sys.modules, absent, None)
    for key in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.delenv(key, raising=False)

    with pytest.raises(TargetError) as raised:
        load_target(target)

    assert advice in str(raised.value)


def test_a_file_named_like_a_vendor_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "openai.py").write_text("agent = 'the agent'")

    assert load_target("./openai.py:agent", tmp_path) == "the agent"


@pytest.mark.parametrize("target", ["my_agent", "my_agent:", ":graph", "./agent.py", "openai:", ""])
def test_a_target_without_both_halves_is_refused(target: str) -> None:
    with pytest.raises(TargetError, match="write package"):
        load_target(target)


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    (tmp_path / "present").mkdir()
    (tmp_path / "present" / "__init__.py").touch()

    with pytest.raises(TargetError) as raised:
        load_target("present.absent.agent:graph", tmp_path)

    assert (
        str(raised.value)
        == "The module 'present.absent' exists neither here nor among the installed packages."
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as raised:
        load_target("src/agent.py:graph", tmp_path)

    assert str(raised.value) == f"The file {tmp_path / 'src' / 'agent.py'} does not exist."


def test_a_package_that_the_module_misses_is_told_from_the_module_itself(tmp_path: Path) -> None:
    (tmp_path / "needy.py").write_text("import surely_not_installed.part")

    with pytest.raises(TargetError) as raised:
        load_target("needy:graph", tmp_path)

    assert str(raised.value) == "needy cannot be imported: module 'surely_not_installed' is not installed."


def test_a_framework_that_an_extra_brings_is_told_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "crewai", None)
    (tmp_path / "agent.py").write_text("from crewai import Flow")

    with pytest.raises(TargetError, match=r"pip install 'copilotkit-runtime-py\[crewai\]'"):
        load_target("agent.py:graph", tmp_path)


def test_an_exception_at_import_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "agent.py"
    path.write_text("import os\n\nkey = os.environ['SURELY_NOT_SET']\n")

    with pytest.raises(TargetError) as raised:
        load_target("agent.py:graph", tmp_path)

    message = str(raised.value)
    assert message.startswith(f"{path} cannot be imported: KeyError: 'SURELY_NOT_SET' (")
    assert "\n" not in message


def test_a_file_that_failed_to_import_can_be_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "agent.py"
    path.write_text("1 / 0")
    with pytest.raises(TargetError, match="ZeroDivisionError"):
        import_file(path)

    path.write_text("graph = 'mended now'")

    assert import_file(path).graph == "mended now"


def test_a_misspelt_attribute_gets_the_near_names(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("graph = 1\nother = 2\n_hidden = 3")

    with pytest.raises(TargetError) as raised:
        load_target("agent.py:grpah", tmp_path)

    assert str(raised.value) == "agent.py has no attribute 'grpah'. It has: graph."


def test_an_attribute_unlike_any_other_gets_all_names(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("first = 1\nsecond = 2\n_hidden = 3")

    with pytest.raises(TargetError) as raised:
        load_target("agent.py:zzz", tmp_path)

    assert str(raised.value) == "agent.py has no attribute 'zzz'. It has: first, second."
