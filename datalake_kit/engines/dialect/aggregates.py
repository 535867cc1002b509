"""Trino's aggregates and window functions."""

from __future__ import annotations

from datalake_kit.engines.dialect.arithmetic import scaled
from datalake_kit.engines.dialect.calls import Call, add_table
from datalake_kit.engines.dialect.functions import table
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr

_TABLE = """
sum(I) -> bigint = CAST(sum[{0}] AS BIGINT)
sum(decimal) -> decimal = @_sum_decimal
sum(real) -> real = CAST(sum[{0}] AS FLOAT)
sum(double) -> double = sum[{0}]
avg(I) -> double = avg[{0}]
avg(decimal) -> decimal = @_avg_decimal
avg(real) -> real = CAST(avg[{0}] AS FLOAT)
avg(double) -> double = avg[{0}]
min(T) -> T = @_extreme
max(T) -> T = @_extreme
min(T, bigint) -> array(T) = min[{0}, {1}]
max(T, bigint) -> array(T) = max[{0}, {1}]
count_if(boolean) -> bigint = count[CASE WHEN {0} THEN 1 END]
bool_and(boolean) -> boolean = bool_and[{0}]
bool_or(boolean) -> boolean = bool_or[{0}]
every(boolean) -> boolean = bool_and[{0}]
arbitrary(T) -> T = any_value[{0}]
any_value(T) -> T = any_value[{0}]
array_agg(T) -> array(T) = array_agg[{0}]
listagg(varchar, varchar) -> varchar = string_agg[{0}, {1}]
max_by(T, K) -> T = @_by
min_by(T, K) -> T = @_by
max_by(T, K, bigint) -> array(T) = @_by
min_by(T, K, bigint) -> array(T) = @_by
map_agg(K, V) -> map(K, V) = @_map_agg
multimap_agg(K, V) -> map(K, array(V)) = @_map_agg
histogram(T) -> map(T, bigint) = @_histogram
approx_distinct(T) -> bigint = approx_count_distinct[{0}]
approx_percentile(bigint, double) -> bigint = @_percentile
approx_percentile(real, double) -> real = @_percentile
approx_percentile(double, double) -> double = @_percentile
stddev(double) -> double = stddev_samp[{0}]
stddev_samp(double) -> double = stddev_samp[{0}]
stddev_pop(double) -> double = stddev_pop[{0}]
variance(double) -> double = var_samp[{0}]
var_samp(double) -> double = var_samp[{0}]
var_pop(double) -> double = var_pop[{0}]
corr(real, real) -> real = @_refuse_single
corr(double, double) -> double = dk_if_finite(corr[{0}, {1}])
covar_pop(real, real) -> real = @_refuse_single
covar_pop(double, double) -> double = covar_pop[{0}, {1}]
covar_samp(real, real) -> real = @_refuse_single
covar_samp(double, double) -> double = covar_samp[{0}, {1}]
regr_slope(real, real) -> real = @_refuse_single
regr_slope(double, double) -> double = dk_if_finite(regr_slope[{0}, {1}])
regr_intercept(real, real) -> real = @_refuse_single
regr_intercept(double, double) -> double = dk_if_finite(regr_intercept[{0}, {1}])
skewness(double) -> double = @_refuse_moment
kurtosis(double) -> double = @_refuse_moment
geometric_mean(double) -> double = exp(avg[ln({0})])
bitwise_and_agg(bigint) -> bigint = bit_and[{0}]
bitwise_or_agg(bigint) -> bigint = bit_or[{0}]
bitwise_xor_agg(bigint) -> bigint = bit_xor[{0}]
row_number() -> bigint = row_number[]
rank() -> bigint = rank[]
dense_rank() -> bigint = dense_rank[]
percent_rank() -> double = percent_rank[]
cume_dist() -> double = cume_dist[]
ntile(bigint) -> bigint = ntile[{0}]
first_value(T) -> T = first_value[{0}]
last_value(T) -> T = last_value[{0}]
nth_value(T, bigint) -> T = nth_value[{0}, {1}]
lag(T) -> T = lag[{0}]
lag(T, bigint) -> T = lag[{0}, {1}]
lag(T, bigint, T) -> T = lag[{0}, {1}, {2}]
lead(T) -> T = lead[{0}]
lead(T, bigint) -> T = lead[{0}, {1}]
lead(T, bigint, T) -> T = lead[{0}, {1}, {2}]
"""


