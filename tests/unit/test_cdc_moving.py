"""A source that moves: rows that it changed after the cut are lag, and what was lost before it is loss."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import datalake_kit as dk
from datalake_kit.cdc.moving import moment_of
from datalake_kit.cli import app
from datalake_kit.errors import ColumnNotFoundError, NotFoundError, ParameterError

TO_EXPECTED, PAST_STAGING = "source -> expected", "source -> lake"
CUT = dt.datetime(2021, 1, 1, 10, 0, 0)
SEQUENCE = "202101011000000000000000000000000"
ROWS = 40


def row(key: int, fare: float, changed: dt.datetime = CUT - dt.timedelta(hours=2), seq: str = "") -> dict[str, Any]:
    return {"PK_ID": key, "FARE": fare, "CHANGED": changed, "CDC_TIMESTAMP_SEQ": seq}


def write(rows: list[dict[str, Any]], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), file)


def lake(folder: Path, *, staged: bool = True) -> list[dict[str, Any]]:
    """Full load, three changes up to the cut, a lake that holds what they lead to; gives the rows."""
    loaded = [row(k, k / 4) for k in range(1, ROWS + 1)]
    changes = [("U", row(5, 0.25, CUT)), ("D", row(6, 1.5, CUT)), ("I", row(ROWS + 1, 9.75, CUT))]
    changes = [(op, {**r, "CDC_TIMESTAMP_SEQ": f"{SEQUENCE}{i:02d}"}) for i, (op, r) in enumerate(changes)]
    if staged:
        staging = folder / "_raw/staging/shop/t"
        write(loaded, staging / "LOAD00000001.parquet")
        write([{"Op": op, **r} for op, r in changes], staging / "2021/01/01/20210101-100000000.parquet")
    state = {r["PK_ID"]: r for r in loaded} | {r["PK_ID"]: r for op, r in changes}
    del state[6]
    write(list(state.values()), folder / "shop/t/part.parquet")
    return list(state.values())


def moved(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The source some minutes after the cut: a change, a new row and a delete; a change and a row were lost before."""
    late, early = CUT + dt.timedelta(minutes=5), CUT - dt.timedelta(minutes=5)
    source = {r["PK_ID"]: {k: v for k, v in r.items() if k != "CDC_TIMESTAMP_SEQ"} for r in rows}
    source[7] = {"PK_ID": 7, "FARE": 70.0, "CHANGED": late}
    source[900] = {"PK_ID": 900, "FARE": 1.0, "CHANGED": late + dt.timedelta(seconds=1)}
    source[8] = {"PK_ID": 8, "FARE": 80.0, "CHANGED": early}
    source[901] = {"PK_ID": 901, "FARE": 1.0, "CHANGED": early}
    del source[9]
    return pd.DataFrame(list(source.values()))


