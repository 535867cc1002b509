"""Slips of the pen in the options of `validate` are refused by name; none counts for nothing, or decides a verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import datalake_kit as dk
from datalake_kit.errors import DataError, DatalakeKitError, NotFoundError, ParameterError, UnreadableFileError


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[dk.Lake]:
    rows = pd.DataFrame({"ID": [1, 2], "NAME": ["Ada", "Alan"]})
    for table in ("orders", "items"):
        for folder, file in ((f"shop/{table}", "a"), (f"_raw/staging/shop/{table}", "LOAD00000001")):
            (tmp_path / "lake" / folder).mkdir(parents=True)
            rows.to_parquet(tmp_path / "lake" / folder / f"{file}.parquet")
    pd.DataFrame({"ID": [1, 2], "NAME": ["Ada", "Alonzo"], "SALARY": [1, 2]}).to_parquet(
        tmp_path / "lake/_raw/staging/shop/orders/LOAD00000001.parquet"
    )
    with dk.connect(tmp_path / "lake") as opened:
        yield opened


def check(lake: dk.Lake, **options: Any) -> dk.cdc.Validation:
    return dk.cdc.validate(lake, ["shop.orders"], **{"keys": "ID", "level": "values"} | options)


@pytest.mark.parametrize("mask", [["NAMES"], ["NAME", "nmae"], "Nome"])
def test_a_mistyped_mask_is_refused_and_shows_nothing(lake: dk.Lake, mask: Any) -> None:
    with pytest.raises(ParameterError, match="mask names") as refused:
        check(lake, mask=mask)
    assert "Alonzo" not in str(refused.value)


@pytest.mark.parametrize("mask", ["name", ["NAME"], ["NAME", "salary"]])
def test_a_mask_of_columns_of_the_lake_or_of_the_files_alone(lake: dk.Lake, mask: Any) -> None:
    found = check(lake, mask=mask)
    assert not found.ok
    assert not any("Alonzo" in text for text in (found.to_html(), found.to_markdown(), str(found.to_dict())))


def test_a_mask_of_a_column_of_the_source_alone(lake: dk.Lake) -> None:
    source = pd.DataFrame({"ID": [1, 2], "NAME": ["Ada", "Alonzo"], "SALARY": [1, 2], "BORN": [1815, 1912]})
    assert "1815" not in check(lake, source=source, mask=["BORN"]).to_html()


@pytest.mark.parametrize("option", ["keys", "mode", "source"])
def test_a_mapping_that_names_a_table_which_is_not_there(lake: dk.Lake, option: str) -> None:
    content: Any = {"keys": "ID", "mode": "S", "source": pd.DataFrame({"ID": [1]})}[option]
    with pytest.raises(NotFoundError, match="ordres"):
        check(lake, **{option: {"shop.ordres": content}})
    with pytest.raises(ParameterError, match=f"{option} is a mapping"):
        check(lake, **{option: {5: content}})


def test_a_mapping_may_name_tables_that_are_not_compared(lake: dk.Lake) -> None:
    assert check(lake, keys={"SHOP.orders": "ID", "shop.items": "NAME"}).status == "different"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keys": 5}, "keys are names"),
        ({"keys": [5]}, "keys are names"),
        ({"keys": b"ID"}, "keys are names"),
        ({"keys": {"shop.orders": 5}}, "keys are names"),
        ({"mask": 5}, "mask is a list"),
        ({"mask": [5]}, "mask is a list"),
        ({"mask": [""]}, "mask is a list"),
        ({"mask": b"NAME"}, "mask is a list"),
        ({"settings": {"csv_delimiter": "|"}}, "settings is a DmsSettings"),
        ({"cadence": "10m"}, "Give config="),
        ({"history": 5}, "history is a folder"),
        ({"history": " "}, "history is a folder"),
        ({"max_lag": 5}, "max_lag=5"),
        ({"max_lag": "6"}, "max_lag='6'"),
        ({"max_lag": timedelta(-1)}, "max_lag="),
        ({"evidence": 5}, "evidence is"),
        ({"evidence": {"a": 5}}, "evidence is"),
        ({"evidence": b"x"}, "evidence is"),
    ],
)
def test_an_option_of_a_wrong_type_is_named(lake: dk.Lake, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        check(lake, **options)


def test_tables_of_a_wrong_type(lake: dk.Lake) -> None:
    with pytest.raises(ParameterError, match="not 5"):
        dk.cdc.validate(lake, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "kind"),
    [(None, UnreadableFileError), ("notes.txt", UnreadableFileError), (pd.DataFrame({"a": [1]}), DataError)],
)
def test_evidence_that_is_none_is_refused_not_a_verdict(
    lake: dk.Lake, tmp_path: Path, content: Any, kind: type[DatalakeKitError]
) -> None:
    where = tmp_path / "evidence"
    if isinstance(content, str):
        where.mkdir()
        (where / content).write_text("x")
    with pytest.raises(kind):
        check(lake, evidence=content if isinstance(content, pd.DataFrame) else where)


def test_masked_keys_and_values_show_neither_among_doubts_nor_in_what_dms_says(lake: dk.Lake, tmp_path: Path) -> None:
    changes = pd.DataFrame({"Op": ["U", "D"], "ID": [7007, 8008], "NAME": ["Grace", None]})
    changes["CDC_TIMESTAMP_SEQ"] = [f"20260301100000{n:021d}" for n in (1, 2)]
    changes.to_parquet(tmp_path / "lake/_raw/staging/shop/orders/20260301-100100000.parquet")
    said = pd.DataFrame(
        {
            "TASK_NAME": "t",
            "TABLE_OWNER": "shop",
            "TABLE_NAME": ["orders"],
            "ERROR_TIME": "2026-03-01 10:00:00",
            "STATEMENT": "INSERT INTO orders (ID, NAME) VALUES (9009, 'Edsger')",
            "ERROR": "duplicate 9009",
        }
    )
    plain, masked = (check(lake, evidence=said, mask=mask) for mask in ([], ["ID", "NAME"]))
    assert len(masked.untrusted) == len(plain.untrusted) == 2
    for secret in ("7007", "8008", "9009", "Edsger"):
        assert secret in str(plain.to_dict())
        for shown in (masked.to_html(), masked.to_markdown(), str(masked.to_dict()), repr(masked.untrusted)):
            assert secret not in shown
    assert "apply exception" in masked.sentence


def test_a_double_that_lost_the_last_digit_of_a_number_is_not_equal(lake: dk.Lake, tmp_path: Path) -> None:
    whole, lost = pd.DataFrame({"ID": [1], "V": [2**53 + 1]}), pd.DataFrame({"ID": [1], "V": [float(2**53 + 1)]})
    whole.to_parquet(tmp_path / "lake/_raw/staging/shop/orders/LOAD00000001.parquet")
    lost.to_parquet(tmp_path / "lake/shop/orders/a.parquet")
    found = check(lake).findings.iloc[0]
    assert (found["before"], found["after"]) == ("9007199254740993", "9007199254740992")
    assert check(lake, tolerance={"v": 2}).ok


@pytest.mark.parametrize("tolerance", [float("inf"), {"ID": 1}, {5: 1}])
def test_a_tolerance_that_would_make_all_equal_or_names_a_key(lake: dk.Lake, tolerance: Any) -> None:
    found = check(lake, tolerance=tolerance)
    assert found.status == "not compared"
    assert "tolerance" in found.sentence


def test_a_tolerance_of_a_column_that_only_some_tables_have(lake: dk.Lake, tmp_path: Path) -> None:
    for folder, v in (("shop/orders/a", 5), ("_raw/staging/shop/orders/LOAD00000001", 4)):
        pd.DataFrame({"ID": [1], "V": [v]}).to_parquet(tmp_path / "lake" / f"{folder}.parquet")

    def both(tolerance: Any) -> dk.cdc.Validation:
        return dk.cdc.validate(lake, ["shop.orders", "shop.items"], keys="ID", level="values", tolerance=tolerance)

    assert both({"v": 2}).summary["verdict"].tolist() == ["equal", "equal"]
    assert both({"V": 0.5}).summary["verdict"].tolist() == ["different", "equal"]
    with pytest.raises(ParameterError, match=r"tolerance names 'W', a column of no table"):
        both({"W": 2})


def test_a_number_of_another_length_in_a_key_of_mode_h_is_shown_as_it_is_stored(lake: dk.Lake, tmp_path: Path) -> None:
    rows = pd.DataFrame({"Op": ["I"], "ID": [7], "NAME": ["Grace"], "CDC_TIMESTAMP_SEQ": ["12"]})
    rows.to_parquet(tmp_path / "lake/_raw/staging/shop/items/20260301-100100000.parquet")
    there = pd.DataFrame({"ID": [1, 2], "NAME": ["Ada", "Alan"], "CDC_TIMESTAMP_SEQ": ""})
    there.to_parquet(tmp_path / "lake/shop/items/a.parquet")
    found = dk.cdc.validate(lake, ["shop.items"], keys="ID", mode="H", level="values").findings
    assert found["key"].tolist() == [(7, "12")]


def test_what_is_said_of_several_tables_alike_is_said_once(lake: dk.Lake) -> None:
    said = {"shop.orders": "1 run failed", "shop.items": "1 run failed", "shop.prices": "all well"}
    found = dataclasses.replace(check(lake), provenance={"processing": said}).to_html()
    assert "shop.orders, shop.items: 1 run failed; shop.prices all well" in found


def test_a_key_that_the_source_lacks_is_not_said_to_lack_elsewhere(lake: dk.Lake) -> None:
    found = check(lake, source=pd.DataFrame({"NAME": ["Ada"]}), level="keys")
    assert not found.ok
    assert "The key column ID is in the staged files alone" in found.sentence


def test_an_empty_mapping_of_sources_is_no_source_that_was_compared(lake: dk.Lake) -> None:
    with pytest.raises(ParameterError, match="source is a mapping that names no table"):
        check(lake, source={})


def test_markers_of_folders_that_hadoop_leaves_on_s3_are_no_files(lake: dk.Lake, tmp_path: Path) -> None:
    for folder in ("lake/_raw/staging/shop/items", "lake/shop/items"):
        (tmp_path / folder / "2026_$folder$").write_bytes(b"")
    assert dk.cdc.validate(lake, ["shop.items"], keys="ID", level="values").ok
