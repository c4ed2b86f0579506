"""What the packages import is declared, and what is declared says why in docs/dependencies.md."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from tests.docs.conftest import ROOT

OURS = ("allears", "allears_sdk", "connectors", "normalizer", "sink")
COMES_WITH = {
    "multidict": "aiohttp",
    "yarl": "aiohttp",
    "pydantic-core": "pydantic",
    "certifi": "httpx",
    "aiormq": "aio-pika",
}
"""Imported, and a part of another one in all but name."""
FOR_CONTRIBUTORS = {"dev", "test", "train"}
FOR_TESTS = ("allears_sdk/testing", "allears/scaffold/templates")


def name_in(requirement: str) -> str:
    """`uvloop>=0.21; …` → uvloop."""
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0].lower()


def declared() -> tuple[set[str], set[str]]:
    """Names the daemon and its extras need, and names that only tests and contributors need."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = project["optional-dependencies"]
    needed = [*project["dependencies"], *(line for name in groups.keys() - FOR_CONTRIBUTORS for line in groups[name])]
    others = [line for name in FOR_CONTRIBUTORS for line in groups[name]]
    return {name_in(line) for line in needed}, {name_in(line) for line in others}


def imported(path: Path) -> set[str]:
    """Top-level modules that a file imports anywhere in it, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def test_what_is_imported_is_declared() -> None:
    needed, _ = declared()
    packages = packages_distributions()
    for path in (path for folder in OURS for path in (ROOT / folder).rglob("*.py")):
        if path.relative_to(ROOT).as_posix().startswith(FOR_TESTS):
            continue
        for module in imported(path) - set(sys.stdlib_module_names) - set(OURS):
            names = {name.lower().replace("_", "-") for name in packages.get(module, [module])}
            names |= {COMES_WITH[name] for name in names if name in COMES_WITH}
            assert names & needed, f"{path.relative_to(ROOT)} imports {module}: not among the dependencies"


def test_what_is_declared_says_why() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| `([\w.-]+)` \| (.+) \|$", text)
    needed, others = declared()
    assert sorted(name for name, _ in rows) == sorted(needed | others)
    assert all(len(reason) > 10 for _, reason in rows)
