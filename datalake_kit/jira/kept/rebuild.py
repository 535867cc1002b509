"""`jira_data` from all landed files: what a refresh does first, and when it cannot go on from what is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from datalake_kit.jira.fields import plan as planning
from datalake_kit.jira.fields import rules
from datalake_kit.jira.fields.columns import in_usual_order, merge_names
from datalake_kit.jira.fields.detect import looks_numeric
from datalake_kit.jira.fields.evidence import Evidence, gather, profiles
from datalake_kit.jira.fields.known_fields import CORE
from datalake_kit.jira.fields.names import FieldInfo
from datalake_kit.jira.fields.plan import Field, Source, connect, count_kinds, plan_from, pointer
from datalake_kit.jira.fields.unpack import run_plan
from datalake_kit.jira.kept.stored import (
    FieldState,
    State,
    as_json,
    name_columns,
    number_columns,
    stored_rows,
    write_beside,
    write_rows,
)
from datalake_kit.jira.landing.newest import LandedFile, Newest, choose, in_order, records_by_rank
from datalake_kit.storage.layers import Layers


@dataclass(frozen=True)
class Landing:
    """Landed files: what they are, what tells whether one changed since, and what the user knows of the fields."""

    files: list[LandedFile]
    fingerprints: list[list[int | str]]
    given: dict[str, FieldInfo]
    made_with: str


def rebuild(folder: Path, landing: Landing, generation: int) -> Layers:
    """Read all landed files and write the table anew; the caller makes it count."""
    with connect() as connection:
        newest = choose(connection, landing.files)
        source, present = newest.source, newest.present
        records = landed_records(newest, landing.files)
        known = merge_names(landing.given, as_records(records))
        evidence = gather(source, present)
        seen = profiles(evidence)
        plan = dict(in_usual_order(plan_from(seen, present, known, all_asked=False, keep=False)))
        unpacked = run_plan(source, plan)
        state = State(
            landing.made_with, generation, landing.files, landing.fingerprints, records, present=dict(present)
        )
        numbers = number_columns(state, plan, source.others)
        rows = stored_rows(unpacked, landed_rows(newest, source, landing.files), numbers, state.others)
        state.not_only_null = not_only_null(source, [key for key in present if key not in plan])
        state.real_numbers = count_real_numbers(source, fragile(plan, source.rows))
    state.scarce = sorted(evidence.scarce)
    state.fields = {
        key: field_state(numbers[key], plan[key], final, holding_rows(unpacked.columns[key]))
        for key, final in unpacked.fields.items()
    }
    state.rows_in, state.rows_rejected = newest.rows, newest.rejects.num_rows
    write_evidence(folder, state, evidence)
    return describe(
        folder, state, unpacked.fields, known, source.others, write_rows(rows, folder, str(generation)), len(rows)
    )


def describe(
    folder: Path, state: State, fields: Mapping[str, Field], known: dict[str, FieldInfo], others: Iterable[str],
    files: list[str], rows: int, superseded: str | None = None,
) -> Layers:  # fmt: skip
    """The table that files make up: columns that hold nothing are left out, but for those that every frame has."""
    kept = {key: f for key, f in fields.items() if key.casefold() in CORE or state.fields[key].values > 0}
    numbers = {key: state.fields[key].number for key in kept}
    held = {key: [rows > 0 for rows in state.fields[key].held] for key in kept}
    columns, state.names = name_columns(kept, numbers, known, others, state.others, held)
    return Layers(folder, tuple(columns), tuple(files), superseded, rows, as_json(state))


def write_evidence(folder: Path, state: State, evidence: Evidence) -> None:
    """Write what the choice of rules is founded on."""
    state.documents = write_beside(evidence.documents, folder, f"_documents-{state.generation}.parquet")
    state.values = write_beside(evidence.values, folder, f"_values-{state.generation}.parquet")


def landed_records(newest: Newest, files: list[LandedFile]) -> list[list[Any]]:
    """What documents say of the fields: names, schema, and time and path of the last file that says so."""
    ordered = in_order(files)
    return [
        [names, schema, ordered[rank].time.isoformat(), str(ordered[rank].path)]
        for names, schema, rank in records_by_rank(newest)
    ]


def as_records(records: Iterable[list[Any]]) -> list[dict[str, str | None]]:
    """The records in the form that `merge_names` takes, the latest last."""
    return [{"names": names, "schema": schema} for names, schema, _, _ in records]


def landed_rows(newest: Newest, source: Source, files: list[LandedFile], first: int = 0) -> pa.Table:
    """For each row of a source: number of its file (counted from `first`), row in it, instant of `updated`, id."""
    connection = source.connection
    paths = [str(file.path) for file in files]
    connection.register(
        "_numbered", pa.table({"path": paths, "number": pa.array(range(first, first + len(paths)), pa.int32())})
    )
    updated = "TRY(json_extract_string(_fields, '$.updated'))"
    return connection.sql(f"""
        SELECT _position, number AS _file, row AS _row, TRY_CAST({updated} AS TIMESTAMPTZ) AS _instant, trim(_x0) AS _id
        FROM ({source.query}) JOIN _newest ON position = _position JOIN _numbered USING (path) ORDER BY _position
    """).to_arrow_table()


def field_state(number: int, planned: Field, final: Field, held: list[int]) -> FieldState:
    """What is kept of one field."""
    outputs = [[o.part, o.type] for o in final.outputs]
    return FieldState(number, rule_with_outputs(planned), outputs, outcome_of(planned, final), held)


def outcome_of(planned: Field, final: Field) -> str:
    """What the values made of the plan of a field."""
    if final.rule is not planned.rule:
        return final.rule.name
    return "planned" if final.keep_object == planned.keep_object else "kept whole"


def rule_with_outputs(planned: Field) -> str:
    """The rule of a field and the columns it gives: all that decides how its values are stored."""
    return f"{planned.rule.name} ({', '.join(output.part or 'value' for output in planned.outputs)})"


def holding_rows(columns: list[pa.ChunkedArray]) -> list[int]:
    """How many rows have a value in each column of a field."""
    return [len(column) - column.null_count for column in columns]


def not_only_null(source: Source, keys: Iterable[str]) -> list[str]:
    """Which of these fields, that hold no value, have an empty list or object somewhere."""
    keys = list(keys)
    counts = count_kinds(source, keys) if keys else {}
    return [key for key, (_, empty) in counts.items() if empty]


def fragile(plan: Mapping[str, Field], rows: int) -> list[str]:
    """Text fields that a single real number among all rows would make a number."""
    if rows <= planning.SAMPLE:
        return []
    return [
        key
        for key, field in plan.items()
        if field.rule is rules.TEXT and not field.info.custom and not field.info.type and looks_numeric(field.profile)
    ]


def count_real_numbers(source: Source, keys: Iterable[str]) -> dict[str, int]:
    """In how many rows a field is a number in JSON."""
    keys = list(keys)
    if not keys:
        return {}
    kinds = "('DOUBLE', 'BIGINT', 'UBIGINT', 'HUGEINT')"
    counts = ", ".join(f"count(*) FILTER (json_type(_fields, {pointer(key)}) IN {kinds})" for key in keys)
    found = source.connection.sql(f"SELECT {counts} FROM ({source.query})").fetchall()[0]
    return dict(zip(keys, found, strict=True))
