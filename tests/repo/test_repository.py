"""The laws of the house: what may stand in the repository, how large it may be, and that its maps are complete."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "src" / "landline"
FILE_LINES = 400
FUNCTION_LINES = 50
DECISION_LINES = 40
ARCHITECTURE_LINES = 110

# Put together here, so that this file does not hold what it forbids.
REGISTRY_HOSTS = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
REGISTRY_HOSTS += [".".join(parts) for parts in (("npmjs", "com"), ("yarnpkg", "com"), ("anaconda", "org"))]
INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "npm_config_registry")
MACHINE_PATH = re.compile(r"(?<![\w.})*~$-])/(?:" + "|".join(("tmp", "root", "work")) + r")/")
OUTSIDE = "/".join(("..", "shared"))


def git(*arguments: str) -> list[str]:
    if shutil.which("git") is None:
        pytest.skip("there is no git here to tell which files belong to the repository")
    # safe.directory: a checkout that another user made (a container's volume) is still judged, not passed over.
    command = ["git", "-c", "safe.directory=*", *arguments, "-z"]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False, timeout=30)
    if answer.returncode != 0:
        pytest.skip(f"not a git work tree: {answer.stderr.decode().strip()}")
    return [name for name in answer.stdout.decode().split("\0") if name]


def repository_files() -> list[Path]:
    """Every file that is tracked, or would be by `git add .`."""
    names = git("ls-files", "--cached", "--others", "--exclude-standard")
    return [path for path in map(REPOSITORY.joinpath, sorted(set(names))) if path.is_file()]


def registry_hosts() -> list[str]:
    """The well-known hosts, and those that this machine's own index settings name."""
    configured = [urlsplit(os.environ.get(name, "")).hostname or "" for name in INDEX_VARIABLES]
    return [*REGISTRY_HOSTS, *(host for host in configured if "." in host and not host[0].isdigit())]


