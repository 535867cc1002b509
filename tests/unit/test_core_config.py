"""Which lake is meant."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datalake_kit.config import AthenaSettings, FolderSettings, lake_settings, minutes, size_in_bytes
from datalake_kit.errors import ConfigError, LakeNotFoundError
from datalake_kit.lake import connect

FILE = """
default = "demo"
[lakes.demo]
path = "lakes/demo"
[lakes.prod]
workgroup = "analysts"
database = "taxi"
region = "eu-west-1"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with datalake.toml, one lake folder and a working folder two levels down."""
    (tmp_path / "lakes" / "demo").mkdir(parents=True)
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "datalake.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path / "deep" / "down")
    return tmp_path


def test_the_default_of_the_file_is_found_from_below(home: Path) -> None:
    assert lake_settings() == FolderSettings(home / "lakes" / "demo", name="demo")


def test_a_name_of_the_file(home: Path) -> None:
    assert lake_settings("prod") == AthenaSettings("analysts", name="prod", database="taxi", region="eu-west-1")


def test_the_environment_comes_before_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALAKE_KIT_LAKE", "prod")
    assert isinstance(lake_settings(), AthenaSettings)
    assert isinstance(lake_settings("demo"), FolderSettings)


def test_the_users_own_file_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config" / "datalake_kit").mkdir(parents=True)
    (tmp_path / "config" / "datalake_kit" / "datalake.toml").write_text('[lakes.mine]\nworkgroup = "w"\n')
    assert lake_settings("mine") == AthenaSettings("w", name="mine")


def test_a_folder_by_path_or_by_plain_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    for target in ("here", "./here", tmp_path / "here", str(tmp_path / "here")):
        assert lake_settings(target) == FolderSettings(tmp_path / "here")


def test_an_athena_address() -> None:
    found = lake_settings("athena://team-a?database=taxi&region=eu-west-1&catalog=other")
    assert found == AthenaSettings("team-a", database="taxi", region="eu-west-1", catalog="other")
    assert lake_settings("athena://w", database="d") == AthenaSettings("w", database="d")


def test_nothing_configured_shows_all_three_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        connect()
    for way in ('dk.connect("demo-lake")', "DATALAKE_KIT_LAKE", "datalake.toml"):
        assert way in str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("demmo", "Did you mean demo"),
        ("./lake", "No such folder"),
        ("s3://bucket/lake", "s3:// is no lake"),
        ("athena://", "names its workgroup"),
        ("athena://w?databse=x", "Did you mean database"),
        ("athena://w?region=a&region=b", "given twice: region"),
        ("athena://user:secret@w", "No user or password"),
        ("athena://w g", "names its workgroup"),
        ("athena://w#part", "names its workgroup"),
        (5, "named by text or a path"),
    ],
)
def test_wrong_targets(home: Path, target: Any, message: str) -> None:
    with pytest.raises((ConfigError, LakeNotFoundError), match=message) as caught:
        lake_settings(target)
    assert "secret" not in str(caught.value)


def test_a_file_is_no_lake(home: Path) -> None:
    with pytest.raises(LakeNotFoundError, match="this is a file"):
        lake_settings(home / "datalake.toml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('defualt = "x"', "unknown key 'defualt'. Did you mean default"),
        ('[lakes.a]\npath = "."\nregoin = "x"', "unknown key 'regoin'. Did you mean region"),
        ('[lakes.a]\npath = "."\nworkgroup = "w"', "either path"),
        ("[lakes.a]\nregion = 'x'", "either path"),
        ("[lakes.a]\npath = 5", "must be text"),
        ('[lakes.a]\npath = ""', "path is empty"),
        ('[lakes.a]\nworkgroup = " "', "workgroup is empty"),
        ('[lakes.a]\npath = "."\nregion = "x"', "unknown key 'region'"),
        ('[lakes.a]\npath = "nowhere"', "No such folder"),
        ("default = 5\n[lakes.a]\npath = '.'", "default must be the name"),
        ("lakes = 5", "lakes are tables"),
        ("this is no toml", "is not TOML"),
    ],
)
def test_wrong_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datalake.toml").write_text(content)
    with pytest.raises((ConfigError, LakeNotFoundError), match=message) as caught:
        lake_settings("a")
    assert "datalake.toml" in str(caught.value)


def test_a_default_that_is_no_lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "datalake.toml").write_text('default = "dmo"\n[lakes.demo]\npath = "."\n')
    with pytest.raises(ConfigError, match="Did you mean demo"):
        lake_settings()


def test_the_repr_of_a_lake_has_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA-hush")
    lake = connect("athena://w?region=eu-west-1&output_location=s3://bucket/with-token")
    assert "workgroup=w" in repr(lake)
    assert "hush" not in repr(lake) + lake._repr_html_()
    assert "token" not in repr(lake)


def test_every_setting_of_an_address() -> None:
    found = lake_settings(
        "athena://w?region=eu-west-1&profile=p&role=arn:aws:iam::123456789012:role/r&role_session_name=me&external_id=x"
        "&output_location=s3://bucket/q/&endpoint=http://127.0.0.1:5000&max_scan=10%20GB&price_per_tb=6.5"
        "&poll_interval=2&max_age=2%20hours&redact_parameters=true"
    )
    assert found == AthenaSettings(
        "w",
        region="eu-west-1",
        profile="p",
        role_arn="arn:aws:iam::123456789012:role/r",
        role_session_name="me",
        external_id="x",
        output_location="s3://bucket/q/",
        endpoint="http://127.0.0.1:5000",
        max_scan=10_000_000_000,
        price_per_tb=6.5,
        poll_interval=2.0,
        max_age=120,
        redact_parameters=True,
    )
    assert "external_id" not in repr(found)


def test_numbers_of_the_file_are_numbers(home: Path) -> None:
    (home / "datalake.toml").write_text(
        '[lakes.prod]\nworkgroup = "w"\nmax_scan = "1.5 TiB"\nprice_per_tb = 5\nmax_age = 10\n'
        "redact_parameters = true\npoll_interval = 0.5\n"
    )
    assert lake_settings("prod") == AthenaSettings(
        "w", name="prod", max_scan=1_649_267_441_664, max_age=10, redact_parameters=True, poll_interval=0.5
    )


def test_the_environment_fills_what_address_and_file_leave_out(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALAKE_KIT_REGION", "us-west-2")
    monkeypatch.setenv("DATALAKE_KIT_MAX_SCAN", "5 GB")
    monkeypatch.setenv("DATALAKE_KIT_OUTPUT_LOCATION", "")
    assert lake_settings("athena://w") == AthenaSettings("w", region="us-west-2", max_scan=5_000_000_000)
    found = lake_settings("prod")
    assert found == AthenaSettings("analysts", name="prod", database="taxi", region="eu-west-1", max_scan=5_000_000_000)
    assert lake_settings("demo") == FolderSettings(home / "lakes" / "demo", name="demo")


def test_a_workgroup_of_the_environment_is_a_lake(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALAKE_KIT_WORKGROUP", "team")
    assert lake_settings() == AthenaSettings("team")
    monkeypatch.setenv("DATALAKE_KIT_LAKE", "demo")
    assert isinstance(lake_settings(), FolderSettings)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("max_scan=ten", "max_scan: 'ten' is no size"),
        ("max_scan=0", "max_scan: '0' is no size"),
        ("max_age=long", "max_age: 'long' is no age"),
        ("max_age=8%20days", "7 days"),
        ("price_per_tb=-1", "price_per_tb: '-1' is no number"),
        ("price_per_tb=nan", "price_per_tb: 'nan' is no number"),
        ("poll_interval=often", "poll_interval: 'often' is no number"),
        ("redact_parameters=perhaps", "neither true nor false"),
        ("output_location=bucket/q", "output_location: it begins with s3://"),
        ("endpoint=localhost:5000", "endpoint: it begins with http://"),
        ("role=analyst", "role: it begins with arn:"),
        ("role_arn=arn:aws:iam::1:role/r", "Did you mean role"),
        ("external_id=x", "external_id belongs to a role"),
    ],
)
def test_settings_that_mean_nothing(query: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        lake_settings(f"athena://w?{query}")
    assert "athena://w" in str(caught.value)


def test_a_wrong_setting_of_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATALAKE_KIT_MAX_SCAN", "much")
    with pytest.raises(ConfigError, match="DATALAKE_KIT_MAX_SCAN: 'much' is no size"):
        lake_settings("athena://w")


@given(st.integers(1, 10**15), st.sampled_from(["", "B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB"]), st.booleans())
def test_sizes_are_what_they_say(number: int, unit: str, space: bool) -> None:
    factor = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12, "kib": 2**10, "mib": 2**20}
    expected = number * factor.get(unit.lower(), 2**30)
    assert size_in_bytes(f"{number}{' ' if space else ''}{unit}") == expected


@given(st.integers(0, 10_080))
def test_ages_are_minutes_however_they_are_given(number: int) -> None:
    assert minutes(number) == minutes(f"{number} min") == minutes(dt.timedelta(minutes=number)) == number
    assert minutes(f"{number * 60} seconds") == number
