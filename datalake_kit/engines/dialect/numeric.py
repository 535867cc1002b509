"""Trino's functions on numbers."""

from __future__ import annotations

from datalake_kit.engines.dialect.arithmetic import calculate, scaled
from datalake_kit.engines.dialect.calls import Call, add_table, special
from datalake_kit.engines.dialect.conversions import common_of, widen
from datalake_kit.engines.dialect.functions import table
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr
from datalake_kit.engines.dialect.types import BIGINT, as_decimal, decimal_of

_TABLE = """
abs(N) -> N = abs({0})
sign(I) -> I = @_sign
sign(decimal) -> decimal = @_sign_decimal
sign(real) -> real = CAST(dk_sign({0}) AS FLOAT)
sign(double) -> double = dk_sign({0})
ceil(I) -> I = {0}
ceil(decimal) -> decimal = @_whole
ceil(real) -> real = ceil({0})
ceil(double) -> double = ceil({0})
ceiling(I) -> I = {0}
ceiling(decimal) -> decimal = @_whole
ceiling(real) -> real = ceil({0})
ceiling(double) -> double = ceil({0})
floor(I) -> I = {0}
floor(decimal) -> decimal = @_whole
floor(real) -> real = floor({0})
floor(double) -> double = floor({0})
round(I) -> I = {0}
round(I, bigint) -> I = @_round_integer
round(decimal) -> decimal = @_round_decimal
round(decimal, bigint) -> decimal = @_round_decimal
round(real) -> real = round({0})
round(real, bigint) -> real = @_refuse_real
round(double) -> double = round({0})
round(double, bigint) -> double = dk_round_to({0}, {1})
truncate(I) -> decimal = @_truncate_integer
truncate(decimal) -> decimal = @_whole
truncate(decimal, bigint) -> decimal = @_truncate_decimal
truncate(real) -> real = trunc({0})
truncate(double) -> double = trunc({0})
sqrt(double) -> double = dk_sqrt({0})
cbrt(double) -> double = cbrt({0})
exp(double) -> double = exp({0})
ln(double) -> double = dk_ln({0})
log2(double) -> double = dk_log2({0})
log10(double) -> double = dk_log10({0})
log(double, double) -> double = (dk_ln({1}) / dk_ln({0}))
power(double, double) -> double = pow({0}, {1})
pow(double, double) -> double = pow({0}, {1})
sin(double) -> double = sin({0})
cos(double) -> double = cos({0})
tan(double) -> double = tan({0})
asin(double) -> double = CASE WHEN abs({0}) > 1 THEN CAST('NaN' AS DOUBLE) ELSE asin({0}) END
acos(double) -> double = CASE WHEN abs({0}) > 1 THEN CAST('NaN' AS DOUBLE) ELSE acos({0}) END
atan(double) -> double = atan({0})
atan2(double, double) -> double = atan2({0}, {1})
sinh(double) -> double = sinh({0})
cosh(double) -> double = cosh({0})
tanh(double) -> double = tanh({0})
degrees(double) -> double = degrees({0})
radians(double) -> double = radians({0})
pi() -> double = pi()
e() -> double = exp(CAST(1 AS DOUBLE))
nan() -> double = CAST('NaN' AS DOUBLE)
infinity() -> double = CAST('Infinity' AS DOUBLE)
is_nan(double) -> boolean = isnan({0})
is_finite(double) -> boolean = isfinite({0})
is_infinite(double) -> boolean = isinf({0})
random() -> double = random()
rand() -> double = random()
bitwise_and(bigint, bigint) -> bigint = ({0} & {1})
bitwise_or(bigint, bigint) -> bigint = ({0} | {1})
bitwise_xor(bigint, bigint) -> bigint = xor({0}, {1})
bitwise_not(bigint) -> bigint = (~{0})
bitwise_right_shift_arithmetic(bigint, bigint) -> bigint = @_shift
bit_count(bigint, bigint) -> bigint = @_bit_count
width_bucket(double, double, double, bigint) -> bigint = dk_width_bucket({0}, {1}, {2}, {3})
from_base(varchar, bigint) -> bigint = @_refuse_base
to_base(bigint, bigint) -> varchar = @_refuse_base
uuid() -> uuid = uuid()
"""


def _refuse_base(request: Call) -> Expr:
    return refuse(request.what, "the local engine does not convert between bases in the same way", "do it in Python")


def _refuse_real(request: Call) -> Expr:
    return refuse(request.what, "a real is not rounded in the same way on both engines", "CAST it AS DOUBLE")


def _sign_decimal(request: Call) -> Expr:
    return Expr(f"CAST(sign({request.args[0].sql}) AS DECIMAL(1, 0))", decimal_of(1, 0))


