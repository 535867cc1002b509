"""Thousands of random worlds: what their tables should hold, which keys differ when one is damaged, and why.

`DATALAKE_KIT_WORLDS=10000` tries as many worlds in each test; benchmarks/worlds.py runs it so.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import datalake_kit as dk
from datalake_kit.cdc.explain import Explanation, explain
from datalake_kit.cdc.explain.case import COPIES, LATE, MOVED, NULL_PARTITION, PART_WITHHELD, STOPPED, WITHHELD
from tests.pipelines import case_of, kinds, leave, rows_by_key
from tests.worlds import World, expected_rows, runs, worlds
from tests.worlds_on_disk import Style, packed, random_world, write_hudi, write_parquet, write_staging

MANY = int(os.environ.get("DATALAKE_KIT_WORLDS", "0"))
BY_PIPELINE = {MOVED, NULL_PARTITION, COPIES, LATE}


def examples(usual: int) -> settings:
    return settings(max_examples=MANY or usual, deadline=None)


def reasons_of(world: World, lake: list[Any], **fields: Any) -> dict[Any, Explanation]:
    return explain(case_of(world, lake, **fields))


def named_in(world: World, reason: Explanation) -> frozenset[int]:
    """The files of which an explanation says that they, or a part of them, were never processed."""
    told = re.sub(r"the (deletes|inserts and updates) of ", "", reason.text)
    names = {n for part in re.findall(r"([^;]+?) (?:was|were) never processed", told) for n in part.split(", ")}
    return frozenset(n for n, f in enumerate(world.dms_files()) if f.name in {x.strip() for x in names})


def ways(world: World, without: frozenset[int] = frozenset(), order: Any = None) -> Iterator[dict[Any, list[Any]]]:
    """What each pipeline leaves of each key, some files never processed."""
    lost = world.without(*without)
    for p, w, c in product((False, True), repeat=3):
        yield rows_by_key(leave(lost, order, by_partition=p, late_wins=w, copies=c))


def groupings(world: World) -> list[list[list[int]]]:
    """Every way in which neighbouring change files can have gone in together; first each alone."""
    found = [[[n] for n in range(world.loads)]]
    for n in range(world.loads, len(world.files)):
        joined = [[*g[:-1], [*g[-1], n]] for g in found if n > world.loads]
        found = [[*g, [n]] for g in found] + joined
    return found


def check_soundness(world: World, lake: list[Any], reasons: dict[Any, Explanation], order: Any = None) -> None:
    """Every explanation, played by the oracle, leaves what the lake has of its key, and speaks against no sound key.

    Which files went in together is open where no `order` is given.
    """
    theirs, ours = rows_by_key(lake), rows_by_key(expected_rows(world, "S"))
    absent = {k: named_in(world, r) for k, r in reasons.items()}
    for key, reason in reasons.items():
        if reason.text.startswith("unexplained"):
            continue
        orders = [*([order] if order else groupings(world)), *_turns(world, reason)]
        assert _plays(world, key, theirs, absent[key], orders), (key, reason)
        if absent[key] and "; " not in reason.text:  # restored, the files make the key what it should be
            assert _plays(world, key, ours, frozenset(), orders), (key, reason)
    lost: frozenset[int] = frozenset().union(
        *(files for k, files in absent.items() if reasons[k].cause != PART_WITHHELD)
    )
    touched = {(row[1], lost) for n in lost for row in world.files[n]}
    touched |= {(key, lost | {n}) for key, n in _of_parts(world, reasons)}
    for other, gone in touched:
        if other not in reasons:
            assert _plays(world, other, theirs, gone, [order] if order else groupings(world)), (other, reasons)


def _of_parts(world: World, reasons: dict[Any, Explanation]) -> Iterator[tuple[Any, int]]:
    """The keys that those parts of files touch last of which it is said that they were never processed."""
    for reason in reasons.values():
        if reason.cause == PART_WITHHELD:
            for n in named_in(world, reason):
                last = {row[1]: row[0] for row in sorted(world.files[n], key=lambda r: r[4])}
                yield from ((k, n) for k, op in last.items() if (op == "D") == ("the deletes of" in reason.text))


def _plays(world: World, key: Any, rows: dict[Any, list[Any]], absent: frozenset[int], orders: list[Any]) -> bool:
    """Whether a pipeline leaves some rows of a key."""
    world = world.only(key)
    return any(left.get(key, []) == rows.get(key, []) for order in orders for left in ways(world, absent, order))


def _turns(world: World, reason: Explanation) -> list[Any]:
    """Orders in which a file named as late can have been processed."""
    if reason.cause != LATE:
        return []
    count = len(world.files)
    late = [n for n, f in enumerate(world.dms_files()) if f.name == reason.file]
    return [
        [[n] for n in [*(n for n in range(count) if n not in late and n <= after), *late, *range(after + 1, count)]]
        for after in range(count)
    ]


files_lost = st.sets(st.integers(0, 5), min_size=1, max_size=3)


@pytest.mark.slow
@examples(1500)
@given(worlds(tidy=True, moves=False, most_files=5, most_loads=2), files_lost)
def test_files_that_were_withheld_explain_every_key(world: World, lost: set[int]) -> None:
    lost &= set(range(len(world.files)))
    lake = leave(world.without(*lost))
    reasons = reasons_of(world, lake)
    assume(reasons)
    assert {r.cause for r in reasons.values()} <= {WITHHELD, STOPPED}, reasons
    check_soundness(world, lake, reasons)
    named = frozenset(n for r in reasons.values() for n in named_in(world, r))
    assert leave(world.without(*named)) == lake
    if len(lost) == 1 and all(
        len({f for f, rows in enumerate(world.files) for r in rows if r[1] == k}) < 3 for k in reasons
    ):
        assert named == lost


@pytest.mark.slow
@examples(800)
@given(worlds(tidy=True, most_files=5, most_loads=2), files_lost, st.booleans())
def test_withheld_files_and_partitions_that_moved(world: World, lost: set[int], none_lost: bool) -> None:
    lost = set() if none_lost else lost & set(range(len(world.files)))
    lake = leave(world.without(*lost), by_partition=True)
    reasons = reasons_of(world, lake)
    assert not [r for r in reasons.values() if r.text.startswith("unexplained")], reasons
    assert reasons.keys() == kinds(expected_rows(world, "S"), lake).keys()
    check_soundness(world, lake, reasons)


@pytest.mark.slow
@examples(800)
@given(worlds(most_files=5, most_loads=2), files_lost, st.booleans(), st.booleans(), st.booleans(), st.booleans())
def test_explanations_of_untidy_worlds_are_sound(
    world: World, lost: set[int], none_lost: bool, by_partition: bool, late_wins: bool, copies: bool
) -> None:
    lost = set() if none_lost else lost & set(range(len(world.files)))
    lake = leave(world.without(*lost), by_partition=by_partition, late_wins=late_wins, copies=copies)
    check_soundness(world, lake, reasons_of(world, lake))


@pytest.mark.slow
@examples(500)
@given(worlds(tidy=True, moves=False, most_files=5), st.integers(0, 6))
def test_a_run_that_stopped_is_told(world: World, last: int) -> None:
    assume(last < len(world.files) - 1)
    gone = range(last + 1, len(world.files))
    lake = leave(world.without(*gone))
    reasons = reasons_of(world, lake, last_commit="20260301")
    check_soundness(world, lake, reasons)
    for reason in (r for r in reasons.values() if r.cause == STOPPED):
        after = [
            n for n, f in enumerate(world.dms_files()) if f"stopped after {f.name} (commit 20260301)" in reason.text
        ]
        assert leave(world.without(*range(after[0] + 1 if after else 0, len(world.files)))) == lake
    if len(gone) > 1 and reasons and all(world.files[n] for n in gone) and lake:
        assert {r.cause for r in reasons.values()} <= {STOPPED, WITHHELD}


@pytest.mark.slow
@examples(800)
@given(worlds(tidy=True, most_files=5), st.data())
def test_damaged_rows_are_found_and_never_explained_falsely(world: World, data: st.DataObject) -> None:
    by_partition = data.draw(st.booleans())
    healthy = leave(world, by_partition=by_partition)
    assume(healthy)
    lake = list(healthy)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lake) - 1)) if lake else None
        if at is None:
            break
        kind = data.draw(st.sampled_from(["value", "lost", "twice", "partition"]))
        key, part, value, sequence = lake[at]
        lake[at] = (key, part, value if kind != "value" else value + 5000, sequence)
        if kind == "lost":
            del lake[at]
        elif kind == "twice":
            lake.append(lake[at])
        elif kind == "partition":
            lake[at] = (key, 7, value, sequence)
    reasons = reasons_of(world, lake)
    assert reasons.keys() == kinds(expected_rows(world, "S"), lake).keys()
    check_soundness(world, lake, reasons)
    strange = {row[0] for row in lake if row not in healthy}
    assert all(reasons[k].text.startswith("unexplained") for k in strange)


@pytest.mark.slow
@examples(500)
@given(worlds(tidy=True, most_files=6), st.data())
def test_files_that_went_in_together(world: World, data: st.DataObject) -> None:
    runs: list[list[int]] = [[0]]
    for n in range(1, len(world.files)):
        if n > 1 and data.draw(st.booleans()):
            runs[-1].append(n)
        else:
            runs.append([n])
    lake = leave(world, runs, by_partition=True)
    commits = ["" if data.draw(st.integers(0, 3)) == 0 else f"{r:03d}" for r, files in enumerate(runs) for _ in files]
    known = [f"{r:03d}" for r, files in enumerate(runs) for _ in files]
    assert not [r for r in reasons_of(world, lake, commits=known).values() if r.text.startswith("unexplained")]
    check_soundness(world, lake, reasons_of(world, lake, commits=commits), runs)
    check_soundness(world, lake, reasons_of(world, lake))


# --- through files on disk, many worlds in one table


PACKS = range(max(24, MANY // 40))
STYLES = [Style("int"), Style("text"), Style("composite"), Style("int", widened=3)]


def pack(seed: int, *, tidy: bool, moves: bool) -> tuple[Random, World, Style]:
    """Forty worlds in one table, and how their files look."""
    random = Random(seed)
    files, loads = random.randint(1, 5), random.randint(1, 2)
    one = [random_world(random, tidy=tidy, moves=moves, files=files, loads=loads) for _ in range(40)]
    style = STYLES[seed % len(STYLES)]
    return random, packed(one), style if tidy else Style(style.keys)


@pytest.mark.parametrize("seed", PACKS)
def test_expected_states(seed: int, tmp_path: Path) -> None:
    _, world, style = pack(seed, tidy=seed % 3 == 0, moves=True)
    write_staging(world, tmp_path, style)
    files = dk.cdc.files(tmp_path)
    for mode in ("S", "H"):
        found = dk.cdc.expected(files, keys=style.names, mode=mode)
        should = style.table(
            expected_rows(world, mode),
            wide=style.widened is not None and style.widened < len(files),
            wide_values=style.wide_values(world),
        )
        assert found.rows == should.num_rows
        assert _sorted(found.table.select(should.schema.names)) == _sorted(should)
    told = dk.cdc.expected(files, keys=style.names)
    assert list(zip(*(told.runs[c] for c in ("inserts", "updates", "deletes")), strict=True)) == runs(world)
    assert never_seen(world, style) == {
        (kind, key) for kind, key in zip(told.untrusted["kind"], told.untrusted["key"], strict=True) if "never" in kind
    }


def _sorted(table: pa.Table) -> list[tuple[Any, ...]]:
    return sorted(zip(*(c.to_pylist() for c in table.columns), strict=True), key=repr)


def never_seen(world: World, style: Style) -> set[tuple[str, Any]]:
    """Keys of which the first that is known is an update or a delete, by the definition."""
    first: dict[int, str] = {row[1]: "L" for row in world.full}
    for *_, row in sorted(world.changes, key=lambda c: c[:3]):
        first.setdefault(row[1], row[0])
    words = {"U": "update of a key never seen", "D": "delete of a key never seen"}
    return {(words[op], style.key(key)) for key, op in first.items() if op in words}


@pytest.mark.parametrize("seed", PACKS)
def test_damaged_tables_on_disk(seed: int, tmp_path: Path) -> None:
    hudi = seed % 3 == 0
    random, world, style = pack(1000 + seed, tidy=True, moves=hudi)
    lost = random.sample(range(len(world.files)), random.choice((0, 1, 1, 2)) if len(world.files) > 2 else 0)
    if hudi:
        lake = write_hudi(world, tmp_path / "db" / "t", style, lost)
    else:
        lake = _hurt(random, whole := leave(world.without(*lost)))
        write_parquet(world, lake, tmp_path / "db" / "t", style)
    write_staging(world, tmp_path / "_raw" / "staging", style)
    with dk.connect(tmp_path) as opened:
        check = dk.cdc.validate(opened, ["db.t"], level="values", keys=style.names)
    told = check.findings[check.findings["kind"] != "unverified"]
    should = kinds(expected_rows(world, "S"), lake)
    assert dict(zip(told["key"], told["kind"], strict=True)) == {style.key(k): kind for k, kind in should.items()}
    assert check.ok == (not should)
    numbers = {style.key(k): k for k in should}
    reasons = {
        numbers[key]: Explanation(text.split(" (2 rows;")[0].split(" (3 rows;")[0], file, cause=_cause(text))
        for key, text, file in zip(told["key"], told["explanation"], told["file"], strict=True)
    }
    check_soundness(world, lake, reasons, [[n] for n in range(len(world.files))] if hudi else None)
    if hudi or lake == whole:  # files lost, and nothing else: all is explained, and by none but these
        assert not [r for r in reasons.values() if r.text.startswith("unexplained")]
        assert frozenset().union(*(named_in(world, r) for r in reasons.values())) <= set(lost)


def _cause(text: str) -> str:
    if text.startswith("the ") and "never processed" in text:
        return PART_WITHHELD
    return LATE if "processed after newer" in text or "older change" in text else ""


def _hurt(random: Random, lake: list[Any]) -> list[Any]:
    """Now and then lose a row, double one, or change a value."""
    for _ in range(random.choice((0, 0, 1, 3)) if lake else 0):
        at = random.randrange(len(lake))
        key, part, value, sequence = lake[at]
        lake = [
            *lake[:at],
            *random.choice(([], [lake[at]] * 2, [(key, part, value + 900_000, sequence)])),
            *lake[at + 1 :],
        ]
    return lake
