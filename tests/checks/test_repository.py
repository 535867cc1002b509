"""What the repository promises about itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

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


def fake_python(folder: Path, body: str) -> Path:
    """A program in the place of Python."""
    program = folder / "python-of-another-kind"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ('case "$1" in --version) echo Python 3.9.1;; *) exit 1;; esac', "needs Python 3.11 or newer"),
        ('case "$2" in *ensurepip*) exit 1;; *) exit 0;; esac', "lacks the venv module"),
    ],
)
def test_a_machine_that_lacks_something_is_told_in_one_sentence(tmp_path: Path, body: str, sentence: str) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(TOP / name, tmp_path)
    command = ["make", "-s", f"PYTHON={fake_python(tmp_path, body)}", "test"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert sentence in done.stdout
    assert len(done.stdout.strip().splitlines()) == 1
    assert not (tmp_path / ".venv").exists()


def test_make_installs_again_when_the_project_changed(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(TOP / name, tmp_path)
    stamp = tmp_path / ".venv" / ".installed"
    stamp.parent.mkdir()
    stamp.touch()

    def would_install() -> bool:
        done = subprocess.run(["make", "-n", "test"], cwd=tmp_path, capture_output=True, text=True, check=True)
        return "-m venv" in done.stdout

    assert not would_install()
    later = stamp.stat().st_mtime + 10
    os.utime(tmp_path / "pyproject.toml", (later, later))
    assert would_install()


def test_a_python_that_is_not_there(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(TOP / name, tmp_path)
    command = ["make", "-s", "PYTHON=no-such-python", "test"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "no-such-python is missing" in done.stdout
    assert len(done.stdout.strip().splitlines()) == 1


def test_the_commands_do_what_the_readme_says() -> None:
    make = (TOP / "Makefile").read_text()
    for part in (
        "-c constraints.txt",
        "--report $(DEMO)/report",
        "$(BIN)/mypy",
        "ruff check .",
        "ruff format --check .",
    ):
        assert part in make
    run = (TOP / ".ci" / "run").read_text()
    assert "make test" in run
    assert "make check" in run


def test_readme_is_finished_and_its_links_lead_somewhere() -> None:
    text = (TOP / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (TOP / target).exists(), target
    assert not re.search(r"^(FIGURES|TODO)", text, re.MULTILINE)
    for command in re.findall(r"python (benchmarks/\w+\.py)", text):
        assert (TOP / command).exists(), command
