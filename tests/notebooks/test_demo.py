"""The demo lake: complete, the same each time, never harming what is not its own."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from datalake_kit import errors
from datalake_kit.demo import TABLES, build, build_demo
from datalake_kit.lake import connect

pytestmark = pytest.mark.slow


def contents(root: Path) -> dict[str, str]:
    """Digest of every file below a folder."""
    return {
        str(f.relative_to(root)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in sorted(root.rglob("*"))
        if f.is_file()
    }


def test_its_tables(demo_lake: Path) -> None:
    with connect(demo_lake) as lake:
        names = set(lake.tables()["database"] + "." + lake.tables()["table"])
        assert {f"taxi.{t}" for t in TABLES} | {
            "jiralake.jira_raw",
            "jiralake.jira_history",
            "irradiance.points_year",
        } <= names
        rows = {t: int(lake.sql(f"SELECT count(*) AS n FROM taxi.{t}")["n"][0]) for t in TABLES}
    assert rows == {
        "table_1": 2200, "table_2": 2022, "table_3": 1920, "table_4": 1995, "table_5": 294, "table_6": 2130,
        "table_8": 2003, "table_9": 2036, "table_10": 2003,
    }  # fmt: skip


def test_its_satellite_files(demo_lake: Path) -> None:
    files = sorted((demo_lake / "_raw" / "satellite").rglob("*.nc"))
    assert len(files) == 2_894
    full = [f for f in files if "disk" in f.parts]
    assert len(full) == 24
    with netCDF4.Dataset(full[12]) as data:
        assert data["DSSF_TOT"].shape == (1, 3201, 3201)
    assert [f.name[-15:-3] for f in files if "alps" in f.parts and _flagged_bad(f)] == ["202506200945"]


def _flagged_bad(file: Path) -> bool:
    """Whether a file says of itself that its input was bad; one that cannot be read says nothing."""
    try:
        with netCDF4.Dataset(file) as data:
            flags = data["quality_flag"]
            bad = int(dict(zip(flags.flag_meanings.split(), flags.flag_masks, strict=True))["retrieval_bad"])
            return bool(np.any(np.ma.compressed(flags[:]) & bad))
    except OSError:
        return False


def test_built_again_it_is_left_as_it_is(demo_lake: Path) -> None:
    before = {f: f.stat().st_mtime_ns for f in demo_lake.rglob("*") if f.is_file()}
    build_demo(demo_lake, progress=False)
    assert {f: f.stat().st_mtime_ns for f in demo_lake.rglob("*") if f.is_file()} == before


def test_killed_midway_it_is_completed_to_the_same_bytes(demo_lake: Path, tmp_path: Path) -> None:
    code = f"from datalake_kit.demo import build_demo; build_demo({str(tmp_path / 'lake')!r}, progress=False)"
    for seconds in (1.0, 2.5, 4.0):
        process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    build_demo(tmp_path / "lake", progress=False)
    assert contents(tmp_path / "lake") == contents(demo_lake)


def test_killed_before_its_marker_was_there(tmp_path: Path) -> None:
    (tmp_path / "._writing-abc.json").write_text("half")
    build._claim(tmp_path)
    assert (tmp_path / build.MARKER).is_file()


def test_it_shows_each_stage_with_its_seconds(demo_lake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_demo(demo_lake)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["taxi", "jiralake", "jiralake", "_raw/satellite", "irradiance"]
    assert all(line.endswith(" s") for line in lines)


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "taxi"])
def test_another_folder_is_not_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(errors.ConfigError, match="nothing in it was touched"):
        build_demo(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    with pytest.raises(errors.ConfigError, match="this is a file"):
        build_demo(tmp_path / name)
