"""`allears new-connector`: what it writes passes lint, types and the contract suite untouched, in house and alone."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from allears.cli.entry import cli
from allears.scaffold.places import find_checkout
from tests.conftest import missing

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = (".*", "__pycache__", "dist", "build", "data", "*.egg-info")
HEARING = ("poll", "listen", "receive")
KINDS = {
    f"{name}_{hearing}_{shape}": (hearing, shape)
    for name, shape in (("a", "item"), ("zebra_desk", "chat"))
    for hearing in HEARING
}
"""Names before and after everything in the alphabet: imports and lists are sorted."""
LONGEST = "abcdefghijklmnopqrstuvwx"

pytestmark = pytest.mark.timeout(300)


def new_connector(*arguments: str, language: str = "en") -> Result:
    return CliRunner().invoke(cli, ["--language", language, "new-connector", *arguments])


def run(folder: Path, *command: str) -> str:
    """What it said; it must end well."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALLEARS_")}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def lint(folder: Path, *paths: str) -> None:
    run(folder, "-m", "ruff", "format", "--no-cache", "--check", *paths)
    run(folder, "-m", "ruff", "check", "--no-cache", *paths)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree with one new connector of every sort, "installed" as pip would."""
    root = tmp_path_factory.mktemp("checkout") / "allears"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*LEFT_OUT))
    before = Path.cwd()
    os.chdir(root / "connectors")
    try:
        for kind, (hearing, shape) in KINDS.items():
            titles = ("--title-en", f"The {kind} desk", "--title-zh", f"{kind} 服务台")
            written = new_connector(kind, f"--{hearing}", f"--{shape}", *titles)
            assert written.exit_code == 0, written.output
        written = new_connector(LONGEST, "--receive")
        assert written.exit_code == 0, written.output
    finally:
        os.chdir(before)
    install(root)
    return root


def install(root: Path) -> None:
    """The metadata of an editable install, beside the sources: the first found on the path counts."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folder = root / f"allears-{project['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: allears\nVersion: {project['version']}\n")
    entries = configparser.ConfigParser(delimiters=("=",))
    entries.read_dict(project["entry-points"])
    with (folder / "entry_points.txt").open("w") as file:
        entries.write(file)


@pytest.fixture
def needs_dev() -> None:
    for module in ("ruff", "mypy"):
        if shutil.which(module, path=str(Path(sys.executable).parent)) is None:
            missing(module)


def own_paths(kinds: Iterator[str] | list[str]) -> list[str]:
    return [path for kind in kinds for path in (f"connectors/{kind}", f"tests/connectors/{kind}")]


@pytest.mark.usefixtures("needs_dev")
def test_in_the_house_it_is_linted_and_typed(checkout: Path) -> None:
    paths = own_paths([*KINDS, LONGEST])
    lint(checkout, *paths)
    run(checkout, "-m", "mypy", "--cache-dir", str(checkout / ".mypy_cache"), *paths)


def test_in_the_house_it_passes_its_contract(checkout: Path) -> None:
    paths = [f"tests/connectors/{kind}" for kind in [*KINDS, LONGEST]]
    said = run(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths)
    assert int(said.split(" passed")[0].split()[-1]) > 200


def test_in_the_house_generated_files_and_pages_agree(checkout: Path) -> None:
    run(checkout, "scripts/generate.py")
    run(checkout, "scripts/generate.py", "--check")
    tests = ("tests/docs/test_pages.py", "tests/settings/test_generated.py", "tests/docs/test_dependencies.py")
    run(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    readme = (checkout / "README.zh-CN.md").read_text(encoding="utf-8")
    assert "zebra_desk_listen_chat 服务台" in readme


def test_the_checkout_keeps_what_it_had(checkout: Path) -> None:
    for name in ("pyproject.toml", "CHANGELOG.md", "docs/index.md", "docs/index.zh-CN.md"):
        now = (checkout / name).read_text(encoding="utf-8").splitlines()
        before = (ROOT / name).read_text(encoding="utf-8").splitlines()
        rest = iter(now)
        assert all(line in rest for line in before), f"{name} lost a line or its order"
        assert len(now) == len(before) + len(KINDS) + 1, name
    entries = tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    kinds = list(entries["allears.connectors"])
    assert kinds == sorted(kinds)


@pytest.mark.parametrize(("hearing", "shape"), [("poll", "chat"), ("listen", "item"), ("receive", "chat")])
@pytest.mark.usefixtures("needs_dev")
def test_alone_it_is_a_package_that_passes_by_itself(tmp_path: Path, hearing: str, shape: str) -> None:
    kind = f"zebra_{hearing}"
    folder = tmp_path / "package"
    written = new_connector(kind, f"--{hearing}", f"--{shape}", "--package", str(folder), "--title-zh", "斑马")
    assert written.exit_code == 0, written.output
    sources = [path.read_text(encoding="utf-8") for path in folder.rglob("*.py")]
    assert not any("connectors." in source.replace("allears_sdk.testing.connectors", "") for source in sources)
    lint(folder, ".")
    run(folder, "-m", "mypy", "--cache-dir", str(tmp_path / "mypy"))
    said = run(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert int(said.split(" passed")[0].split()[-1]) >= 30
    entry = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    assert entry == {"allears.connectors": {kind: f"{kind}:Zebra{hearing.capitalize()}Connector"}}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Shop", "cannot be a connector"),
        ("shop-desk", "cannot be a connector"),
        ("_shop", "cannot be a connector"),
        ("shop__desk", "cannot be a connector"),
        ("商城", "cannot be a connector"),
        ("../shop", "cannot be a connector"),
        ("class", "cannot be a connector"),
        ("a" * 25, "cannot be a connector"),
        ("email", "already"),
    ],
)
def test_names_that_cannot_be(name: str, said: str, tmp_path: Path) -> None:
    outcome = new_connector(name, "--package", str(tmp_path / "p"))
    assert outcome.exit_code == 2
    assert said in outcome.stderr
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("name", ["json", "tests", "allears_sdk", "sink"])
def test_a_package_does_not_hide_another(name: str, tmp_path: Path) -> None:
    outcome = new_connector(name, "--package", str(tmp_path / "p"))
    assert (outcome.exit_code, "another Python module" in outcome.stderr) == (2, True)


@pytest.mark.parametrize("title", ['a "b"', "a\nb", "x" * 61, "{{ 7 * 7 }}", "a | b", "\x1b[31m"])
def test_titles_that_would_break_a_page(title: str, tmp_path: Path) -> None:
    outcome = new_connector("shop_desk", "--title-en", title, "--package", str(tmp_path / "p"))
    assert (outcome.exit_code, "cannot be a title" in outcome.stderr) == (2, True)


def test_outside_a_checkout_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "another"\n')
    outcome = new_connector("shop_desk")
    assert (outcome.exit_code, "--package" in outcome.stderr) == (2, True)
    assert "--package" in new_connector("shop_desk", language="zh").stderr


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    (folder / "tests").mkdir(parents=True)
    (folder / "README.md").write_text("mine")
    outcome = new_connector("shop_desk", "--package", str(folder))
    assert outcome.exit_code == 2
    assert "README.md exists already" in outcome.stderr
    assert {path.name for path in folder.rglob("*")} == {"README.md", "tests"}


def test_a_checkout_without_a_place_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "connectors").mkdir()
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "allears"\n')
    monkeypatch.chdir(tmp_path / "connectors")
    outcome = new_connector("shop_desk")
    assert (outcome.exit_code, "pyproject.toml is not as expected" in outcome.stderr) == (1, True)
    assert not list((tmp_path / "connectors").iterdir())


def test_it_tells_machines_what_it_wrote(tmp_path: Path) -> None:
    told: dict[str, Any] = json.loads(new_connector("shop_desk", "--json", "--package", str(tmp_path / "p")).stdout)
    assert told["kind"] == "shop_desk"
    assert "shop_desk/connector.py" in told["written"]
    assert all((tmp_path / "p" / name).is_file() for name in told["written"])
    assert told["changed"] == []
    assert told["next"]


def test_the_checkout_is_found_from_inside(tmp_path: Path) -> None:
    assert find_checkout(ROOT / "docs" / "channels") == ROOT
    assert find_checkout(tmp_path) is None
