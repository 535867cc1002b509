"""Writing that is interrupted, or has no room, leaves nothing half written."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from datalake_kit import errors
from datalake_kit.storage import TEMPORARY_PREFIX, list_files, local_path, write_atomically, write_folder_atomically


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with write_atomically(target) as temporary:
        temporary.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    with pytest.raises(RuntimeError), write_atomically(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "whole"
    assert [p.name for p in target.parent.iterdir()] == ["a.txt"]


def test_a_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with write_atomically(tmp_path / "a") as temporary:
            temporary.write_text("x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), write_folder_atomically(tmp_path / "t") as folder:
        (folder / "a").write_text("x")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with write_folder_atomically(tmp_path / "t") as folder:
        (folder / "a").write_text("x")
    assert (tmp_path / "t" / "a").read_text() == "x"


def test_what_is_being_written_is_no_data(tmp_path: Path) -> None:
    (tmp_path / f"{TEMPORARY_PREFIX}x.parquet").write_text("half")
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / "b.parquet").write_text("")
    assert [f.name for f in list_files(tmp_path, suffixes=(".parquet",))] == ["b.parquet"]


def test_other_places_are_refused() -> None:
    with pytest.raises(errors.UnreadableFileError, match="s3://"):
        local_path("s3://bucket/key")


def run(code: str, **limits: int) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, with limits on what it may write."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits["bytes"], limits["bytes"]))

    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )


def test_no_room_while_a_table_is_written(tmp_path: Path) -> None:
    done = run(
        f"""
        import datalake_kit as dk
        lake = dk.connect({str(tmp_path)!r})
        lake.sql("CREATE TABLE d.big AS SELECT x, random() AS r FROM UNNEST(sequence(1, 900000)) AS t(x)",
                 allow_write=True)
        """,
        bytes=200_000,
    )
    assert done.returncode != 0
    assert "Error" in done.stderr
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_no_room_while_the_demo_is_built_and_then_room_again(tmp_path: Path) -> None:
    code = f"""
        from pathlib import Path
        from datalake_kit.demo import build
        root = Path({str(tmp_path / "lake")!r})
        build._claim(root)
        build._build_taxi(root, lambda n: None)
        """
    done = run(code, bytes=30_000)
    assert done.returncode != 0
    assert not any(p.name.startswith(TEMPORARY_PREFIX) for p in tmp_path.rglob("*"))
    assert run(code, bytes=100_000_000).returncode == 0
    assert len(list((tmp_path / "lake" / "taxi").iterdir())) == 9
