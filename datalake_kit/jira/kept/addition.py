"""Add landed files to `jira_data` so that it is what reading all files again would give; or say why that cannot be.

The newest versions among the new rows are held against those that are kept; the winners are unpacked by the rules that
all rows ask for, which are chosen anew from evidence that is kept up to date. Where the choice, or what the values make
of it, would change rows that are there, `RebuildNeededError` is raised (in `settling` too).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from datalake_kit.jira.fields import plan as planning
from datalake_kit.jira.fields.columns import in_usual_order, merge_names
from datalake_kit.jira.fields.detect import Profile, has_fixed_rule
from datalake_kit.jira.fields.evidence import Evidence, add, profiles
from datalake_kit.jira.fields.known_fields import CORE
from datalake_kit.jira.fields.plan import Source, connect, count_keys, plan_from
from datalake_kit.jira.fields.unpack import run_plan
from datalake_kit.jira.kept.rebuild import (
    Landing,
    as_records,
    describe,
    landed_records,
    landed_rows,
    not_only_null,
    write_evidence,
)
from datalake_kit.jira.kept.settling import Base, RebuildNeededError, Settled, Won, settle
from datalake_kit.jira.kept.stored import (
    FieldState,
    State,
    as_json,
    from_json,
    in_landing_order,
    number_columns,
    ranks_of,
    read_rows,
    stored_rows,
    superseded_rows,
    write_beside,
    write_rows,
)
from datalake_kit.jira.landing.newest import LandedFile, Newest, choose, names_beside
from datalake_kit.storage.layers import ROW_KEY, Layers, rows_that_count

MOST_ROWS = 100_000  # new ones, which are held in memory; also half as many as are kept
MOST_FILES = 60  # layers; with more they are put together
MOST_SUPERSEDED = 0.3  # of the rows in the files


@dataclass(frozen=True)
class Added:
    """The table with the new files, and what they brought."""

    layers: Layers
    issues_new: int
    issues_changed: int
    rows_in: int
    rows_rejected: int


def add_files(layers: Layers, landing: Landing, generation: int) -> Added:
    """Add files to a table; the caller makes it count.

    Raises
    ------
    RebuildNeededError
        All files must be read.
    """
    state = from_json(layers.state)
    with connect() as connection:
        newest = choose(connection, landing.files) if landing.files else None
        records = _merge_records(state.records, landed_records(newest, landing.files) if newest else [])
        known = merge_names(landing.given, as_records(records))
        won = _hold_against_kept(connection, newest, layers, state, landing.files) if newest else _none(connection)
        base = Base(layers, state, layers.rows - len(won.superseded))
        present = count_keys(won.source)
        evidence = _evidence(base, won, present)
        everywhere = dict.fromkeys([*state.present, *present])
        seen = profiles(evidence)
        _refuse_unknown(everywhere, seen, evidence)
        plan = dict(in_usual_order(plan_from(seen, everywhere, known, all_asked=False, keep=False)))
        settled = settle(base, won, plan, run_plan(won.source, plan))
        after = _next_state(base, won, landing, generation, settled)
        after.records = records
        after.present = {key: base.at_least(state.present.get(key, 0)) + present.get(key, 0) for key in everywhere}
        unplanned = not_only_null(won.source, [key for key in present if key not in plan])
        after.not_only_null = sorted({*state.not_only_null, *unplanned, *(set(state.fields) - set(plan))})
        after.scarce = sorted(evidence.scarce)
    _refuse_lost(after.present, settled.states)
    return Added(_write(base, won, after, settled, known, evidence), *_counts(won))


def _hold_against_kept(
    connection: duckdb.DuckDBPyConnection, newest: Newest, layers: Layers, state: State, files: list[LandedFile]
) -> Won:
    """Which of the newest new rows are newer than what is kept of their issues."""
    source = newest.source
    if source.rows > max(MOST_ROWS, layers.rows // 2):
        raise RebuildNeededError(f"{source.rows:,} issues came, which is most of what there is")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE _candidates AS {source.query}")
    candidates = replace(source, query="SELECT * FROM _candidates")
    connection.register("_arrived", landed_rows(newest, candidates, files, len(state.landed)))
    ranks = ranks_of([*state.landed, *files])
    connection.register("_ranks", pa.table({"number": range(len(ranks)), "rank": ranks}))
    old = rows_that_count(layers, "_id, _file, _row, _instant")
    decided = connection.sql(_DECIDED.format(old=old)).to_arrow_table()
    connection.register("_decided", decided)
    beside = "".join(f", _x{n}" for n in range(len(source.others)))
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE _won AS SELECT place AS _position, _fields{beside}
        FROM _candidates JOIN _decided USING (_position)
    """)
    superseded = decided.filter(decided["old_file"].is_valid()).select(["old_file", "old_row"])
    return Won(
        replace(source, query="SELECT * FROM _won", rows=len(decided)), decided,
        superseded.rename_columns(list(ROW_KEY)), newest.rows, newest.rejects.num_rows,
    )  # fmt: skip


