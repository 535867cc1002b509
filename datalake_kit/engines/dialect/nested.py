"""Trino's functions on arrays, maps and rows, with their lambdas."""

from __future__ import annotations

from datalake_kit.engines.dialect.calls import Call, add_table, special
from datalake_kit.engines.dialect.casts import cast
from datalake_kit.engines.dialect.conditions import truth
from datalake_kit.engines.dialect.conversions import common_of, widen
from datalake_kit.engines.dialect.functions import table
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr
from datalake_kit.engines.dialect.types import (
    BIGINT,
    BOOLEAN,
    DATE,
    UNKNOWN,
    VARCHAR,
    SqlType,
    array_of,
    common,
    map_of,
)

_TABLE = """
cardinality(array(T)) -> bigint = len({0})
cardinality(map(K, V)) -> bigint = CAST(cardinality({0}) AS BIGINT)
element_at(array(T), bigint) -> T = dk_element_at({0}, {1})
element_at(map(K, V), K) -> V = dk_map_value({0}, {1})
contains(array(T), T) -> boolean = @_contains
array_distinct(array(T)) -> array(T) = dk_distinct({0})
array_max(array(T)) -> T = @_array_extreme
array_min(array(T)) -> T = @_array_extreme
array_position(array(T), T) -> bigint = @_position
array_remove(array(T), T) -> array(T) = @_remove
array_join(array(T), varchar) -> varchar = @_array_join
array_join(array(T), varchar, varchar) -> varchar = @_array_join
array_union(array(T), array(T)) -> array(T) = dk_distinct(dk_list_concat({0}, {1}))
array_intersect(array(T), array(T)) -> array(T) = dk_intersect({0}, {1})
array_except(array(T), array(T)) -> array(T) = dk_except({0}, {1})
arrays_overlap(array(T), array(T)) -> boolean = dk_overlap({0}, {1})
flatten(array(array(T))) -> array(T) = dk_flatten({0})
slice(array(T), bigint, bigint) -> array(T) = dk_slice({0}, {1}, {2})
ngrams(array(T), bigint) -> array(array(T)) = dk_ngrams({0}, {1})
trim_array(array(T), bigint) -> array(T) = dk_trim_array({0}, {1})
repeat(T, bigint) -> array(T) = list_transform(range({1}), lambda dk_i: {0})
sequence(bigint, bigint) -> array(bigint) = @_sequence
sequence(bigint, bigint, bigint) -> array(bigint) = @_sequence
sequence(date, date) -> array(date) = @_dates
sequence(date, date, interval day to second) -> array(date) = @_dates
sequence(date, date, interval year to month) -> array(date) = dk_date_months({0}, {1}, {2})
sequence(timestamp, timestamp, interval day to second) -> array(timestamp) = dk_sequence_days({0}, {1}, {2})
sequence(timestamp, timestamp, interval year to month) -> array(timestamp) = dk_sequence_months({0}, {1}, {2})
map(array(K), array(V)) -> map(K, V) = dk_map({0}, {1})
map() -> map(unknown, unknown) = map([], [])
map_keys(map(K, V)) -> array(K) = map_keys({0})
map_values(map(K, V)) -> array(V) = map_values({0})
shuffle(array(T)) -> array(T) = list_sort({0}, 'ASC')
"""


def _is_float(type_: SqlType) -> bool:
    return type_.name in ("double", "real")


def _array_extreme(request: Call) -> Expr:
    """NULL when an element is NULL; NaN only when there is nothing else."""
    type_ = request.bound["T"]
    if type_.name in ("row", "map", "array", "json"):
        refuse(
            request.what, f"the order of {type_.name} values is not the same on both engines", "name one of their parts"
        )
    name = f"list_{request.name[-3:]}"
    array = request.args[0].sql
    best = f"{name}({array})"
    if _is_float(type_):
        best = f"coalesce({name}(dk_numbers({array})), {best})"
    return Expr(f"dk_array_extreme({array}, {best})", type_)


def _sought(request: Call) -> str:
    """Return the value looked for; NaN is found nowhere in Trino."""
    value = request.args[1]
    if _is_float(value.type) and value.literal is None:
        refuse(
            request.what, "NaN would be compared otherwise", "use filter or any_match, whose comparisons are the same"
        )
    return value.sql


def _contains(request: Call) -> Expr:
    return Expr(f"dk_contains({request.args[0].sql}, {_sought(request)})", BOOLEAN)


def _position(request: Call) -> Expr:
    return Expr(f"dk_position({request.args[0].sql}, {_sought(request)})", BIGINT)


def _remove(request: Call) -> Expr:
    return Expr(f"dk_remove({request.args[0].sql}, {_sought(request)})", request.result)