def _sum_decimal(request: Call) -> Expr:
    from datalake_kit.engines.dialect.types import decimal_of

    type_ = decimal_of(38, request.args[0].type.args[1])
    return Expr(f"CAST({request.aggregate('sum', request.args[0].sql)} AS {type_.duckdb})", type_)


def _avg_decimal(request: Call) -> Expr:
    """Trino's average of a decimal has its scale, rounded half away from zero; DuckDB's is a double."""
    type_ = request.args[0].type
    precision, scale = type_.args
    if precision > 30:
        refuse(request.what, "the exact average does not fit the local engine", "CAST the value AS DOUBLE")
    whole = (
        f"CAST({request.args[0].sql} * {10**scale} AS HUGEINT)" if scale else f"CAST({request.args[0].sql} AS HUGEINT)"
    )
    total, count = request.aggregate("sum", whole), request.aggregate("count", request.args[0].sql)
    return Expr(scaled(f"dk_ratio(CAST({total} AS HUGEINT), CAST(nullif({count}, 0) AS HUGEINT))", type_), type_)


def _extreme(request: Call) -> Expr:
    type_ = request.args[0].type
    if type_.name in ("row", "map", "array", "json"):
        refuse(
            request.what, f"the order of {type_.name} values is not the same on both engines", "name one of their parts"
        )
    value = request.args[0].sql
    whole = request.aggregate(request.name, value)
    if type_.name in ("double", "real"):  # NaN is the answer only when there is nothing else
        rest = request.aggregate(request.name, f"CASE WHEN isnan({value}) THEN NULL ELSE {value} END")
        return Expr(f"coalesce({rest}, {whole})", type_)
    return Expr(whole, type_)


def _by(request: Call) -> Expr:
    """The value may be NULL, so it is wrapped; NaN is the least of keys for max_by, the greatest for min_by."""
    value, key, *count = request.args
    if key.type.name in ("row", "map", "array", "json"):
        refuse(
            request.what,
            f"the order of {key.type.name} values is not the same on both engines",
            "name one of their parts",
        )
    by = key.sql
    if key.type.name in ("double", "real"):
        by = f"dk_no_nan({by}, CAST('{'-' if request.name == 'max_by' else ''}Infinity' AS DOUBLE))"
    if count:
        many = request.aggregate(request.name, f"struct_pack(v := {value.sql}), {by}, {count[0].sql}")
        return Expr(f"list_transform({many}, lambda dk_p: dk_p.v)", request.result)
    picked = request.aggregate(request.name, f"struct_pack(v := {value.sql}), {by}")
    return Expr(f"({picked}).v", value.type)


def _map_agg(request: Call) -> Expr:
    key, value = request.args
    pairs = f"array_agg[struct_pack(k := {key.sql}, v := {value.sql})]"
    return _once(f"dk_{request.name}", _marked(request, pairs), request)


def _histogram(request: Call) -> Expr:
    return _once("dk_histogram", request.aggregate("array_agg", request.args[0].sql), request)


def _once(macro: str, total: str, request: Call) -> Expr:
    """Apply a macro to an aggregate that it names more than once, also inside of lambdas, where none may stand."""
    return Expr(f"list_transform([{total}], lambda dk_all: {macro}(dk_all))[1]", request.result)


def _marked(request: Call, text: str) -> str:
    name, _, rest = text.partition("[")
    return request.aggregate(name, rest[:-1])


def _percentile(request: Call) -> Expr:
    type_ = request.args[0].type
    part = float(request.constant(1, "the percentile"))
    sql = request.aggregate("approx_quantile", f"{request.args[0].sql}, {part!r}")
    return Expr(f"CAST({sql} AS {type_.duckdb})", type_)


def _refuse_single(request: Call) -> Expr:
    return refuse(request.what, "Athena calculates it in single precision for these types", "CAST one value AS DOUBLE")


def _refuse_moment(request: Call) -> Expr:
    return refuse(request.what, "the two engines define it differently", "write it out with avg and stddev_pop")


add_table(table(_TABLE, globals()))