def forbidden_in(text: str) -> list[str]:
    """What in a text belongs to one machine or to a registry, in words."""
    found = [f"the registry host {host}" for host in registry_hosts() if host in text]
    found += [f"the machine path {match.group()}" for match in MACHINE_PATH.finditer(text)]
    return [*found, *(["a folder outside the repository"] if OUTSIDE in text else [])]


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_bytes(), filename=str(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def dependencies() -> set[str]:
    """Names of everything that pyproject.toml asks for, landline itself excepted."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    wanted += [line for lines in project["project"]["optional-dependencies"].values() for line in lines]
    wanted += project["build-system"]["requires"]
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in wanted} - {"landline"}


def test_nothing_names_one_machine_or_a_registry() -> None:
    findings = {
        str(path.relative_to(REPOSITORY)): found
        for path in repository_files()
        if (found := forbidden_in(path.read_bytes().decode("utf-8", errors="replace")))
    }
    assert findings == {}


@pytest.mark.parametrize(
    "parts",
    [
        ("https://files.", "pythonhosted", ".org/x.whl"),
        ("registry.", "npmjs", ".org"),
        ("cd /", "tmp", "/x"),
        ("'/", "root", "/.cache'"),
        ("see ..", "/", "shared/facts"),
    ],
)
def test_what_is_forbidden_is_seen(parts: tuple[str, ...]) -> None:
    assert forbidden_in("".join(parts)) != []


@pytest.mark.parametrize("text", ["https://example.org/work/x", "docs/work/page", "$HOME/work/", "PyPI and npm"])
def test_what_is_allowed_is_not_seen(text: str) -> None:
    assert forbidden_in(text) == []


def test_no_lock_file_with_download_addresses_is_kept() -> None:
    kept = {path.name for path in repository_files()}
    assert kept & {"uv.lock", "poetry.lock", "Pipfile.lock", "package-lock.json", "yarn.lock"} == set()


def test_every_dependency_is_accounted_for() -> None:
    page = (REPOSITORY / "docs" / "decisions" / "0008-dependencies.md").read_text(encoding="utf-8")
    rows = "\n".join(line for line in page.splitlines() if line.startswith(("|", "`")))
    named = set(re.findall(r"`([\w.-]+)`", rows))
    assert dependencies() - named == set()


def test_every_pinned_version_belongs_to_a_dependency() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    pinned = {line.split("==")[0] for line in project["tool"]["uv"]["constraint-dependencies"]}
    assert dependencies() - pinned == set(), "a dependency without a pinned version"


def test_every_package_is_on_the_map() -> None:
    page = (REPOSITORY / "ARCHITECTURE.md").read_text(encoding="utf-8")
    packages = [path.parent.name for path in SOURCE.rglob("__init__.py") if path.parent != SOURCE]
    assert packages
    assert [name for name in packages if not re.search(rf"\b{name}/", page)] == []


def test_the_map_is_at_most_two_screens() -> None:
    assert lines_of(REPOSITORY / "ARCHITECTURE.md") <= ARCHITECTURE_LINES


def test_every_decision_is_short_and_listed() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = [path for path in folder.glob("*.md") if path.name != "README.md"]
    assert records
    assert [path.name for path in records if path.name not in index] == []
    assert {path.name: lines_of(path) for path in records if lines_of(path) > DECISION_LINES} == {}


def test_imports_keep_to_the_layers() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "0 broken" in answer.stdout, answer.stdout


def test_files_are_small() -> None:
    sizes = {str(path.relative_to(REPOSITORY)): lines_of(path) for path in SOURCE.rglob("*.py")}
    assert sizes
    assert {name: size for name, size in sizes.items() if size > FILE_LINES} == {}


def test_functions_are_small() -> None:
    sizes = {
        f"{path.relative_to(REPOSITORY)}:{node.lineno} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path, node in functions()
    }
    assert sizes
    assert {name: size for name, size in sizes.items() if size > FUNCTION_LINES} == {}


def test_modules_say_what_they_are_for() -> None:
    silent = [
        str(path.relative_to(REPOSITORY))
        for path in SOURCE.rglob("*.py")
        if path.name != "__init__.py" and not ast.get_docstring(ast.parse(path.read_bytes()))
    ]
    assert silent == []


def test_nothing_is_called_after_no_purpose() -> None:
    names = {path.stem for path in SOURCE.rglob("*") if path.suffix in {".py", ""}}
    assert {name for name in names if re.search(r"(?:^|_)(?:utils?|helpers?|managers?|misc|v\d+)$", name)} == set()


def test_changelog_fragments_are_well_formed() -> None:
    fragments = [path for path in (REPOSITORY / "changelog.d").iterdir() if path.name != "README.md"]
    form = re.compile(r"(?:\d+|\+[a-z0-9-]+)\.(?:feature|bugfix|doc|removal|misc)(?:\.\d+)?\.md")
    assert [path.name for path in fragments if not form.fullmatch(path.name)] == []
    assert [path.name for path in fragments if len(path.read_text(encoding="utf-8").strip()) < 20] == []


def test_the_changelog_can_be_written() -> None:
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "0.0.0"]
    answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stderr
    assert "<!-- towncrier release notes start -->" in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in repository_files():
        if page.suffix == ".md":
            targets = re.findall(r"\]\((?!\w+:|#)([^)\s#]+)", page.read_text(encoding="utf-8"))
            broken += [(page.name, target) for target in targets if not (page.parent / target).exists()]
    assert broken == []


def test_ci_runs_what_the_readme_tells() -> None:
    script = REPOSITORY / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)], check=False, timeout=10).returncode == 0
    readme, told = (REPOSITORY / "README.md").read_text(encoding="utf-8"), script.read_text(encoding="utf-8")
    for command in ("pip install", "uv run landline demo", "uv run pytest"):
        assert command in readme
        assert command in told