def _array_join(request: Call) -> Expr:
    element = request.args[0].type.args[0]
    if element.name not in ("varchar", "boolean", "date", "decimal", "unknown") and not element.is_integer:
        refuse(request.what, f"the text of a {element} is not the same on both engines", "CAST the elements AS VARCHAR")
    array = request.args[0].sql
    if element != VARCHAR:
        array = f"list_transform({array}, lambda dk_x: {cast(Expr('dk_x', element), VARCHAR, request.what).sql})"
    if len(request.args) > 2:
        array = f"list_transform({array}, lambda dk_x: coalesce(dk_x, {request.args[2].sql}))"
    joined = f"dk_array_join({array}, {request.args[1].sql})"
    if len(request.args) > 2:
        joined = f"CASE WHEN {request.args[2].sql} IS NULL THEN NULL ELSE {joined} END"
    return Expr(joined, VARCHAR)


def _sequence(request: Call) -> Expr:
    start, stop = request.args[0].sql, request.args[1].sql
    step = request.args[2].sql if len(request.args) > 2 else f"CASE WHEN {start} <= {stop} THEN 1 ELSE -1 END"
    return Expr(f"dk_sequence({start}, {stop}, {step})", array_of(BIGINT))


def _dates(request: Call) -> Expr:
    start, stop = request.args[0].sql, request.args[1].sql
    if len(request.args) > 2:
        if request.args[2].literal in ("hour", "minute", "second"):
            refuse(request.what, "Athena steps through dates by whole days", "CAST the dates AS TIMESTAMP")
        step = request.args[2].sql
    else:
        step = f"CASE WHEN {start} <= {stop} THEN INTERVAL '1' DAY ELSE INTERVAL '-1' DAY END"
    return Expr(f"CAST(dk_sequence_days({start}, {stop}, {step}) AS DATE[])", array_of(DATE))


# ---------------------------------------------------------------- lambdas


def _array(request: Call, index: int = 0) -> SqlType:
    type_ = request.args[index].type
    if type_.name != "array":
        refuse(request.what, f"{request.name} takes an array, not {type_}", "give an array")
    element: SqlType = type_.args[0]
    return element


def _map(request: Call) -> tuple[SqlType, SqlType]:
    type_ = request.args[0].type
    if type_.name != "map":
        refuse(request.what, f"{request.name} takes a map, not {type_}", "give a map")
    return type_.args[0], type_.args[1]


@special("transform")
def _transform(request: Call) -> Expr:
    names, body = request.function(1, [_array(request)])
    return Expr(f"list_transform({request.args[0].sql}, lambda {names}: {body.sql})", array_of(body.type))


@special("filter")
def _filter(request: Call) -> Expr:
    names, body = request.function(1, [_array(request)])
    return Expr(
        f"list_filter({request.args[0].sql}, lambda {names}: {truth(body, request.what)})", request.args[0].type
    )


@special("any_match", "all_match", "none_match")
def _match(request: Call) -> Expr:
    """As Trino: NULL when the answer hangs on a test that is NULL."""
    names, body = request.function(1, [_array(request)])
    tests = f"list_transform({request.args[0].sql}, lambda {names}: {truth(body, request.what)})"
    return Expr(f"dk_{request.name}({tests})", BOOLEAN)


@special("zip_with")
def _zip_with(request: Call) -> Expr:
    names, body = request.function(2, [_array(request, 0), _array(request, 1)])
    first, second = names.split(", ")
    pairs = f"list_zip({request.args[0].sql}, {request.args[1].sql})"
    depth = first.removeprefix("dk_a")
    inner = _replace_names(
        body.sql, {first: f"struct_extract_at(dk_z{depth}, 1)", second: f"struct_extract_at(dk_z{depth}, 2)"}
    )
    return Expr(_of_all(request, f"list_transform({pairs}, lambda dk_z{depth}: {inner})"), array_of(body.type))


def _of_all(request: Call, sql: str) -> str:
    """DuckDB takes a NULL array or map for an empty one here; in Trino it makes the whole NULL."""
    arrays = [a.sql for a in request.args if a.type.name in ("array", "map")]
    return f"CASE WHEN {' OR '.join(f'{a} IS NULL' for a in arrays)} THEN NULL ELSE {sql} END"


def _replace_names(sql: str, names: dict[str, str]) -> str:
    import re

    return re.sub(r"\bdk_[abc]\d+\b", lambda m: names.get(m.group(), m.group()), sql)


@special("zip")
def _zip(request: Call) -> Expr:
    elements = [_array(request, i) for i in range(len(request.args))]
    type_ = SqlType("row", tuple(elements), tuple(None for _ in elements))
    listed = ", ".join(a.sql for a in request.args)
    fields = ", ".join(f"struct_extract_at(dk_z, {i + 1})" for i in range(len(elements)))
    zipped = f"list_transform(list_zip({listed}), lambda dk_z: row({fields}))"
    return Expr(_of_all(request, zipped), array_of(type_))


