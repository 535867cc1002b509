"""What the repository promises about itself."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import datalake_kit

TOP = Path(__file__).parents[2]


def test_constraints_hold_names_and_versions_only() -> None:
    for line in (TOP / "constraints.txt").read_text().splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", line), line


def test_every_dependency_is_pinned_by_the_constraints() -> None:
    import tomllib

    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for name in ("notebooks", "dev"):
        wanted += project["optional-dependencies"][name]
    pinned = {_normal(line.split("==")[0]) for line in (TOP / "constraints.txt").read_text().splitlines()}
    assert {_normal(re.split(r"[\[<>=~! ]", w)[0]) for w in wanted} <= pinned


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_make_help_lists_every_target_from_its_comment() -> None:
    text = subprocess.run(["make", "-s", "help"], cwd=TOP, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^([a-z][a-z-]*):", (TOP / "Makefile").read_text(), re.MULTILINE))
    assert targets
    assert {line.split()[1] for line in text.splitlines()} == targets


def test_version_and_changelog_agree() -> None:
    assert f"## {datalake_kit.__version__}" in (TOP / "CHANGELOG.md").read_text()
    assert f'version = "{datalake_kit.__version__}"' in (TOP / "pyproject.toml").read_text()


def test_demo_data_is_small() -> None:
    files = [f for f in (TOP / "datalake_kit" / "_demo_data").rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in files) <= 4_000_000