_DECIDED = """
    SELECT row_number() OVER (ORDER BY n._position) - 1 AS place, n._position, n._file, n._row, n._instant, n._id,
           o._file AS old_file, o._row AS old_row
    FROM _arrived AS n JOIN _ranks AS nr ON nr.number = n._file
    LEFT JOIN (SELECT * FROM ({old}) WHERE _id IN (SELECT _id FROM _arrived)) AS o ON o._id = n._id
    LEFT JOIN _ranks AS r ON r.number = o._file
    WHERE o._file IS NULL
       OR row(n._instant IS NOT NULL, coalesce(n._instant, '-infinity'::TIMESTAMPTZ), nr.rank, n._row)
        > row(o._instant IS NOT NULL, coalesce(o._instant, '-infinity'::TIMESTAMPTZ), r.rank, o._row)
    ORDER BY place
"""


def _none(connection: duckdb.DuckDBPyConnection) -> Won:
    """No new rows: names alone may have come."""
    nothing = "SELECT 0 AS _position, CAST(NULL AS VARCHAR) AS _fields, '' AS _x0, '' AS _x1 WHERE false"
    hidden = {"_file": pa.int32(), "_row": pa.int64(), "_instant": pa.timestamp("us", "UTC"), "_id": pa.string()}
    empty = pa.schema(list(hidden.items())).empty_table()
    source = Source(connection, nothing, 0, ("id", "key"), "trim(_x0)")
    return Won(source, empty, empty.select(list(ROW_KEY)), 0, 0)


def _merge_records(old: list[list[Any]], new: list[list[Any]]) -> list[list[Any]]:
    """Each once, with the last file that says so; in the order in which those landed."""
    latest: dict[tuple[Any, Any], list[Any]] = {}
    for names, schema, time, path in [*old, *new]:
        before = latest.get((names, schema))
        if before is None or (before[2], before[3]) < (time, path):
            latest[names, schema] = [names, schema, time, path]
    return sorted(latest.values(), key=lambda r: (r[2], r[3], r[0] or "", r[1] or ""))


def _evidence(base: Base, won: Won, present: Mapping[str, int]) -> Evidence:
    rows, folder = base.stay + won.source.rows, base.layers.folder
    if (base.layers.rows <= planning.SAMPLE) != (rows <= planning.SAMPLE):
        raise RebuildNeededError("from now on a choice of the rows is looked at instead of all")
    documents, values = (pq.read_table(folder / name) for name in (base.state.documents, base.state.values))
    known = Evidence(documents, values, frozenset(base.state.scarce), base.layers.rows)
    return add(known, won.source, [key for key in present if key not in base.state.present], rows)


def _refuse_unknown(keys: Mapping[str, Any], seen: Mapping[str, Profile], evidence: Evidence) -> None:
    """The sample must say something about each field, or all its values be there."""
    if evidence.is_complete:
        return
    for key in keys:
        if not (has_fixed_rule(key) or seen.get(key, Profile()).holds or key in evidence.scarce):
            raise RebuildNeededError(f"the rows that are looked at say nothing about {key} any more")


def _next_state(base: Base, won: Won, landing: Landing, generation: int, settled: Settled) -> State:
    old = base.state
    return State(
        landing.made_with, generation, [*old.landed, *landing.files], [*old.fingerprints, *landing.fingerprints], [],
        fields={key: known for key, known in old.fields.items() if key in settled.states}, others=dict(old.others),
        numbers_given=old.numbers_given, real_numbers=settled.real_numbers, rows_in=old.rows_in + won.rows_in,
        rows_rejected=old.rows_rejected + won.rows_rejected, superseded=old.superseded + len(won.superseded),
        kept_files=list(base.layers.all_files),
    )  # fmt: skip


def _refuse_lost(present: Mapping[str, int], states: Mapping[str, FieldState]) -> None:
    """A column that stays though it holds nothing does so because documents have the field: some must have it still."""
    for key, state in states.items():
        if key.casefold() in CORE and state.values <= 0 and present.get(key, 0) <= 0:
            raise RebuildNeededError(f"it is not known whether any issue has {key} still")


def _counts(won: Won) -> tuple[int, int, int, int]:
    changed = len(won.superseded)
    return won.source.rows - changed, changed, won.rows_in, won.rows_rejected


def _write(base: Base, won: Won, after: State, settled: Settled, known: dict[str, Any], evidence: Evidence) -> Layers:
    """Write the new rows, the list of superseded ones and the evidence; put layers together when they are many."""
    folder, others = base.layers.folder, names_beside(after.landed)
    numbers = number_columns(after, settled.states, others)
    for key, kept in settled.states.items():
        after.fields[key] = replace(kept, number=numbers[key])
    rows = stored_rows(settled.unpacked, won.landed, numbers, after.others)
    files = [*base.layers.files, *write_rows(rows, folder, str(after.generation))]
    gone = pa.concat_tables([superseded_rows(base.layers), won.superseded], promote_options="permissive")
    superseded = write_beside(gone, folder, f"_superseded-{after.generation}.parquet") if len(gone) else None
    write_evidence(folder, after, evidence)
    count = base.stay + won.source.rows
    layers = describe(folder, after, settled.unpacked.fields, known, others, files, count, superseded)
    if len(files) > MOST_FILES or after.superseded > MOST_SUPERSEDED * (count + after.superseded):
        return _put_together(layers, after)
    return layers


def _put_together(layers: Layers, state: State) -> Layers:
    """The same rows in new files, without those that count no more."""
    stored = dict.fromkeys(name for path in layers.paths for name in pq.read_schema(path).names)
    rows = in_landing_order(read_rows(layers, list(stored)), state.landed)
    state.superseded = 0
    files = write_rows(rows, layers.folder, f"{state.generation}-all")
    return replace(layers, files=tuple(files), superseded=None, state=as_json(state))
