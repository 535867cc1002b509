"""All fields unpacked without a pass that only counts keys: by the keys of some documents, checked against all.

The pass that unpacks also gives the hash of each document's list of keys. Documents whose list none of those looked at
has are looked at then; keys that are new by that are unpacked in a pass of their own.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from datalake_kit.jira.fields.columns import in_usual_order, without_empty
from datalake_kit.jira.fields.names import FieldInfo, spelt_as
from datalake_kit.jira.fields.plan import Source, count_keys, make_plan, sample
from datalake_kit.jira.fields.unpack import HASH_OF_KEYS, Unpacked, run_plan

MOST_LISTS = 2000  # more are not taken out one by one
Lists = dict[int, list[str]]  # hash of a list of keys -> the list


def unpack_at_sight(
    source: Source, known: dict[str, FieldInfo], *, keep_objects: bool
) -> tuple[Unpacked, dict[str, int], dict[str, FieldInfo]]:
    """The columns of all fields that hold a value, how many rows have each key, and what is known of the fields.

    Malformed JSON makes DuckDB raise.
    """
    documents = [text for _, text in sample(source)]
    lists = _lists_of(source, documents)
    first = sorted({key for keys in lists.values() for key in keys})
    known = spelt_as(known, first)
    plan = make_plan(source, first, known, None, keep=keep_objects, documents=documents)
    unpacked = run_plan(source, dict(in_usual_order(plan)), with_keys=True)
    present = _count_present(source, unpacked, lists)
    later = sorted(set(present) - set(first))
    if later:
        known = spelt_as(known, present)
        plan |= make_plan(source, later, known, None, keep=keep_objects, documents=documents)
        more = run_plan(replace(source, others=()), {key: plan[key] for key in later if key in plan})
        order = dict(in_usual_order(plan))
        columns, fields = unpacked.columns | more.columns, unpacked.fields | more.fields
        unpacked = Unpacked({key: columns[key] for key in order}, {key: fields[key] for key in order}, unpacked.others)
    return without_empty(unpacked), dict(sorted(present.items())), known


def _count_present(source: Source, unpacked: Unpacked, lists: Lists) -> dict[str, int]:
    """How many rows have each key, from the hashes; of very many lists each key is counted instead."""
    counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(unpacked.keys).to_pylist()}
    unknown = [code for code in counts if code not in lists]
    if len(unknown) > MOST_LISTS:
        return count_keys(source)
    lists = lists | _other_lists(source, unknown)
    present: dict[str, int] = {}
    for code, rows in counts.items():
        for key in dict.fromkeys(lists[code]):
            present[key] = present.get(key, 0) + rows
    return present


def _lists_of(source: Source, documents: list[str]) -> Lists:
    source.connection.register("_looked_at", pa.table({"_fields": pa.array(documents, pa.large_string())}))
    found = source.connection.sql(f"SELECT DISTINCT {HASH_OF_KEYS}, json_keys(_fields) FROM _looked_at").fetchall()
    source.connection.unregister("_looked_at")
    return {int(code): list(keys) for code, keys in found}


def _other_lists(source: Source, codes: list[int]) -> Lists:
    """The lists of keys that hashes stand for, out of all documents."""
    if not codes:
        return {}
    table = pa.table({"code": pa.array(codes, pa.uint64())})
    source.connection.register("_codes", table)
    found = source.connection.sql(f"""
        SELECT DISTINCT code, keys FROM (
            SELECT {HASH_OF_KEYS} AS code, json_keys(_fields) AS keys FROM ({source.query})
        ) WHERE code IN (SELECT code FROM _codes)
    """).fetchall()
    source.connection.unregister("_codes")
    return {int(code): list(keys) for code, keys in found}
