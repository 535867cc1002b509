"""Two sides compared in SQL: random values of many types, and random worlds, against plain Python."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datalake_kit.cdc.compare import Comparison, align
from datalake_kit.cdc.copies import compare_copies
from datalake_kit.cdc.cuts import shown
from datalake_kit.cdc.details import differences
from datalake_kit.cdc.relation import of_arrow, of_files
from datalake_kit.cdc.workspace import Workspace
from datalake_kit.errors import DataError, ParameterError, UnreadableFileError
from tests.comparing import compared
from tests.worlds import SCHEMA, World, expected_rows, hudi_rows, worlds

UTC = dt.UTC


def _by_key(rows: list[tuple[Any, ...]], width: int) -> dict[Any, list[tuple[Any, ...]]]:
    groups: dict[Any, list[tuple[Any, ...]]] = {}
    for row in rows:
        groups.setdefault(row[0] if width == 1 else (row[0], row[3]), []).append(row)
    return groups


def _kinds(expected: list[tuple[Any, ...]], lake: list[tuple[Any, ...]], width: int) -> dict[Any, str]:
    """What is wrong with each key, by the definitions."""
    ours, theirs = _by_key(expected, width), _by_key(lake, width)
    told = {}
    for key in ours.keys() | theirs.keys():
        e, there = ours.get(key, []), theirs.get(key, [])
        if len(there) > 1:
            told[key] = "duplicate"
        elif not there:
            told[key] = "missing"
        elif not e:
            told[key] = "extra"
        elif e != there:
            told[key] = "changed"
    return told


def _as_stored(key: Any) -> Any:
    return (key[0], shown(key[1])) if isinstance(key, tuple) else key


@settings(max_examples=40, deadline=None)
@given(worlds(most_loads=2), st.sampled_from("SH"), st.data())
def test_exactly_the_keys_that_differ_come_out(world: World, mode: str, data: st.DataObject) -> None:
    expected = expected_rows(world, mode)
    lake = [row for row in expected if data.draw(st.integers(0, 5))]
    lake += [data.draw(st.sampled_from(expected)) for _ in range(data.draw(st.integers(0, 2))) if expected]
    lake = [(*row[:2], row[2] + (not data.draw(st.integers(0, 5))), row[3]) for row in lake]
    lake += data.draw(st.lists(st.sampled_from([(99, 1, 5, ""), (98, None, 6, "1")]), max_size=2))
    table = pa.table([pa.array([r[i] for r in lake], f.type) for i, f in enumerate(SCHEMA)], schema=SCHEMA)
    with Workspace() as work:
        _, _, comparison = compared(work, world.staged(), table, mode=mode)
        found = {_as_stored(d.key): d.kind for d in differences(comparison)}
    assert found == _kinds(expected, lake, len("SH"[: 1 + (mode == "H")]))
    assert comparison.counts == Counter(found.values())


@settings(max_examples=20, deadline=None)
@given(worlds(tidy=True), st.booleans())
def test_a_pipeline_without_faults_is_equal_or_moved(world: World, by_partition: bool) -> None:
    lake = hudi_rows(world.files, by_partition=by_partition)
    table = pa.table([pa.array([r[i] for r in lake], f.type) for i, f in enumerate(SCHEMA)], schema=SCHEMA)
    with Workspace() as work:
        _, _, comparison = compared(work, world.staged(), table)
        assert {d.key: d.kind for d in differences(comparison)} == _kinds(expected_rows(world, "S"), lake, 1)


# --- one value: the rules, in plain Python

numbers = st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4) | st.sampled_from(
    ["", "1", "01", "1.50", "+2", "-0", "nan", "true", "2021-03-04", "é", "~", "1:~"]
)
moments = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))
floats = st.floats(width=64) | st.sampled_from([0.0, -0.0, math.nan, math.inf, 1.5, 2.0**60])

lossy = st.integers(2**53 - 2, 2**53 + 4) | st.integers(2**62 - 3, 2**62 + 3)  # of which a double holds some


def _decimals(scale: int, digits: int = 30) -> st.SearchStrategy[Decimal]:
    most = 10**digits - 1
    small = st.integers(-300, 300)
    return (small | st.integers(-most, most)).map(lambda n: Decimal(f"{n}E-{scale}"))


def _float(value: Any) -> Any:
    return None if value is None else "nan" if value != value else float(value) + 0.0


def _exact(value: Any) -> Any:
    """Python compares an int and a float by all digits."""
    return "nan" if value is not None and value != value else value


def _text_number(value: Any) -> Any:
    """A number, or text that reads as one, as a number; other text as it is."""
    if isinstance(value, str):
        bare = value.strip()
        digits = bare.lstrip("+-").replace(".", "", 1)
        plain = bare[:1] in ("", "+", "-") or bare[0].isdigit()
        if not (plain and digits.isascii() and digits.isdigit() and bare.lstrip("+-")[:1].isdigit()):
            return value
        return Decimal(bare)
    return None if value is None else Decimal(value)


def _instant(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    return None if value is None else dt.datetime(value.year, value.month, value.day)


def _same(value: Any) -> Any:
    return value


def _utf8(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


nested = st.lists(st.none() | floats, max_size=2)
structs = st.fixed_dictionaries({"a": st.none() | texts, "b": st.none() | nested})
maps = st.dictionaries(st.sampled_from("xyz"), st.none() | st.integers(0, 2), max_size=3)


def _nested(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _nested(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_nested(v) for v in value]
    return _float(value) if isinstance(value, float) else value


PAIRS: dict[str, tuple[pa.DataType, Any, pa.DataType, Any, Any]] = {
    "int64 int64": (pa.int64(), numbers, pa.int64(), numbers, _same),
    "int8 int64": (pa.int8(), st.integers(-128, 127), pa.int64(), numbers, _same),
    "uint64 int64": (pa.uint64(), st.integers(0, 2**64 - 1) | st.integers(0, 3), pa.int64(), numbers, _same),
    "bool int": (pa.bool_(), st.booleans(), pa.int32(), st.integers(-1, 2), lambda v: None if v is None else int(v)),
    "float double": (pa.float32(), st.floats(width=32) | st.sampled_from([0.0, -0.0]), pa.float64(), floats, _float),
    "int double": (pa.int64(), numbers | lossy, pa.float64(), floats | lossy.map(float), _exact),
    "uint double": (pa.uint64(), numbers.map(abs) | lossy, pa.float32(), st.floats(width=32), _exact),
    "short double": (pa.int32(), st.integers(-(2**31), 2**31 - 1), pa.float64(), floats, _float),
    "decimal double": (pa.decimal128(38, 3), _decimals(3), pa.float64(), floats | st.just(1.5), _float),
    "decimal decimal": (pa.decimal128(38, 2), _decimals(2), pa.decimal128(38, 4), _decimals(4), _same),
    "wide decimals": (pa.decimal128(38, 0), _decimals(0, 38), pa.decimal128(38, 30), _decimals(30, 37), _same),
    "decimal int": (pa.decimal128(10, 2), _decimals(2, 9), pa.int64(), numbers, _same),
    "decimal text": (pa.decimal128(10, 2), _decimals(2, 9), pa.string(), texts, _text_number),
    "int text": (pa.int64(), numbers, pa.string(), texts, _text_number),
    "text text": (pa.string(), texts, pa.large_string(), texts, _same),
    "dictionary text": (pa.dictionary(pa.int32(), pa.string()), texts, pa.string(), texts, _same),
    "text binary": (pa.string(), texts, pa.binary(), texts.map(str.encode), _utf8),
    "date date": (pa.date32(), st.dates(), pa.date32(), st.dates(), _same),
    "date timestamp": (
        pa.date32(),
        st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1)),
        pa.timestamp("us"),
        moments | st.just(dt.datetime(2000, 1, 1)),
        _instant,
    ),
    "ms us utc": (
        pa.timestamp("ms"),
        moments.map(lambda m: m.replace(microsecond=m.microsecond // 1000 * 1000)),
        pa.timestamp("us", tz="Europe/Athens"),
        moments.map(lambda m: m.replace(tzinfo=UTC)),
        _instant,
    ),
    "ns us": (pa.timestamp("ns"), moments, pa.timestamp("us"), moments, _instant),
    "time time": (pa.time32("ms"), st.just(dt.time(1, 2, 3)), pa.time64("us"), st.just(dt.time(1, 2, 3)), _same),
    "list list": (pa.list_(pa.float32()), st.just([1.5]) | st.just([]), pa.list_(pa.float64()), nested, _nested),
    "struct struct": (
        pa.struct([("a", pa.string()), ("b", pa.list_(pa.float64()))]),
        structs,
        pa.struct([("B", pa.list_(pa.float64())), ("a", pa.string())]),
        structs.map(lambda s: {"B": s["b"], "a": s["a"]}),
        lambda v: None if v is None else {k.lower(): _nested(x) for k, x in v.items()},
    ),
    "map map": (
        pa.map_(pa.string(), pa.int64()),
        maps.map(lambda m: list(m.items())),
        pa.map_(pa.string(), pa.int32()),
        maps.map(lambda m: list(reversed(m.items()))),
        lambda v: None if v is None else dict(v),
    ),
    "null int": (pa.null(), st.none(), pa.int64(), st.integers(0, 1), _same),
}


@pytest.mark.parametrize("stored", [False, True], ids=["arrow", "parquet"])
@pytest.mark.parametrize("name", PAIRS)
def test_values_are_equal_exactly_when_the_rules_say_so(
    name: str, stored: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours_type, ours, theirs_type, theirs, rule = PAIRS[name]
    folder = tmp_path_factory.mktemp("values")

    @settings(max_examples=8, deadline=None, database=None)
    @given(st.lists(st.tuples(st.none() | ours, st.none() | theirs | ours), min_size=12, max_size=40))
    def check(pairs: list[tuple[Any, Any]]) -> None:
        kept = [(a, b) for a, b in pairs if _holds(a, ours_type) and _holds(b, theirs_type)]
        keys = pa.array(range(len(kept)))
        one = pa.table({"k": keys, "v": pa.array([a for a, _ in kept], ours_type)})
        other = pa.table({"k": keys, "v": pa.array([b for _, b in kept], theirs_type)})
        with Workspace() as work:
            sides = [one, other]
            if stored:
                for number, table in enumerate(sides):
                    pq.write_table(table, folder / f"{number}.parquet")
                relations = [of_files(work, [folder / f"{n}.parquet"]) for n in (0, 1)]
            else:
                relations = [of_arrow(work, table) for table in sides]
            aligned = align(*relations, ["k"])
            assert aligned.not_comparable == ()
            for number, relation in enumerate(relations):
                rows = relation.select(
                    lambda part, mine=number == 0: ", ".join(
                        (
                            f"{(aligned.keys[0].ours if mine else aligned.keys[0].theirs)(part)} AS r0",
                            f"{aligned.number(part, ours=mine)} AS h",
                            "'' AS seq",
                        )
                    )
                )
                work.run(f"CREATE TABLE side_{number} AS {rows}")
            found = {d.key for d in differences(Comparison(work, "c", "side_0", "side_1", 1))}
        ours_back, theirs_back = one.column("v").to_pylist(), other.column("v").to_pylist()
        wrong = {k for k, (a, b) in enumerate(zip(ours_back, theirs_back, strict=True)) if rule(a) != rule(b)}
        assert found == wrong

    check()


def _holds(value: Any, kind: pa.DataType) -> bool:
    """Whether Arrow can make a value of a type."""
    try:
        return bool(len(pa.array([value], kind)) == 1)
    except (pa.ArrowException, TypeError, OverflowError, ValueError):
        return False


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([0], pa.uint64()), pa.array([-1])),
        (pa.array([Decimal("0.00")], pa.decimal128(38, 2)), pa.array([Decimal("-0.01")], pa.decimal128(38, 2))),
        (pa.array([Decimal(2**64 + 1)], pa.decimal128(38, 0)), pa.array([Decimal(0)], pa.decimal128(38, 0))),
        (pa.array([0], pa.timestamp("ns")), pa.array([-1], pa.timestamp("ns"))),
        (pa.array([None], pa.list_(pa.int64())), pa.array([[]], pa.list_(pa.int64()))),
        (pa.array([None, [None]], pa.list_(pa.int64())), pa.array([[None], None], pa.list_(pa.int64()))),
        (pa.array([None], pa.struct([("a", pa.int64())])), pa.array([{"a": None}], pa.struct([("a", pa.int64())]))),
        (pa.array([None, ""]), pa.array(["", None])),
    ],
)
def test_values_that_are_easily_taken_for_equal(one: pa.Array, other: pa.Array, tmp_path: Path) -> None:
    keys = list(range(len(one)))
    files = [_write(tmp_path / name, k=keys, v=v) for name, v in (("one", one), ("other", other))]
    found = compare_copies(_files(files[0]), _files(files[1]), ["k"], columns=True)
    assert (found.counts, found.by_column) == ({"changed": len(one)}, {"v": len(one)})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([[1]]), pa.array([1])),
        (pa.array([dt.date(2020, 1, 1)]), pa.array([1])),
        (pa.array([{"a": 1}]), pa.array([{"b": 1}])),
        (pa.array([b"1"]), pa.array([1])),
        (pa.array([dt.time(1)]), pa.array([dt.datetime(2020, 1, 1)])),
    ],
)
def test_types_that_do_not_go_together_are_told(one: pa.Array, other: pa.Array) -> None:
    with Workspace() as work:
        sides = [of_arrow(work, pa.table({"k": [1], "v": v})) for v in (one, other)]
        assert align(*sides, ["k"]).not_comparable == ("v",)
        with pytest.raises(DataError, match=r"The key column v is of another type in the lake"):
            align(*sides, ["v"])
        with pytest.raises(DataError, match=r"missing in the lake"):
            align(sides[0], of_arrow(work, pa.table({"k": [1]})), ["v"])


# --- copies in files


def _write(folder: Path, **columns: Any) -> Path:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / f"{len(list(folder.iterdir()))}.parquet")
    return folder


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_files_of_other_shapes_are_one_table(tmp_path: Path) -> None:
    one = _write(_write(tmp_path / "one", ID=[1, 2], A=[1, 2]), ID=[3], A=[2.5], B=["new"])
    other = _write(_write(tmp_path / "other", id=["3", "1"], b=["new", None], a=[2.5, 1.0]), ID=[2], A=[7], B=["x"])
    found = compare_copies(_files(one), _files(other), ["id"], columns=True)
    assert found.counts == {"changed": 1}
    assert found.by_column == {"A": 1, "B": 1}
    assert found.not_compared == ()


def test_column_names_with_quotes_blanks_and_brackets(tmp_path: Path) -> None:
    names = ['quo"te', "o'dd", "sp ace", "select", "déjà", "id", "[1]", "r0", "file"]
    one = _write(tmp_path / "one [a]", **{n: [1, 2] for n in names}, k=[1, 2])
    other = _write(tmp_path / "other*", **{n.upper(): [1, 3] for n in names}, K=[1, 2])
    found = compare_copies(_files(one), _files(other), ["k"], columns=True)
    assert found.by_column == dict.fromkeys(names, 1)
    assert compare_copies(_files(one), _files(other), ['quo"te'], columns=True).counts == {"missing": 1, "extra": 1}


def test_columns_in_two_cases_are_told_apart_or_not_compared(tmp_path: Path) -> None:
    one = _write(tmp_path / "one", k=[1], a=[1], A=[2])
    assert compare_copies(_files(one), _files(one), ["k"], columns=True).counts == {}
    other = _write(tmp_path / "other", k=[1], a=[1], A=[3])
    assert compare_copies(_files(one), _files(other), ["k"], columns=True).by_column == {"A": 1}
    single = _write(tmp_path / "single", k=[1], a=[1])
    assert compare_copies(_files(one), _files(single), ["k"]).not_compared == ("A",)
    assert compare_copies(_files(single), _files(one), ["k"]).counts == {}


def test_tolerances(tmp_path: Path) -> None:
    moment = dt.datetime(2021, 1, 1)
    far = [1.0, 1.0, math.nan, None, 1.0, math.inf]
    near = [1.004, 1.01, math.nan, None, None, math.inf]
    decimals = [Decimal("1.00")] * 6
    close = [Decimal("1.005"), *[Decimal("1.000")] * 5]
    at, soon = [moment] * 6, [moment + dt.timedelta(seconds=1), *[moment] * 5]
    one = _write(tmp_path / "one", k=range(6), f=far, d=decimals, t=at)
    other = _write(tmp_path / "other", k=range(6), f=near, d=close, t=soon)

    def differing(tolerance: Any) -> dict[str, int]:
        return dict(compare_copies(_files(one), _files(other), ["k"], columns=True, tolerance=tolerance).by_column)

    assert differing(None) == {"f": 3, "d": 1, "t": 1}
    assert differing(0.005) == {"f": 2, "t": 1}
    assert differing({"F": 0.02}) == {"f": 1, "d": 1, "t": 1}
    assert differing({"f": 0.0041, "d": Decimal("0.004"), "t": dt.timedelta(seconds=1)}) == {"f": 2, "d": 1}
    assert differing(dt.timedelta(seconds=2)) == {"f": 3, "d": 1}
    for wrong in (-1, "1", True, {"f": dt.timedelta(1)}, {"t": 1}, {"g": 1}):
        with pytest.raises(ParameterError):
            differing(wrong)


def test_keys_that_are_null_or_repeated_in_the_second_copy(tmp_path: Path) -> None:
    one = _write(tmp_path / "one", k=[1, 2, 3], v=[1, 2, 3])
    other = _write(tmp_path / "other", k=[1, 2, 2, None, None], v=[1, 2, 2, 5, 6])
    found = compare_copies(_files(one), _files(other), ["k"])
    assert {d.key: d.kind for d in found.differences} == {2: "duplicate", 3: "missing", None: "duplicate"}


def test_copies_of_no_rows(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    pq.write_table(pa.table({"k": pa.array([], pa.int64()), "v": pa.array([], pa.string())}), empty / "0.parquet")
    one = _write(tmp_path / "one", k=[1], v=["x"])
    assert compare_copies(_files(empty), _files(empty), ["k"], columns=True).counts == {}
    assert compare_copies(_files(one), _files(empty), ["k"]).counts == {"missing": 1}
    assert compare_copies(_files(empty), _files(one), ["k"]).counts == {"extra": 1}


def test_a_file_that_is_spoiled_inside_is_an_error(tmp_path: Path) -> None:
    one = _write(tmp_path / "one", k=list(range(50_000)), v=[str(n) for n in range(50_000)])
    file = _files(one)[0]
    whole = file.read_bytes()
    file.write_bytes(whole[:1000] + b"\xff" * 5000 + whole[6000:])
    with pytest.raises((UnreadableFileError, DataError)):
        compare_copies(_files(one), _files(one), ["k"], columns=True)
