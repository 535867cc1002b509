"""`dk.hudi.changes`: the state before, with the changes applied, is the state after."""

from __future__ import annotations

import functools
import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import datalake_kit as dk
from datalake_kit.errors import ColumnNotFoundError, HudiError, ParameterError, UnreadableFileError
from datalake_kit.hudi.rows import read_snapshot
from datalake_kit.hudi.snapshot import open_snapshot
from tests.hudi_tables import CowTable
from tests.replication import READABLE, TRUTH, lake_of, odp_table, public_table

WITH_COMMITS = [z for z in READABLE if TRUTH[z]["commits"]]
INSTANTS = tuple(f"202601{day:02d}000000000" for day in range(1, 8))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> dk.Lake:
    tables = {f"t{i}": odp_table(z) for i, z in enumerate(WITH_COMMITS)}
    return dk.connect(lake_of(tmp_path_factory.mktemp("changes") / "lake", tables))


@functools.cache
def state(folder: Path, as_of: str, names: tuple[str, ...]) -> Counter[Any]:
    rows = read_snapshot(open_snapshot(folder, as_of=as_of))
    columns = [[repr(v) for v in rows.column(n).to_pylist()] if n in rows.schema.names else ["None"] * len(rows)
               for n in names]  # fmt: skip
    return Counter(zip(*columns, strict=True))


def check(lake: dk.Lake, table: str, since: str, until: str) -> pa.Table:
    """Take the changes of a time and hold them against the states before and after."""
    found = dk.hudi.changes(lake, table, since=since, until=until, arrow=True)
    folder = Path(lake.table(table).location)
    names = tuple(open_snapshot(folder, as_of=until).schema().names)
    keys = json.loads(found.schema.metadata[b"hudi"])["keys"]
    gone: Counter[Any] = Counter()
    came: Counter[Any] = Counter()
    for row in found.to_pylist():
        sides = {s: tuple(repr(row[n if n in keys else f"{n}_{s}"]) for n in names) for s in ("before", "after")}
        if row["change"] != "insert":
            gone[sides["before"]] += 1
        if row["change"] != "delete":
            came[sides["after"]] += 1
        assert row["change"] != "update" or sides["before"] != sides["after"]
        assert row["change"] == "delete" or since < row["instant"] <= until
    before, after = state(folder, since, names), state(folder, until, names)
    assert gone <= before
    assert before - gone + came == after
    return found


PAIRS = [
    (f"taxi.t{i}", a, b)
    for i, z in enumerate(WITH_COMMITS)
    for a, b in itertools.pairwise(c["instant"] for c in TRUTH[z]["commits"] if c["rows_as_of"] is not None)
]


@pytest.mark.parametrize(("table", "since", "until"), PAIRS)
def test_each_commit_of_each_table(lake: dk.Lake, table: str, since: str, until: str) -> None:
    found = check(lake, table, since, until)
    commits = TRUTH[WITH_COMMITS[int(table[6:])]]["commits"]
    commit = next(c for c in commits if c["instant"] == until)
    counts = Counter(found.column("change").to_pylist())
    if commit["operation"] in ("DELETE", "COMPACT"):
        assert set(counts) <= {"delete"}
    if commit["operation"] == "COMPACT":
        assert not counts
    if commit["operation"] == "DELETE":
        before = next(c["rows_as_of"] for c in commits if c["instant"] == since)
        assert counts["delete"] == before - commit["rows_as_of"]


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_two_commits(lake: dk.Lake, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(WITH_COMMITS) - 1))
    instants = [c["instant"] for c in TRUTH[WITH_COMMITS[number]]["commits"] if c["rows_as_of"] is not None]
    one, other = sorted(data.draw(st.sampled_from(instants)) for _ in range(2))
    found = check(lake, f"taxi.t{number}", one, other)
    assert one != other or not found.num_rows


# --- tables of any rows: duplicates, NULL keys, moves between partitions