@special("reduce")
def _reduce(request: Call) -> Expr:
    element = _array(request)
    start = request.args[1]
    state = start.type
    names, step = request.function(2, [state, element])
    if step.type != state:
        state = common(step.type, state) or UNKNOWN
        names, step = request.function(2, [state, element])
        if step.type != state:
            refuse(
                request.what,
                f"the state does not keep its type: {state}, then {step.type}",
                "CAST the start or the step",
            )
    first, second = names.split(", ")
    last, body = request.function(3, [state])
    # The start is put before the array as its first element, each element wrapped so that all have one type.
    items = (
        f"list_transform({request.args[0].sql}, lambda {second}: {{'s': CAST(NULL AS {state.duckdb}), 'e': {second}}})"
    )
    seed = f"[{{'s': {widen(start, state).sql}, 'e': CAST(NULL AS {element.duckdb})}}]"
    inner = _replace_names(step.sql, {first: f"{first}.s", second: f"{second}.e"})
    kept = f"{{'s': {inner}, 'e': CAST(NULL AS {element.duckdb})}}"
    folded = f"list_reduce(list_concat({seed}, {items}), lambda {names}: {kept}).s"
    result = f"list_transform([{folded}], lambda {last}: {body.sql})[1]"
    return Expr(f"CASE WHEN {request.args[0].sql} IS NULL THEN NULL ELSE {result} END", body.type)


@special("array_sort")
def _array_sort(request: Call) -> Expr:
    element = _array(request)
    if len(request.args) > 1:
        refuse(
            request.what,
            "a comparing lambda has no counterpart in the local engine",
            "sort by array_agg(x ORDER BY key)",
        )
    if element.name in ("row", "map", "array", "json"):
        refuse(request.what, f"the order of {element.name} values is not the same on both engines", "sort by one part")
    return Expr(f"list_sort({request.args[0].sql}, 'ASC', 'NULLS LAST')", request.args[0].type)


# ---------------------------------------------------------------- maps


@special("map_from_entries")
def _map_from_entries(request: Call) -> Expr:
    row = _array(request)
    if row.name != "row" or len(row.args) != 2:
        refuse(request.what, "it takes an array of rows of two", "write ARRAY[ROW(key, value)]")
    array = request.args[0].sql
    keys = f"list_transform({array}, lambda dk_e: struct_extract_at(dk_e, 1))"
    values = f"list_transform({array}, lambda dk_e: struct_extract_at(dk_e, 2))"
    return Expr(f"dk_map({keys}, {values})", map_of(row.args[0], row.args[1]))


@special("map_entries")
def _map_entries(request: Call) -> Expr:
    key, value = _map(request)
    type_ = SqlType("row", (key, value), (None, None))
    sql = f"list_transform(map_entries({request.args[0].sql}), lambda dk_e: row(dk_e.key, dk_e.value))"
    return Expr(_of_all(request, sql), array_of(type_))


@special("map_concat")
def _map_concat(request: Call) -> Expr:
    type_ = common_of(request.args, request.what)
    if type_.name != "map":
        refuse(request.what, "it takes maps", "give maps")
    joined = f"dk_map_concat([{', '.join(widen(a, type_).sql for a in request.args)}])"
    return Expr(_of_all(request, joined), type_)


@special("map_filter", "transform_keys", "transform_values")
def _map_lambda(request: Call) -> Expr:
    key, value = _map(request)
    names, body = request.function(1, [key, value])
    first, second = names.split(", ")
    sql = _replace_names(body.sql, {first: "dk_e.key", second: "dk_e.value"})
    entries = f"map_entries({request.args[0].sql})"
    if request.name == "map_filter":
        truth(body, request.what)
        kept = f"list_filter({entries}, lambda dk_e: {sql})"
        return Expr(_of_all(request, f"map_from_entries({kept})"), request.args[0].type)
    pair = (
        f"{{'key': {sql}, 'value': dk_e.value}}"
        if request.name == "transform_keys"
        else f"{{'key': dk_e.key, 'value': {sql}}}"
    )
    type_ = map_of(body.type, value) if request.name == "transform_keys" else map_of(key, body.type)
    return Expr(_of_all(request, f"map_from_entries(list_transform({entries}, lambda dk_e: {pair}))"), type_)


@special("map_zip_with")
def _map_zip_with(request: Call) -> Expr:
    first, second = request.args[0], request.args[1]
    if first.type.name != "map" or second.type.name != "map" or first.type.args[0] != second.type.args[0]:
        refuse(request.what, "it takes two maps with keys of one type", "CAST the keys to one type")
    key = first.type.args[0]
    names, body = request.function(2, [key, first.type.args[1], second.type.args[1]])
    name, left, right = names.split(", ")
    inner = _replace_names(
        body.sql, {left: f"dk_map_value({first.sql}, {name})", right: f"dk_map_value({second.sql}, {name})"}
    )
    keys = f"dk_distinct(dk_list_concat(map_keys({first.sql}), map_keys({second.sql})))"
    pairs = f"list_transform({keys}, lambda {name}: {{'key': {name}, 'value': {inner}}})"
    return Expr(f"map_from_entries({pairs})", map_of(key, body.type))


@special("map_empty")
def _never(request: Call) -> Expr:
    return refuse(request.what, "Athena has no such function", "write MAP(ARRAY[], ARRAY[])")


add_table(table(_TABLE, globals()))