def only_late(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The source after the cut, and nothing was lost."""
    frame = moved(rows)
    sound = pd.DataFrame([{k: v for k, v in r.items() if k != "CDC_TIMESTAMP_SEQ"} for r in rows])
    lost = frame["PK_ID"].isin([8, 901])
    return pd.concat([frame[~lost], sound[sound["PK_ID"].isin([8, 9])]])


def validated(folder: Path, source: Any, **options: Any) -> dk.cdc.Validation:
    with dk.connect(folder) as opened:
        given: dict[str, Any] = {"keys": "PK_ID", "level": "values", "source": source, **options}
        return dk.cdc.validate(opened, ["shop.t"], **given)


def found(check: dk.cdc.Validation) -> set[tuple[int, str]]:
    return {(int(f.key), f.kind) for f in check.findings.itertuples()}


# --- lag and loss


@pytest.mark.parametrize("as_file", [False, True])
@pytest.mark.parametrize("staged", [True, False])
def test_rows_changed_after_the_cut_are_lag_and_others_are_lost(staged: bool, as_file: bool, tmp_path: Path) -> None:
    frame = moved(lake(tmp_path, staged=staged))
    source: Any = frame
    if as_file:
        source = tmp_path / "source.parquet"
        frame.to_parquet(source, index=False)
    check = validated(tmp_path, source, changed_at="changed")
    assert found(check) == {(8, "changed"), (901, "missing"), (9, "extra")}
    assert set(check.findings["hop"]) == {TO_EXPECTED if staged else PAST_STAGING}
    assert check.summary[["lag", "missing", "extra", "changed"]].values.tolist() == [[2, 1, 1, 1]]
    extra = check.findings[check.findings["kind"] == "extra"]["explanation"].item()
    assert extra.startswith("unexplained: ")
    assert extra.endswith("or deleted in the source after the cut")
    assert "2 keys are newer in the source than the cut (2021-01-01 10:00:00 UTC, the" in check.sentence + str(
        check.summary["explanation"].item()
    )
    everything = validated(tmp_path, source)
    assert found(everything) == found(check) | {(7, "changed"), (900, "missing")}
    assert "after the cut" not in str(everything.to_dict())


@pytest.mark.parametrize("level", ["counts", "keys", "values"])
@pytest.mark.parametrize("staged", [True, False])
def test_a_source_that_only_moved_on_is_equal(staged: bool, level: str, tmp_path: Path) -> None:
    rows = lake(tmp_path, staged=staged)
    check = validated(tmp_path, only_late(rows), changed_at="CHANGED", level=level)
    assert check.ok, check.sentence
    late = 1 if level == "keys" and not staged else 2  # the new row has a key of its own, the changed one does not
    assert check.summary[["source", "lake", "lag"]].values.tolist() == [[ROWS + 1, ROWS, late]]
    assert check.checks["passed"].all(), check.checks
    assert not validated(tmp_path, only_late(rows), level=level).ok


@pytest.mark.parametrize(
    ("until", "late"),
    [
        (CUT + dt.timedelta(minutes=5), {900}),
        ("2021-01-01T12:05:00+02:00", {900}),
        (f"{SEQUENCE}99", {7, 900}),
        (dt.date(2021, 1, 1), set()),
    ],
)
def test_a_cut_may_be_given_as_a_time_or_a_sequence(until: Any, late: set[int], tmp_path: Path) -> None:
    frame = only_late(lake(tmp_path))
    check = validated(tmp_path, frame, changed_at="CHANGED", until=until)
    assert {k for k, _ in found(check)} == {7, 900} - late
    assert check.summary["lag"].item() == len(late)


@pytest.mark.parametrize("staged", [True, False])
def test_a_cut_without_changed_at_says_that_the_source_is_as_it_is_now(staged: bool, tmp_path: Path) -> None:
    rows = lake(tmp_path, staged=staged)
    same = pd.DataFrame(rows).drop(columns="CDC_TIMESTAMP_SEQ")
    check = validated(tmp_path, same, until=CUT)
    assert check.ok
    assert "compared as it is now, not at the cut" in check.summary["explanation"].item()
    assert "as it is now" not in str(validated(tmp_path, same, until=CUT, changed_at="CHANGED").to_dict())


def test_a_row_that_waits_longer_than_max_lag_is_a_difference(tmp_path: Path) -> None:
    frame = only_late(lake(tmp_path))
    old = validated(tmp_path, frame, changed_at="CHANGED", max_lag="6h")
    assert old.status == "different"
    assert "waits for" in old.sentence
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None) - dt.timedelta(minutes=1)
    frame["CHANGED"] = frame["CHANGED"].where(frame["CHANGED"] <= CUT, now)
    assert validated(tmp_path, frame, changed_at="CHANGED", max_lag="6h").ok


def test_without_any_change_the_full_load_is_the_cut(tmp_path: Path) -> None:
    rows = [row(k, k / 4) for k in range(1, 9)]
    write(rows, tmp_path / "_raw/staging/shop/t/LOAD00000001.parquet")
    write(rows, tmp_path / "shop/t/part.parquet")
    soon = dt.datetime.now(dt.UTC).replace(tzinfo=None) + dt.timedelta(hours=1)
    source = pd.DataFrame([*rows, row(20, 1.0, soon), row(21, 1.0)]).drop(columns="CDC_TIMESTAMP_SEQ")
    check = validated(tmp_path, source, changed_at="CHANGED")
    assert found(check) == {(21, "missing")}
    assert "when the full load landed" in check.summary["explanation"].item()


# --- columns of other types


def test_a_date_is_later_only_on_a_later_day_and_text_and_sequences_count_too(tmp_path: Path) -> None:
    frame = only_late(lake(tmp_path))
    day = pd.Series(frame["CHANGED"].dt.date, dtype="object")
    check = validated(tmp_path, frame.assign(D=day), changed_at="D")
    assert found_keys(check) == {7, 900}
    tomorrow = day.where(frame["CHANGED"] <= CUT, dt.date(2021, 1, 2))
    late = {
        "date": tomorrow,
        "text": frame["CHANGED"].dt.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "sequence": frame["CHANGED"].dt.strftime("%Y%m%d%H%M%S%f") + "0" * 15,
        "number": frame["CHANGED"].dt.strftime("%Y%m%d%H%M%S").astype("int64"),
        "zone": frame["CHANGED"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
    }
    for name, values in late.items():
        told = validated(tmp_path, frame.assign(D=values), changed_at="D")
        assert told.summary["lag"].item() == 2, name
        assert not found_keys(told), name


def found_keys(check: dk.cdc.Validation) -> set[int]:
    return {int(k) for k in check.findings["key"].dropna()}


def test_counters_of_the_source_are_held_against_a_cut_that_is_a_counter(tmp_path: Path) -> None:
    rows = [{"PK_ID": k, "FARE": 1.0, "VERSION": k} for k in range(1, 13)]
    write(rows[:9], tmp_path / "shop/t/part.parquet")
    source = pd.DataFrame(rows)
    check = validated(tmp_path, source, changed_at="VERSION", until="10")
    assert (found_keys(check), check.summary["lag"].item()) == ({10}, 2)
    with_time = validated(tmp_path, source, changed_at="VERSION", until=CUT)
    assert with_time.status == "not compared"
    assert "VERSION, whose values, such as 12, cannot be compared with the cut (2021-01-01" in with_time.sentence
    masked = validated(tmp_path, source, changed_at="VERSION", until=CUT, mask=["version"])
    assert "such as" not in masked.sentence


@pytest.mark.parametrize("value", [1609495200.5, True, [1], 1609495200000])
def test_types_that_cannot_be_held_against_the_cut(value: Any, tmp_path: Path) -> None:
    frame = only_late(lake(tmp_path))
    check = validated(tmp_path, frame.assign(D=[value] * len(frame)), changed_at="D")
    assert check.status == "not compared"
    assert "changed_at names D" in check.sentence
    assert "cannot be compared with the cut" in check.sentence


def test_a_cut_that_is_no_time_for_a_column_of_times(tmp_path: Path) -> None:
    rows = lake(tmp_path, staged=False)
    bare = [{k: v for k, v in r.items() if k != "CDC_TIMESTAMP_SEQ"} for r in rows]
    write(bare, tmp_path / "shop/t/part.parquet")
    check = validated(tmp_path, only_late(rows), changed_at="CHANGED", until="17")
    assert check.status == "not compared"
    assert "the cut (17, as asked for) is no time" in check.sentence
    assert "neither a time" in validated(tmp_path, only_late(rows), until="yesterday").sentence


@pytest.mark.parametrize("mode", ["S", "H"])
def test_a_lake_that_went_on_is_compared_with_an_older_source_at_the_cut(mode: Any, tmp_path: Path) -> None:
    rows = lake(tmp_path, staged=False)
    source = pd.DataFrame(rows).drop(columns="CDC_TIMESTAMP_SEQ")
    later = f"20210101100500{'0' * 21}"
    ahead = [row(7, 70.0, CUT, later), row(900, 1.0, CUT, later)]
    kept = rows if mode == "H" else [r for r in rows if r["PK_ID"] != 7]
    write([*kept, *ahead, row(901, 1.0)], tmp_path / "shop/t/part.parquet")
    check = validated(tmp_path, source, mode=mode, until=CUT + dt.timedelta(minutes=1))
    assert found(check) == {(901, "extra")}
    assert check.summary["lag"].fillna(0).item() == (0 if mode == "H" else 2)
    assert ("2 keys are newer in the lake than the cut" in check.sentence) == (mode == "S")
    assert {k for k, _ in found(validated(tmp_path, source, mode=mode))} == {7, 900, 901}


# --- bad input


def test_a_column_that_the_source_does_not_have(tmp_path: Path) -> None:
    frame = only_late(lake(tmp_path))
    with pytest.raises(ColumnNotFoundError, match="CHANGED"):
        validated(tmp_path, frame, changed_at="CHANGD")
    with pytest.raises(NotFoundError, match="No table 's'"):
        validated(tmp_path, frame, changed_at={"shop.s": "CHANGED"})
    with pytest.raises(ParameterError, match="changed_at is the name"):
        validated(tmp_path, frame, changed_at=5)
    with pytest.raises(ParameterError, match="Give source= too"):
        validated(tmp_path, None, changed_at="CHANGED")
    assert validated(tmp_path, frame, changed_at={"SHOP.T": "CHANGED"}).ok


def test_the_command_line_takes_it(tmp_path: Path) -> None:
    frame = only_late(lake(tmp_path))
    frame.to_parquet(tmp_path / "source.parquet", index=False)
    given = ["validate", "shop.t", "--lake", str(tmp_path), "--key", "PK_ID", "--source", tmp_path / "source.parquet"]
    assert CliRunner().invoke(app, list(map(str, given))).exit_code == 1
    done = CliRunner().invoke(app, list(map(str, [*given, "--changed-at", "CHANGED"])))
    assert done.exit_code == 0, done.output


def test_the_time_of_a_sequence_is_the_end_of_what_it_names() -> None:
    assert moment_of("20260301101207" + "37" + "0" * 19) == dt.datetime(2026, 3, 1, 10, 12, 7, 379999)
    assert moment_of("20260301101207123456" + "0" * 15) == dt.datetime(2026, 3, 1, 10, 12, 7, 123456)
    assert moment_of("20260301101207") == dt.datetime(2026, 3, 1, 10, 12, 7, 999999)
    assert moment_of(dt.date(2026, 3, 1)) == moment_of("2026-03-01") == dt.datetime(2026, 3, 1, 23, 59, 59, 999999)
    assert moment_of("17121012101010") is None
    assert moment_of("nonsense") is moment_of("20261301101207") is None