def _sign(request: Call) -> Expr:
    type_ = request.args[0].type
    return Expr(f"CAST(sign({request.args[0].sql}) AS {type_.duckdb})", type_)


def _whole(request: Call) -> Expr:
    """ceil, floor, truncate of a decimal give a decimal without fraction."""
    precision, scale = request.args[0].type.args
    grown = 0 if request.name == "truncate" else 1
    type_ = decimal_of(max(precision - scale + min(scale, grown), 1), 0)
    name = {"ceiling": "ceil", "truncate": "trunc"}.get(request.name, request.name)
    return Expr(f"CAST({name}({request.args[0].sql}) AS {type_.duckdb})", type_)


def _round_decimal(request: Call) -> Expr:
    value = request.args[0]
    precision, scale = value.type.args
    if len(request.args) == 1:
        type_ = decimal_of(max(precision - scale + min(scale, 1), 1), 0)
        return Expr(f"CAST({value.sql} AS {type_.duckdb})", type_)
    digits = int(request.constant(1, "the number of digits"))
    type_ = decimal_of(precision + 1, scale)
    if digits >= scale:
        return Expr(f"CAST({value.sql} AS {type_.duckdb})", type_)
    if digits < 0:
        refuse(request.what, "rounding a decimal before its point is not the same on both engines", "CAST it AS DOUBLE")
    inner = decimal_of(precision - scale + digits + 1, digits)
    return Expr(f"CAST(CAST({value.sql} AS {inner.duckdb}) AS {type_.duckdb})", type_)


def _round_integer(request: Call) -> Expr:
    digits = int(request.constant(1, "the number of digits"))
    if digits >= 0:
        return request.args[0]
    unit = 10**-digits
    return Expr(
        f"CAST(dk_ratio(CAST({request.args[0].sql} AS HUGEINT), {unit}) * {unit} AS {request.result.duckdb})",
        request.result,
    )


def _truncate_integer(request: Call) -> Expr:
    """Trino takes a whole number for a decimal here."""
    type_ = as_decimal(request.args[0].type)
    return Expr(f"CAST({request.args[0].sql} AS {type_.duckdb})", type_)


def _truncate_decimal(request: Call) -> Expr:
    type_ = request.args[0].type
    scale, digits = type_.args[1], int(request.constant(1, "the number of digits"))
    if digits >= scale:
        return request.args[0]
    if digits < 0 or type_.args[0] > 36:
        refuse(request.what, "cutting a decimal there is not the same on both engines", "CAST it AS DOUBLE")
    unit = 10 ** (scale - digits)
    whole = f"(CAST({request.args[0].sql} * {10**scale} AS HUGEINT) // {unit}) * {unit}"
    return Expr(scaled(whole, type_), type_)


def _bit_count(request: Call) -> Expr:
    if request.constant(1, "the number of bits") != "64":
        refuse(request.what, "only all 64 bits are counted in the same way on both engines", "write bit_count(x, 64)")
    return Expr(f"CAST(bit_count({request.args[0].sql}) AS BIGINT)", BIGINT)


def _shift(request: Call) -> Expr:
    count = request.constant(1, "the number of bits")
    if not count.isdigit() or int(count) > 62:
        refuse(request.what, "a shift of more than 62 bits is not the same on both engines", "shift by 0 to 62 bits")
    return Expr(f"({request.args[0].sql} >> {count})", BIGINT)


@special("mod")
def _mod(request: Call) -> Expr:
    if len(request.args) != 2 or not all(a.type.is_number for a in request.args):
        refuse(request.what, "mod takes two numbers", "write mod(a, b)")
    return calculate("%", *request.args)


@special("greatest", "least")
def _extreme(request: Call) -> Expr:
    """Trino gives NULL when a value is NULL; DuckDB leaves NULL out."""
    type_ = common_of(request.args, request.what)
    if type_.name not in ("varchar", "date", "timestamp", "boolean", "varbinary") and not type_.is_number:
        refuse(request.what, f"{request.name} of {type_} is not known to the local engine", "use CASE")
    if type_.name in ("double", "real") and any(a.type == type_ and a.literal is None for a in request.args):
        refuse(request.what, "NaN would be compared otherwise", "use CASE WHEN a > b THEN a ELSE b END")
    values = [widen(a, type_).sql for a in request.args]
    nulls = " OR ".join(f"{v} IS NULL" for v in values)
    return Expr(f"CASE WHEN {nulls} THEN NULL ELSE {request.name}({', '.join(values)}) END", type_)


add_table(table(_TABLE, globals()))