ROW = st.tuples(st.sampled_from([1, 2, 3, None]), st.sampled_from(["x", "y", None]))
STATES = st.lists(st.dictionaries(st.sampled_from(["p=1", "p=2"]), st.lists(ROW, max_size=4)), min_size=2, max_size=3)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(states=STATES, meta=st.booleans())
def test_any_states(tmp_path_factory: pytest.TempPathFactory, states: list[dict[str, list[Any]]], meta: bool) -> None:
    folder = tmp_path_factory.mktemp("any")
    table = CowTable(folder / "db" / "t", partition=["p"], meta=meta)
    schema = pa.schema([("id", pa.int64()), ("v", pa.string()), ("p", pa.int32())])
    for instant, written in zip(INSTANTS, states, strict=False):
        files = {}
        for where, rows in written.items():
            lines = [{"id": i, "v": v, "p": int(where[2:])} for i, v in rows]
            files[where, f"f{where[2:]}"] = pa.Table.from_pylist(lines, schema=schema)
        table.commit(instant, files, schema=schema)
    lake = dk.connect(folder)
    for since, until in itertools.combinations(INSTANTS[: len(states)], 2):
        check(lake, "db.t", since, until)


def ids(*values: int) -> pa.Array:
    return pa.array(values, pa.int64())


def test_what_a_row_says(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "db" / "t", partition=["p"])
    table.commit(INSTANTS[0], {
        ("p=1", "a"): pa.table({"id": ids(1, 2), "v": ["a", "b"], "p": [1, 1]}),
        ("p=2", "b"): pa.table({"id": ids(3), "v": ["c"], "p": [2]}),
        ("p=3", "c"): pa.table({"id": ids(9), "v": ["z"], "p": [3]}),
    })  # fmt: skip
    table.commit(INSTANTS[1], {
        ("p=1", "a"): pa.table({"id": ids(1), "v": ["A"], "p": [1]}),
        ("p=2", "b"): pa.table({"id": ids(3, 2, 4), "v": ["c", "b", "d"], "p": [2, 2, 2]}),
    })  # fmt: skip
    lake = dk.connect(tmp_path)
    frame = dk.hudi.changes(lake, "db.t", since=INSTANTS[0])
    assert list(frame.columns) == ["change", "instant", "partition", "id", "v_before", "v_after", "p_before", "p_after"]
    shown = frame.astype(object).where(frame.notna(), None).drop(columns="instant").values.tolist()
    assert shown == [
        ["update", "p=1", 1, "a", "A", 1, 1],
        ["update", "p=2", 2, "b", "b", 1, 2],  # it moved: one update
        ["insert", "p=2", 4, None, "d", None, 2],
    ]
    assert set(frame["instant"]) == {INSTANTS[1]}
    told = {"since": INSTANTS[0], "until": INSTANTS[1], "timezone": "UTC", "keys": ["id"]}
    assert frame.attrs["hudi"] == told
    few = dk.hudi.changes(lake, "db.t", since=INSTANTS[0], columns=["V"])
    assert few["id"].tolist() == [1, 4]
    by_name = dk.hudi.changes(lake, "db.t", since=INSTANTS[0], keys=["V"])
    assert Counter(by_name["change"]) == {"insert": 2, "delete": 1, "update": 1}


def test_a_delete_names_the_newest_commit_of_its_file_group(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "db" / "t")
    for number, instant in enumerate(INSTANTS[:3]):
        table.commit(instant, {("", "a"): pa.table({"id": ids(*range(3 - number))})})
    table.commit(INSTANTS[3], {("", "b"): pa.table({"id": ids(0)})}, operation="CLUSTER", replaced={"": ["a"]})
    frame = dk.hudi.changes(dk.connect(tmp_path), "db.t", since=INSTANTS[0])
    assert frame[["change", "id", "instant"]].values.tolist() == [
        ["delete", 1, INSTANTS[2]],
        ["delete", 2, INSTANTS[2]],
    ]


def test_only_file_groups_that_differ_are_read(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "db" / "t")
    one = {("", "a"): pa.table({"id": ids(1)}), ("", "b"): pa.table({"id": ids(2)})}
    table.commit(INSTANTS[0], one)
    table.commit(INSTANTS[1], {("", "b"): pa.table({"id": ids(2, 3)})})
    untouched = next((tmp_path / "db" / "t").glob("a_*.parquet"))
    untouched.write_bytes(b"x" * untouched.stat().st_size)
    lake = dk.connect(tmp_path)
    assert dk.hudi.changes(lake, "db.t", since=INSTANTS[0])["id"].tolist() == [3]
    with pytest.raises(UnreadableFileError):
        dk.hudi.read(lake, "db.t")


