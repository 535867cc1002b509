"""Put the demo lake together, stage by stage; what is there already is left as it is."""

from __future__ import annotations

import json
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from datalake_kit.errors import ConfigError
from datalake_kit.storage import TEMPORARY_PREFIX, local_path, write_atomically, write_folder_atomically

MARKER = "_demo_lake.json"
DATA = Path(__file__).parent.parent / "_demo_data"
# Each table of the lake, and the source table whose change files it was made from.
TABLES = {
    "table_1": "table_1",
    "table_2": "table_2",
    "table_3": "table_3",
    "table_4": "table_4",
    "table_5": "table_5",
    "table_6": "table_1",
    "table_8": "table_10",
    "table_9": "table_10",
    "table_10": "table_10",
}


@dataclass(frozen=True)
class _Stage:
    name: str
    steps: Callable[[], int]
    build: Callable[[Path, Callable[[int], None]], None]


def build_demo(path: str | Path, *, progress: bool = True) -> Path:
    """Build the demo lake in a folder, from data inside the package; no network, no account.

    Parameters
    ----------
    path
        A folder that does not exist, is empty, or is a demo lake already. The same call always gives the same bytes of
        data; called again it changes nothing; after an interrupted run it completes what is missing.
    progress
        Show a progress bar on standard error, and print a line with its seconds for each stage.

    Returns
    -------
    pathlib.Path
        The lake's folder, ready for `connect`. Databases: taxi, jiralake, irradiance; source files below `_raw/`.

    Raises
    ------
    ConfigError
        The folder holds something else; nothing in it is touched.

    Examples
    --------
    >>> lake = dk.connect(dk.build_demo("demo-lake"))  # doctest: +SKIP
    """
    root = local_path(path)
    _claim(root)
    for leftover in root.rglob(f"{TEMPORARY_PREFIX}*"):  # of a run that was killed
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    stages = _stages()
    with _bar(sum(s.steps() for s in stages), shown=progress) as advance:
        for stage in stages:
            started = time.perf_counter()
            stage.build(root, advance)
            if progress:
                _say(f"{stage.name:<34}{time.perf_counter() - started:6.1f} s")
    return root


def _claim(root: Path) -> None:
    """Take the folder as ours, or refuse it untouched."""
    if root.exists() and not root.is_dir():
        raise ConfigError(f"The demo lake is a folder, this is a file: {root}. Give another path.")
    others = [p for p in root.iterdir() if not p.name.startswith(TEMPORARY_PREFIX)] if root.is_dir() else []
    if others and not (root / MARKER).is_file():
        raise ConfigError(
            f"{root} holds something else than a demo lake, so nothing in it was touched. Give a new or empty folder."
        )
    if not (root / MARKER).is_file():
        with write_atomically(root / MARKER) as temporary:
            temporary.write_text(json.dumps({"what": "datalake_kit demo lake; may be deleted as a whole"}) + "\n")


def _stages() -> list[_Stage]:
    from datalake_kit.demo import jira_history, jira_raw, sky

    return [
        _Stage("taxi: replicated tables", lambda: 2 * len(TABLES), _build_taxi),
        _Stage(
            "jiralake: Jira issues",
            jira_raw.count,
            lambda root, advance: jira_raw.build(root / "jiralake" / "jira_raw", progress=advance),
        ),
        _Stage(
            "jiralake: Jira issues with their changelog",
            jira_history.count,
            lambda root, advance: jira_history.build(root / "jiralake" / "jira_history", progress=advance),
        ),
        _Stage(
            "_raw/satellite: NetCDF files",
            sky.count_satellite,
            lambda root, advance: sky.build_satellite(root / "_raw" / "satellite", progress=advance),
        ),
        _Stage(
            "irradiance: a year of points",
            sky.count_year,
            lambda root, advance: sky.build_year(root / "irradiance" / "points_year", progress=advance),
        ),
    ]


def _build_taxi(root: Path, advance: Callable[[int], None]) -> None:
    for table, source in TABLES.items():
        _unpack(DATA / "taxi" / "tables" / f"{table}.zip", 1, root / "taxi" / table)
        advance(1)
        _unpack(DATA / "taxi" / "staging" / f"{source}.zip", 2, root / "_raw" / "staging" / "taxi_trips" / table)
        advance(1)


def _unpack(archive: Path, leading: int, target: Path) -> None:
    """Unpack an archive without the first `leading` parts of its names; members with fewer parts are left out."""
    if target.exists():
        return
    with zipfile.ZipFile(archive) as content, write_folder_atomically(target) as folder:
        for member in content.infolist():
            parts = Path(member.filename).parts[leading:]
            if not parts:
                continue
            place = folder.joinpath(*parts)
            if member.is_dir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with content.open(member) as source, place.open("wb") as out:
                shutil.copyfileobj(source, out)


@contextmanager
def _bar(steps: int, *, shown: bool) -> Iterator[Callable[[int], None]]:
    from tqdm import tqdm

    with tqdm(total=steps, unit="file", desc="demo lake", disable=None if shown else True, file=sys.stderr) as bar:

        def advance(steps: int) -> None:
            bar.update(steps)

        yield advance


def _say(line: str) -> None:
    from tqdm import tqdm

    tqdm.write(line, file=sys.stdout)
    sys.stdout.flush()
