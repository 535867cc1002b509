"""Keep `jira_data`, the newest version of each issue unpacked, as Parquet: only newly landed files are read."""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import pyarrow as pa

from datalake_kit.errors import ParameterError, UnreadableFileError
from datalake_kit.jira.fields.names import read_fields
from datalake_kit.jira.kept.addition import add_files
from datalake_kit.jira.kept.rebuild import Landing, rebuild
from datalake_kit.jira.kept.settling import RebuildNeededError
from datalake_kit.jira.kept.stored import State, from_json, read_rows
from datalake_kit.jira.landing.newest import look_at
from datalake_kit.storage import TEMPORARY_PREFIX, fingerprint, local_path
from datalake_kit.storage.layers import Layers, has_layers, read_layers, write_layers

if TYPE_CHECKING:
    from datalake_kit.lake import Lake

LOCK = "_lock"
# Packages on whose code the result depends: with other code in any of them all files are read again.
DECIDING = ("fields", "kept", "landing")


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did. `issues` is the number of rows of the table now."""

    folder: Path
    table: str
    full: bool  # all landed files were read
    reason: str  # why so
    files_read: int
    files_known: int  # read by an earlier refresh
    rows_read: int
    rows_rejected: int  # of all files; `load(...).rejects` lists them
    issues: int
    issues_new: int
    issues_changed: int
    seconds: float


def refresh(
    lake: Lake, out: str | Path, table: str = "jiralake.jira_raw", *, names: Any = None, full: bool = False
) -> Refreshed:
    """Bring the folder of unpacked issues up to date with the files that have landed.

    Of the landed files only those are read that an earlier refresh has not seen. The result is the same as reading all
    of them: the same rows, columns, names and types, as `load(lake, table).frame(names=names)` gives them. Where new
    rows change what older ones are, all files are read again, and `reason` says why: a field's values are no longer
    all of its type, or are so again; a first value where older documents have empty lists; a landed file that changed
    or is gone; another version of this package.

    `read(out)` gives the frame. When `out` is `<lake>/<database>/<table>`, SQL and `lake.table` read it too. The rows
    lie in Parquet files in layers (see `datalake_kit.storage.layers`): only this package knows which of them count, so
    for other tools write a copy: `CREATE TABLE jiralake.copy AS SELECT * FROM jiralake.jira_data`.

    A refresh can be killed at any moment: what is there stays as it was, or is what it should be. Of two at once the
    second waits.

    Parameters
    ----------
    lake
        The lake that `dk.connect` gave; its files must be in a folder.
    out
        A local folder for the result.
    table
        `database.table` with the versions that AppFlow landed.
    names
        Business names of the fields, as for `dk.jira.unpack_fields`; they may be others than last time.
    full
        Read all files, whatever is known.

    Returns
    -------
    Refreshed
        What was read, why all of it if so, and what it brought.

    Raises
    ------
    ParameterError
        `out` holds other files, is the table itself, or cannot be written.
    NotFoundError
        No such table.
    DataError
        A landed file is no whole Parquet file, or has no id or no fields.

    Examples
    --------
    >>> refresh(lake, "lake/jiralake/jira_data")                           # doctest: +SKIP
    >>> lake.sql("SELECT status, count(*) AS n FROM jiralake.jira_data GROUP BY status")   # doctest: +SKIP
    """
    started = time.perf_counter()
    folder = local_path(out)
    paths = [local_path(f) for f in lake.table(table).files()]
    _refuse_other_folder(folder, paths)
    given = read_fields(names)
    with _alone(folder):
        return _refresh(folder, table, paths, given, full=full, started=started)


def _refresh(
    folder: Path, table: str, paths: list[Path], given: dict[str, Any], *, full: bool, started: float
) -> Refreshed:
    before, reason = _kept(folder, paths)
    reason = "asked for" if full else reason
    known = len(before.state["landed"]) if before and not reason else 0
    generation = _next_generation(folder)
    brought: tuple[int, int] | None = None
    if before and not reason:
        seen = {landed[0] for landed in before.state["landed"]}
        try:
            added = add_files(before, _look([p for p in paths if str(p) not in seen], given), generation)
            layers, brought = added.layers, (added.issues_new, added.issues_changed)
        except RebuildNeededError as cause:
            reason = str(cause)
    if brought is None:
        layers = rebuild(folder, _look(paths, given), generation)
        known, brought = 0, _compare(before, layers)
        layers.state["kept_files"] = list(before.all_files) if before else []  # a reader may be at them
    write_layers(layers)
    _clean_up(layers)
    landed = [rows for _, _, _, rows, _ in layers.state["landed"]]
    return Refreshed(
        folder, table, bool(reason), reason, len(landed) - known, known, sum(landed[known:]),
        layers.state["rows_rejected"], layers.rows, *brought, time.perf_counter() - started,
    )  # fmt: skip


def _look(paths: list[Path], given: dict[str, Any]) -> Landing:
    """Read the footers of landed files; what tells that a file changed is taken before it is read."""
    fingerprints = [list(fingerprint(path)) for path in paths]
    return Landing([look_at(path) for path in paths], fingerprints, given, made_with())


def _kept(folder: Path, paths: list[Path]) -> tuple[Layers | None, str]:
    """What an earlier refresh left, and why it cannot be gone on from, if so."""
    if not has_layers(folder):
        return None, "nothing is kept yet"
    try:
        layers = read_layers(folder)
        state = from_json(layers.state)
    except (UnreadableFileError, KeyError, TypeError, ValueError) as error:
        return None, f"what is kept cannot be read: {error}"
    return layers, _obstacle(layers, state, paths)


def _obstacle(layers: Layers, state: State, paths: list[Path]) -> str:
    if state.made_with != made_with():
        return "another version of the package kept it"
    needed = [*layers.paths, *(layers.folder / name for name in (state.documents, state.values))]
    missing = [path.name for path in needed if not path.is_file()]
    if missing or (layers.superseded_path and not layers.superseded_path.is_file()):
        return f"files of it are gone: {', '.join(missing) or layers.superseded}"
    there = set(paths)
    for file, known in zip(state.landed, state.fingerprints, strict=True):
        if file.path not in there:
            return f"a landed file is gone: {file.path.name}"
        if list(fingerprint(file.path)) != known:
            return f"a landed file changed: {file.path.name}"
    return ""


def _compare(before: Layers | None, after: Layers) -> tuple[int, int]:
    """How many issues are new against what was kept, and of how many another row is the newest."""
    if before is None:
        return after.rows, 0
    try:
        old, new = _rows_by_id(before), _rows_by_id(after)
    except OSError:  # some of its files are gone
        return after.rows, 0
    both = new.merge(old, on="_id", suffixes=("", "_before"))
    other = (both["path"] != both["path_before"]) | (both["_row"] != both["_row_before"])
    return len(new) - len(both), int(other.sum())


def _rows_by_id(layers: Layers) -> pd.DataFrame:
    rows: pd.DataFrame = read_rows(layers, ["_id", "_file", "_row"]).to_pandas()
    return rows.assign(path=rows["_file"].map(dict(enumerate(f[0] for f in layers.state["landed"]))))


@lru_cache(maxsize=1)
def made_with() -> str:
    """What the result depends on beside the files: the code that reads them, DuckDB and Arrow."""
    digest = hashlib.sha256(f"{duckdb.__version__} {pa.__version__}".encode())
    for name in DECIDING:
        for module in sorted((Path(__file__).parents[1] / name).glob("*.py")):
            digest.update(module.read_bytes())
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other refresh of the folder runs, and keep others waiting; a process that ends lets go."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / LOCK).open("a")
    except OSError as error:
        raise ParameterError(f"out={str(folder)!r} cannot be written ({error}). Give a folder that can.") from None
    with opened as lock:
        try:
            import fcntl
        except ImportError:  # Windows: the file cannot be locked this way, and runs must not overlap
            yield
            return
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _refuse_other_folder(folder: Path, paths: list[Path]) -> None:
    if any(folder == path or folder in path.parents for path in paths):
        raise ParameterError(f"out={str(folder)!r} is the folder of the landed files. Give another one.")
    odd = (
        [] if has_layers(folder) or not folder.is_dir() else [p.name for p in folder.iterdir() if p.name[0] not in "._"]
    )
    if odd:
        raise ParameterError(f"out={str(folder)!r} holds other files, such as {odd[0]}. Give an empty folder.")


def _next_generation(folder: Path) -> int:
    found = [re.match(r"_[a-z]+-(\d+)", path.name) for path in folder.iterdir()]
    return max((int(match[1]) for match in found if match), default=-1) + 1


def _clean_up(layers: Layers) -> None:
    """Remove files that neither the table nor the one before it needs, and what killed runs left."""
    state = layers.state
    needed = {*layers.files, layers.superseded, state["documents"], state["values"], *state["kept_files"]}
    for path in layers.folder.iterdir():
        ours = re.match(r"_(rows|superseded|documents|values)-\d+", path.name) or path.name.startswith(TEMPORARY_PREFIX)
        if ours and path.name not in needed:
            path.unlink(missing_ok=True)