def test_made_names_keep_clear_of_the_tables_own(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "db" / "t")
    odd = {"Change": ["c"], "v": ["x"], "v_before": ["w"], "instant": ["i"], 'say "hi"': ["q"]}
    table.commit(INSTANTS[0], {("", "a"): pa.table({"id": ids(1)} | odd)})
    table.commit(INSTANTS[1], {("", "a"): pa.table({"id": ids(1)} | odd | {"v": ["y"]})})
    names = dk.hudi.changes(dk.connect(tmp_path), "db.t", since=INSTANTS[0], arrow=True).schema.names
    assert len({n.casefold() for n in names}) == len(names)
    assert names[:6] == ["change_", "instant_", "partition", "id", "Change_before", "Change_after"]
    assert names[6:10] == ["v_before_", "v_after", "v_before_before", "v_before_after"]


def test_a_column_added_between_is_null_before(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "db" / "t")
    old = pa.table({"id": ids(1, 2), "n": pa.array([1, 2], pa.int32())})
    table.commit(INSTANTS[0], {("", "a"): old})
    new = pa.table({"id": ids(1, 2), "n": ids(1, 2), "more": ["m", None]})
    table.commit(INSTANTS[1], {("", "a"): new})
    frame = dk.hudi.changes(dk.connect(tmp_path), "db.t", since=INSTANTS[0], arrow=True)
    assert frame.select(["id", "n_before", "more_before", "more_after"]).to_pylist() == [
        {"id": 1, "n_before": 1, "more_before": None, "more_after": "m"}
    ]


def test_what_is_refused(lake: dk.Lake, tmp_path: Path) -> None:
    since = TRUTH[WITH_COMMITS[0]]["commits"][0]["instant"]
    with pytest.raises(ParameterError, match="is after until"):
        dk.hudi.changes(lake, "taxi.t0", since="2030-01-01", until=since)
    with pytest.raises(ParameterError, match="keys is a list"):
        dk.hudi.changes(lake, "taxi.t0", since=since, keys="PK_ID")
    with pytest.raises(ColumnNotFoundError, match="PK_ID"):
        dk.hudi.changes(lake, "taxi.t0", since=since, keys=["PKID"])
    with pytest.raises(ParameterError, match="since is the moment"):
        dk.hudi.changes(lake, "taxi.t0", since=None)  # type: ignore[call-overload]
    with pytest.raises(HudiError, match="the first commit known"):
        dk.hudi.changes(lake, "taxi.t0", since="2000-01-01")
    table = CowTable(tmp_path / "db" / "t", keys=[])
    for number, instant in enumerate(INSTANTS[:2]):
        table.commit(instant, {("", "a"): pa.table({"id": ids(*range(1 + number))})})
    keyless = dk.connect(tmp_path)
    with pytest.raises(ParameterError, match=r"names no record key.*keys="):
        dk.hudi.changes(keyless, "db.t", since=INSTANTS[0])
    assert dk.hudi.changes(keyless, "db.t", since=INSTANTS[0], keys=["ID"])["id"].tolist() == [1]


def test_a_missing_file_of_either_state_is_an_error(tmp_path: Path) -> None:
    table = CowTable(tmp_path / "db" / "t")
    for number, instant in enumerate(INSTANTS[:3]):
        table.commit(instant, {("", "a"): pa.table({"id": ids(*range(1 + number))})})
    lake = dk.connect(tmp_path)
    next((tmp_path / "db" / "t").glob(f"a_*_{INSTANTS[0]}.parquet")).unlink()
    with pytest.raises(UnreadableFileError, match="is gone"):
        dk.hudi.changes(lake, "db.t", since=INSTANTS[0])
    assert len(dk.hudi.changes(lake, "db.t", since=INSTANTS[1])) == 1


def test_options_that_are_none_are_named(tmp_path: Path) -> None:
    with dk.connect(lake_of(tmp_path, {"t": public_table("cow/v9_txns_simple_nometa")})) as lake:
        for keys in ([], ["txn_id", "TXN_ID"]):
            with pytest.raises(ParameterError, match="keys names"):
                dk.hudi.changes(lake, "taxi.t", since="20260307135657661", keys=keys)
        found = dk.hudi.batches(lake, "taxi.t", rows=10**30)  # more than any batch holds
        assert sum(batch.num_rows for batch in found) == 12
