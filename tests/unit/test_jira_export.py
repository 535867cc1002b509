"""Export: what is written is what was there, in files that spreadsheets and BI tools take."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datalake_kit import jira
from datalake_kit.errors import DataError, ParameterError
from datalake_kit.jira.exporting import excel as export_excel
from datalake_kit.jira.exporting.excel import sheet_names
from datalake_kit.jira.exporting.export import export
from datalake_kit.jira.redaction.redact import redact

DOCUMENTS = [json.loads(p.read_text()) for p in sorted((Path(__file__).parents[1] / "data" / "jira").glob("*.json"))]


INSTANTS = ["2026-03-01T10:00+02:00", None, "2026-03-01T08:00:00.25Z", "1969-01-01T00Z"]


def everything() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "text": ["plain", "", None, 'a "quoted", one\r\nand more'],
            "number": [1.5, np.nan, 1e300, -0.1],
            "whole": pd.array([1, None, 3, -4], "Int64"),
            "yes": pd.array([True, None, False, True], "boolean"),
            "instant": pd.to_datetime(INSTANTS, utc=True, format="ISO8601"),
            "local": pd.to_datetime(["2026-03-01 10:00", None, "2026-03-02 00:00", "2026-03-02 00:00"]),
            "day": pd.to_datetime(["2026-03-01", None, "2026-03-02", "2026-03-02"]),
            "took": pd.to_timedelta(["1h", None, "-1s", "2D"]),
            "nested": [{"a": 1}, ["x"], None, []],
            "mixed": [1, "a", None, dt.date(2026, 3, 1)],
            "kind": pd.Categorical(["a", "b", None, "a"]),
        }
    )  # fmt: skip


def sheet(path: Path, name: str | None = None) -> list[list[Any]]:
    book = openpyxl.load_workbook(path)
    return [list(row) for row in (book[name] if name else book.worksheets[0]).iter_rows(values_only=True)]


def rows(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


# --- Parquet --------------------------------------------------------------------------------------------------------


def test_parquet_has_plain_types(tmp_path: Path) -> None:
    report = export(everything(), tmp_path / "a.parquet")
    schema = pq.read_schema(tmp_path / "a.parquet")
    assert {f.name: str(f.type) for f in schema} == {
        "text": "string", "number": "double", "whole": "int64", "yes": "bool", "instant": "timestamp[us, tz=UTC]",
        "local": "timestamp[us]", "day": "date32[day]", "took_seconds": "double", "nested": "string", "mixed": "string",
        "kind": "string",
    }  # fmt: skip
    assert schema.metadata is None
    found = pq.read_table(tmp_path / "a.parquet").to_pydict()
    assert found["text"] == everything()["text"].astype(object).where(everything()["text"].notna(), None).to_list()
    assert found["took_seconds"] == [3600.0, None, -1.0, 172800.0]
    assert found["nested"] == ['{"a": 1}', '["x"]', None, "[]"]
    assert found["mixed"] == ["1", "a", None, "2026-03-01"]
    assert found["instant"][0] == dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
    assert report.set_index("column").loc["mixed", "changed"] == 2


def test_parquet_names_are_ones_that_spark_takes(tmp_path: Path) -> None:
    frame = pd.DataFrame([[1, 2, 3]], columns=["Story points (new)", "Story,points;(new)", "a\tb=c"])
    report = export(frame, tmp_path / "a.parquet")
    assert pq.read_schema(tmp_path / "a.parquet").names == ["Story_points__new_", "Story_points__new__2", "a_b_c"]
    assert report["written_as"].to_list() == pq.read_schema(tmp_path / "a.parquet").names


# --- CSV ------------------------------------------------------------------------------------------------------------


def test_csv_is_utf8_with_a_mark_and_iso_instants(tmp_path: Path) -> None:
    export(everything(), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    header, *body = rows(tmp_path / "a.csv")
    assert header == [*everything().columns[:7], "took_seconds", "nested", "mixed", "kind"]
    assert body[0] == [
        "plain", "1.5", "1", "true", "2026-03-01T08:00:00Z", "2026-03-01T10:00:00", "2026-03-01", "3600", '{"a": 1}',
        "1", "a",
    ]  # fmt: skip
    assert body[3][0] == 'a "quoted", one\r\nand more'
    assert body[2][4] == "2026-03-01T08:00:00.250000Z"
    text = (tmp_path / "a.csv").read_text("utf-8-sig")
    assert '\n"",,,,' in text  # an empty text and what is missing differ


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "=cmd|' /C calc'!A0", "＝1"]
)
def test_csv_neutralises_formulas(tmp_path: Path, text: str) -> None:
    report = export(pd.DataFrame({text: [text, "a=b", "-", "x"]}), tmp_path / "a.csv")
    header, *body = rows(tmp_path / "a.csv")
    assert body[0] == ["'" + text]
    assert body[1] == ["a=b"]
    assert header[0].startswith("'")
    assert report["changed"].to_list() == [2]  # the lone minus too
    assert "apostrophe" in report["note"][0]


def test_csv_leaves_numbers_that_are_text(tmp_path: Path) -> None:
    texts = ["-1", "+4915123", "-0.5", "-1,5", "-1e5", "-"]
    export(pd.DataFrame({"a": texts}), tmp_path / "a.csv")
    assert [row[0] for row in rows(tmp_path / "a.csv")[1:]] == [*texts[:-1], "'-"]


# --- Excel ----------------------------------------------------------------------------------------------------------


def test_excel_has_cells_of_their_types(tmp_path: Path) -> None:
    report = export(everything(), tmp_path / "a.xlsx").set_index("column")
    header, *body = sheet(tmp_path / "a.xlsx")
    assert header[4:8] == ["instant (UTC)", "local", "day", "took_seconds"]
    assert body[0] == [
        "plain", 1.5, 1, True, dt.datetime(2026, 3, 1, 8), dt.datetime(2026, 3, 1, 10), dt.datetime(2026, 3, 1), 3600,
        '{"a": 1}', "1", "a",
    ]  # fmt: skip
    assert body[3][0] == 'a "quoted", one\nand more'
    assert report.loc["text", ["changed", "note"]].to_list() == [1, "1: line ends as Excel has them"]
    assert [v for v in body[1] if v is not None] == ['["x"]', "a", "b"]


@pytest.mark.parametrize("text", ["=1+1", "=SUM(A1)", "+1", "-1", "@a", "#N/A", "#REF!", " =1", "=", "＝1"])
def test_excel_holds_text_as_text(tmp_path: Path, text: str) -> None:
    report = export(pd.DataFrame({text: [text]}), tmp_path / "a.xlsx")
    for row in openpyxl.load_workbook(tmp_path / "a.xlsx").worksheets[0].iter_rows():
        assert row[0].data_type == "s"
        assert row[0].value.strip() == text.strip()
        assert row[0].quotePrefix
    assert report["changed"].to_list() == [0]


def test_what_looks_like_an_escape_of_excel_stays_text(tmp_path: Path) -> None:
    export(pd.DataFrame({"a": ["_x0041_ and _x00zz_"]}), tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        assert "_x005F_x0041_ and _x00zz_" in book.read("xl/worksheets/sheet1.xml").decode()


def test_characters_that_no_file_can_hold_are_replaced_and_counted(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": pd.Series(["a\x00b", "c\x1fd", "tab\tand\nline", "\ufffe", "e"], dtype=object)})
    for name in ("a.xlsx", "a.csv"):
        report = export(frame, tmp_path / name)
        assert report["changed"].to_list() == [3], name
    assert [r[0] for r in sheet(tmp_path / "a.xlsx")[1:]] == ["a\ufffdb", "c\ufffdd", "tab\tand\nline", "\ufffd", "e"]
    half = pd.DataFrame({"a": pd.Series(["ok", "half \ud800 of one", "😀"], dtype=object)})
    report = export(half, tmp_path / "b.parquet")
    assert report["changed"].to_list() == [1]
    assert pq.read_table(tmp_path / "b.parquet")["a"].to_pylist() == ["ok", "half \ufffd of one", "😀"]


def test_numbers_and_days_that_excel_does_not_have_are_text(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "whole": [10**15, 5], "float": [np.inf, 0.5], "decimal": [Decimal("12345678901234567.5"), Decimal("1.5")],
            "old": pd.to_datetime(["1815-12-10T01:00Z", "1999-01-01T00Z"], utc=True, format="ISO8601"),
        }
    )  # fmt: skip
    report = export(frame, tmp_path / "a.xlsx")
    assert sheet(tmp_path / "a.xlsx")[1:] == [
        ["1000000000000000", "inf", "12345678901234567.5", "1815-12-10 01:00:00"],
        [5, 0.5, 1.5, dt.datetime(1999, 1, 1)],
    ]
    assert report["changed"].to_list() == [1] * 4


def test_a_text_longer_than_a_cell_is_refused_and_not_cut(tmp_path: Path) -> None:
    fits = pd.DataFrame({"a": ["x" * 32_767], "b": ["😀" * 16_383]})
    export(fits, tmp_path / "a.xlsx")
    assert [len(v) for v in sheet(tmp_path / "a.xlsx")[1]] == [32_767, 16_383]
    for long in ("x" * 32_768, "😀" * 16_384):
        with pytest.raises(DataError, match=r"32,767 characters.*b \(1 cells\).*drop"):
            export(fits.assign(b=long), tmp_path / "b.xlsx")
    assert not (tmp_path / "b.xlsx").exists()


def test_more_rows_or_columns_than_excel_has_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1,048,575 rows"):
        export(pd.DataFrame({"a": np.zeros(1_048_576)}), tmp_path / "a.xlsx")
    with pytest.raises(DataError, match="16,384 columns"):
        export(pd.DataFrame(np.zeros((1, 16_385))), tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_the_last_row_that_excel_has_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_excel, "MAX_ROWS", 4)
    export(pd.DataFrame({"a": [1, 2, 3]}), tmp_path / "a.xlsx")
    assert len(sheet(tmp_path / "a.xlsx")) == 4
    with pytest.raises(DataError, match="3 rows"):
        export(pd.DataFrame({"a": [1, 2, 3, 4]}), tmp_path / "a.xlsx")


def test_several_frames_are_several_sheets(tmp_path: Path) -> None:
    frames = {"issues": pd.DataFrame({"a": [1]}), "a/b": pd.DataFrame({"b": ["x"]}), "A:B": pd.DataFrame()}
    report = export(frames, tmp_path / "a.xlsx")
    assert openpyxl.load_workbook(tmp_path / "a.xlsx").sheetnames == ["issues", "a_b", "A_B_"]
    assert sheet(tmp_path / "a.xlsx", "a_b") == [["b"], ["x"]]
    assert report["sheet"].to_list() == ["issues", "a_b"]
    for name in ("a.csv", "a.parquet"):
        with pytest.raises(DataError, match="one frame, and there are 3"):
            export(frames, tmp_path / name)


@given(st.lists(st.text(max_size=40), max_size=8, unique=True))
def test_names_of_sheets_are_ones_that_excel_takes(wanted: list[str]) -> None:
    made = list(sheet_names(wanted).values())
    assert len({name.casefold() for name in made}) == len(wanted)
    for name in made:
        assert 0 < len(name) <= 31
        assert not set(name) & set("[]:*?/\\")
        assert not name.startswith("'")
        assert name.casefold() != "history"


# --- all formats ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_headings_are_unique_and_in_one_line(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame([[1, 2, 3, 4, 5]], columns=["a", "A", "two\nlines", "", 7])
    report = export(frame, tmp_path / f"a{suffix}")
    written = report["written_as"].to_list()
    assert [w.replace(" ", "_") for w in written] == ["a", "A_2", "two_lines", "column_4", "7"]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_levels_of_the_index_that_have_names_are_columns(tmp_path: Path, suffix: str) -> None:
    frame = pd.DataFrame({"n": [1, 2]}, index=pd.Index(["x", "y"], name="status"))
    assert export(frame, tmp_path / f"a{suffix}")["written_as"].to_list() == ["status", "n"]
    counted = pd.DataFrame({"n": [1]}, index=[17])
    assert export(counted, tmp_path / f"b{suffix}")["written_as"].to_list() == ["n"]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_the_real_documents_come_back(tmp_path: Path, suffix: str) -> None:
    text = [{k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in d.items()} for d in DOCUMENTS]
    frame = jira.unpack_fields(pd.DataFrame(text)).drop(columns=["changelog"])
    before = frame.copy(deep=True)
    path = tmp_path / f"issues{suffix}"
    export(frame, path)
    pd.testing.assert_frame_equal(frame, before)
    keys, summaries = _read(path)
    assert keys == frame["key"].to_list()
    expected = [None if pd.isna(v) else v for v in frame["summary"]]
    assert summaries == expected


def _read(path: Path) -> tuple[list[Any], list[Any]]:
    if path.suffix == ".parquet":
        table = pq.read_table(path)
        return table["key"].to_pylist(), table["summary"].to_pylist()
    header, *body = rows(path) if path.suffix == ".csv" else sheet(path)
    places = header.index("key"), header.index("summary")
    keys, summaries = ([row[place] or None for row in body] for place in places)
    return keys, [v[1:] if v and v.startswith("'-") else v for v in summaries]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_an_empty_frame_is_a_file_with_headings(tmp_path: Path, suffix: str) -> None:
    export(pd.DataFrame({"a": pd.Series(dtype="str"), "b": pd.Series(dtype="float64")}), tmp_path / f"a{suffix}")
    header = {
        ".csv": lambda p: rows(p)[0], ".xlsx": lambda p: sheet(p)[0], ".parquet": lambda p: pq.read_schema(p).names
    }[suffix]  # fmt: skip
    assert header(tmp_path / f"a{suffix}") == ["a", "b"]
    export(pd.DataFrame(), tmp_path / f"b{suffix}")
    assert (tmp_path / f"b{suffix}").exists()


def test_a_file_that_was_there_stays_when_the_export_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    export(pd.DataFrame({"a": [1]}), path)
    before = path.read_bytes()
    with pytest.raises(DataError):
        export(pd.DataFrame({"a": ["x" * 40_000]}), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Did you mean \.xlsx"):
        export(pd.DataFrame(), tmp_path / "a.xls")
    with pytest.raises(DataError, match="no frame"):
        export({}, tmp_path / "a.xlsx")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.none(), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_from_parquet_and_csv(tmp_path: Path, texts: list[str | None]) -> None:
    frame = pd.DataFrame({"n": range(len(texts)), "a": pd.array(texts, dtype=pd.ArrowDtype(pa.string()))})
    report = export(frame, tmp_path / "a.parquet").set_index("column")
    found = pq.read_table(tmp_path / "a.parquet")["a"].to_pylist()
    assert sum(a != b for a, b in zip(found, texts, strict=True)) == report.loc["a", "changed"]
    export(frame, tmp_path / "a.csv")
    back = [row[1] for row in rows(tmp_path / "a.csv")[1:]]
    for shown, text in zip(back, found, strict=True):
        assert shown in ((text or ""), "'" + (text or ""))


@pytest.mark.parametrize("odd", [None, 5, "issues", [pd.DataFrame()], {"a": 5}])
def test_what_is_no_frame_is_refused_in_words(tmp_path: Path, odd: Any) -> None:
    with pytest.raises(ParameterError, match=r"export takes a frame.*\.frame\(\)"):
        export(odd, tmp_path / "issues.csv")
    with pytest.raises(ParameterError, match="redact takes a frame"):
        redact(odd, key="sixteen bytes or more")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("keep", [None, 5, [5]])
def test_columns_to_keep_are_names(keep: Any) -> None:
    with pytest.raises(ParameterError, match="keep= takes names of columns"):
        redact(pd.DataFrame({"key": ["A-1"]}), keep, key="sixteen bytes or more")
