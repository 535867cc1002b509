"""Trino's functions on text, bytes and regular expressions."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlglot import exp

from datalake_kit.engines.dialect.calls import Call, add_table, special
from datalake_kit.engines.dialect.conversions import common_of, widen
from datalake_kit.engines.dialect.forms import joined
from datalake_kit.engines.dialect.functions import table
from datalake_kit.engines.dialect.literals import string
from datalake_kit.engines.dialect.refusals import refuse
from datalake_kit.engines.dialect.scope import Expr
from datalake_kit.engines.dialect.types import BIGINT, BOOLEAN, INTEGER, UNKNOWN, VARCHAR, array_of
from datalake_kit.errors import SqlError

_TABLE = """
lower(varchar) -> varchar = lower({0})
upper(varchar) -> varchar = dk_upper({0})
length(varchar) -> bigint = length({0})
length(varbinary) -> bigint = octet_length({0})
reverse(varchar) -> varchar = dk_reverse({0})
reverse(array(T)) -> array(T) = list_reverse({0})
replace(varchar, varchar) -> varchar = replace({0}, {1}, '')
replace(varchar, varchar, varchar) -> varchar = dk_replace({0}, {1}, {2})
trim(varchar) -> varchar = dk_trim({0})
ltrim(varchar) -> varchar = dk_ltrim({0})
rtrim(varchar) -> varchar = dk_rtrim({0})
trim(varchar, varchar) -> varchar = trim({0}, {1})
ltrim(varchar, varchar) -> varchar = ltrim({0}, {1})
rtrim(varchar, varchar) -> varchar = rtrim({0}, {1})
lpad(varchar, bigint, varchar) -> varchar = lpad({0}, CAST({1} AS INTEGER), dk_pad({2}))
rpad(varchar, bigint, varchar) -> varchar = rpad({0}, CAST({1} AS INTEGER), dk_pad({2}))
substr(varchar, bigint) -> varchar = dk_substr({0}, {1}, 2147483647)
substr(varchar, bigint, bigint) -> varchar = dk_substr({0}, {1}, {2})
substring(varchar, bigint) -> varchar = dk_substr({0}, {1}, 2147483647)
substring(varchar, bigint, bigint) -> varchar = dk_substr({0}, {1}, {2})
split(varchar, varchar) -> array(varchar) = dk_split({0}, {1})
split(varchar, varchar, bigint) -> array(varchar) = dk_split_most({0}, {1}, {2})
split_part(varchar, varchar, bigint) -> varchar = dk_split_part({0}, {1}, {2})
strpos(varchar, varchar) -> bigint = strpos({0}, {1})
starts_with(varchar, varchar) -> boolean = starts_with({0}, {1})
chr(bigint) -> varchar = chr(CAST({0} AS INTEGER))
codepoint(varchar) -> integer = @_codepoint
regexp_position(varchar, varchar) -> integer = @_regexp_position
levenshtein_distance(varchar, varchar) -> bigint = @_ascii_only
hamming_distance(varchar, varchar) -> bigint = @_ascii_only
translate(varchar, varchar, varchar) -> varchar = translate({0}, {1}, {2})
normalize(varchar) -> varchar = nfc_normalize({0})
to_utf8(varchar) -> varbinary = encode({0})
from_utf8(varbinary) -> varchar = decode({0})
to_hex(varbinary) -> varchar = hex({0})
from_hex(varchar) -> varbinary = dk_from_hex({0})
to_base64(varbinary) -> varchar = to_base64({0})
from_base64(varchar) -> varbinary = from_base64({0})
md5(varbinary) -> varbinary = unhex(md5({0}))
sha1(varbinary) -> varbinary = unhex(sha1({0}))
sha256(varbinary) -> varbinary = unhex(sha256({0}))
url_encode(varchar) -> varchar = @_refuse_url
url_decode(varchar) -> varchar = @_refuse_url
split_to_map(varchar, varchar, varchar) -> map(varchar, varchar) = dk_split_to_map({0}, {1}, {2})
regexp_like(varchar, varchar) -> boolean = @_regexp_like
regexp_extract(varchar, varchar) -> varchar = @_regexp_extract
regexp_extract(varchar, varchar, bigint) -> varchar = @_regexp_extract
regexp_extract_all(varchar, varchar) -> array(varchar) = @_regexp_extract_all
regexp_extract_all(varchar, varchar, bigint) -> array(varchar) = @_regexp_extract_all
regexp_replace(varchar, varchar) -> varchar = @_regexp_replace
regexp_replace(varchar, varchar, varchar) -> varchar = @_regexp_replace
regexp_count(varchar, varchar) -> bigint = @_regexp_count
regexp_split(varchar, varchar) -> array(varchar) = @_regexp_split
"""


def _ascii_only(request: Call) -> Expr:
    name = {"levenshtein_distance": "levenshtein", "hamming_distance": "hamming"}[request.name]
    return Expr(f"{name}(dk_ascii({request.args[0].sql}), dk_ascii({request.args[1].sql}))", BIGINT)


def _codepoint(request: Call) -> Expr:
    node = request.nodes[0]
    sized = isinstance(node, exp.Cast) and [str(p.name) for p in node.args["to"].expressions] == ["1"]
    if not sized and len(request.args[0].literal or "") != 1:
        refuse(request.what, "Athena takes the code of one character only", "write codepoint(CAST(text AS varchar(1)))")
    return Expr(f"unicode({request.args[0].sql})", INTEGER)


def _refuse_url(request: Call) -> Expr:
    return refuse(request.what, "the two engines do not escape the same characters", "do it in Python")


# ---------------------------------------------------------------- regular expressions

# Java's expressions that RE2 (DuckDB) lacks or reads otherwise. Each is looked for outside of escapes.
_ESCAPED = re.compile(r"\\Q.*?(?:\\E|$)|\\.", re.DOTALL)
_UNLIKE = (
    (re.compile(r"\(\?[=!]|\(\?<[=!]|\(\?>"), "look-around and atomic groups"),
    (re.compile(r"[*+?}]\+"), "possessive quantifiers"),
    (re.compile(r"&&"), "intersections of character classes"),
    (re.compile(r"\[[^\]]*\["), "character classes inside character classes"),
    (re.compile(r"\(\?[a-z]*[xdu]"), "the flags x, d and u"),
    (re.compile(r"\{,"), "a quantifier without its lower limit"),
)
_UNLIKE_ESCAPES = re.compile(r"\\(?:[1-9]|k<|[GZRXhHvVNcx0uU])")
_LETTER_CLASSES = re.compile(r"\\[dDwWsSbBpP]")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression for RE2, and the subject that it may be applied to."""

    sql: str
    subject: str
    text: str


def _pattern(request: Call) -> Pattern:
    """Read Java's expression as RE2's, or refuse what RE2 lacks or reads otherwise."""
    text = request.constant(1, "the regular expression")
    found = _UNLIKE_ESCAPES.search(text)
    bare = _ESCAPED.sub("_", text)  # each stands for one character, so that what is around it stays apart
    reason = next((name for sign, name in _UNLIKE if sign.search(bare)), None)
    if found or reason:
        what = reason or f"the escape {found.group() if found else ''}"
        refuse(request.what, f"{what} in a regular expression are not the same on both engines", "write a plainer one")
    read, ends = _read(text, matches_only=request.name == "regexp_like")
    subject = request.args[0].sql
    return Pattern(string(read), f"dk_one_line({subject})" if ends else subject, text)


def _read(text: str, *, matches_only: bool) -> tuple[str, bool]:
    r"""Return the pattern, and whether it has a `$` whose meaning hangs on a last line end.

    Java's `$` also matches before a line end that ends the text; its `\s` includes the vertical tab.
    """
    lines = re.search(r"\(\?[a-z]*m", text) is not None
    out, i, in_class, ends = [], 0, False, False
    while i < len(text):
        char = text[i]
        if char == "\\":
            out.append(_BLANK.get((text[i + 1 : i + 2], in_class), text[i : i + 2]))
            i += 2
            continue
        in_class = char == "[" or (in_class and char != "]")
        if char == "$" and not in_class and not lines:
            ends = ends or not matches_only
            char = "(?:\\n?\\z)" if matches_only else char
        out.append(char)
        i += 1
    return "".join(out), ends


_BLANK = {("s", False): "[\\s\\x0B]", ("s", True): "\\s\\x0B", ("S", False): "[^\\s\\x0B]"}


def _regexp_like(request: Call) -> Expr:
    pattern = _pattern(request)
    return Expr(f"regexp_matches({pattern.subject}, {pattern.sql})", BOOLEAN)


def _group(request: Call, pattern: Pattern) -> int:
    """Return the number of the group; one that can stay out of a match is NULL in Trino and '' in RE2."""
    if len(request.args) < 3:
        return 0
    number = int(request.constant(2, "the number of the group"))
    if number > _groups(pattern.text):
        raise SqlError(f"{request.what}: the pattern has {_groups(pattern.text)} groups")
    if number and _can_stay_out(pattern.text, number):
        refuse(
            request.what,
            f"group {number} need not take part in a match, which the local engine does not tell from an empty one",
            "give each case an expression of its own",
        )
    return number


def _matches_nothing(text: str) -> bool:
    try:
        return re.search(text, "") is not None
    except re.error:
        return True


def _groups(text: str) -> int:
    """Return the number of groups that a regular expression captures."""
    bare = re.sub(r"\\.|\[[^\]]*\]", "", text, flags=re.DOTALL)
    return len(re.findall(r"\((?!\?)|\(\?P?<(?![=!])", bare))


def _can_stay_out(text: str, number: int) -> bool:
    """Tell whether a group, or one around it, is optional or one of several alternatives."""
    opened: list[tuple[int, int]] = []  # (where it begins, its number or 0)
    spans, alternatives, count, in_class, i = {}, [], 0, False, 0
    while i < len(text):
        char = text[i]
        if char == "\\":
            i += 2
            continue
        in_class = char == "[" or (in_class and char != "]")
        if char == "(" and not in_class:
            captures = text[i + 1 : i + 2] != "?" or text[i + 1 : i + 4] == "?P<" or text[i + 1 : i + 3] == "?<"
            count += captures
            opened.append((i, count if captures else 0))
        elif char == ")" and not in_class and opened:
            begin, own = opened.pop()
            spans[begin] = (i, own)
        elif char == "|" and not in_class:
            alternatives.append(opened[-1][0] if opened else -1)
        i += 1
    at = next((b for b, (_, own) in spans.items() if own == number), None)
    if at is None:
        return False
    around = [b for b, (end, _) in spans.items() if b <= at and end >= spans[at][0]]
    optional = any(text[spans[b][0] + 1 : spans[b][0] + 2] in ("?", "*") or text[spans[b][0] + 1 :].startswith("{0")
                   for b in around)  # fmt: skip
    return optional or any(b == -1 or (b in around and b != at) for b in alternatives)


def _regexp_extract(request: Call) -> Expr:
    pattern = _pattern(request)
    return Expr(f"dk_regexp_extract({pattern.subject}, {pattern.sql}, {_group(request, pattern)})", VARCHAR)


def _regexp_extract_all(request: Call) -> Expr:
    pattern = _pattern(request)
    sql = f"regexp_extract_all({pattern.subject}, {pattern.sql}, {_group(request, pattern)})"
    return Expr(sql, array_of(VARCHAR))


def _regexp_replace(request: Call) -> Expr:
    pattern = _pattern(request)
    with_ = _replacement(request) if len(request.args) > 2 else "''"
    return Expr(f"regexp_replace({pattern.subject}, {pattern.sql}, {with_}, 'g')", VARCHAR)


def _replacement(request: Call) -> str:
    """Turn Java's `$1` into RE2's `\1`."""
    text = request.constant(2, "the replacement")
    out, i = [], 0
    while i < len(text):
        char, after = text[i], text[i + 1 : i + 2]
        if char == "$":
            if not after.isdigit() or text[i + 2 : i + 3].isdigit():
                refuse(request.what, "only $0 to $9 in a replacement are the same on both engines", "number the groups")
            out.append(f"\\{after}")
            i += 2
        elif char == "\\":
            out.append("\\\\" if after == "\\" else after)
            i += 2
        else:
            out.append(char)
            i += 1
    return string("".join(out))


def _regexp_count(request: Call) -> Expr:
    pattern = _pattern(request)
    return Expr(f"len(regexp_extract_all({pattern.subject}, {pattern.sql}))", BIGINT)


def _regexp_position(request: Call) -> Expr:
    """Count what stands before the first match."""
    pattern = _pattern(request)
    before = string(f"(?s)^(.*?)(?:{_read(pattern.text, matches_only=False)[0]})")
    found = f"length(regexp_extract({pattern.subject}, {before}, 1)) + 1"
    test = f"regexp_matches({pattern.subject}, {pattern.sql})"
    return Expr(f"CAST(CASE WHEN {test} THEN {found} WHEN NOT {test} THEN -1 END AS INTEGER)", INTEGER)


def _regexp_split(request: Call) -> Expr:
    pattern = _pattern(request)
    if _matches_nothing(pattern.text):
        refuse(request.what, "a pattern that matches the empty text splits otherwise", "use + where * stands")
    return Expr(f"regexp_split_to_array({pattern.subject}, {pattern.sql})", array_of(VARCHAR))


# ---------------------------------------------------------------- any number of arguments


@special("concat")
def _concat(request: Call) -> Expr:
    if len(request.args) < 2:
        refuse(request.what, "Athena needs two values at least", "give two values")
    if len({a.type for a in request.args}) > 1 and array_of(UNKNOWN) in [a.type for a in request.args]:
        refuse(request.what, "Athena cannot tell what an empty array is", "CAST(ARRAY[] AS array(the type you mean))")
    whole = request.args[0]
    for part in request.args[1:]:
        whole = joined(whole, part, request.what)
    return whole


@special("concat_ws")
def _concat_ws(request: Call) -> Expr:
    separator, *parts = request.args
    if len(parts) == 1 and parts[0].type == array_of(VARCHAR):
        return Expr(f"dk_array_join({parts[0].sql}, {separator.sql})", VARCHAR)
    if common_of([separator, *parts], request.what) != VARCHAR or not parts:
        refuse(request.what, "Athena joins text only", "CAST(value AS VARCHAR)")
    every = ", ".join(widen(p, VARCHAR).sql for p in parts)
    return Expr(f"concat_ws({widen(separator, VARCHAR).sql}, {every})", VARCHAR)


_SPEC = re.compile(r"%(?:(0?)(\d*)([ds])|%)")


@special("format")
def _format(request: Call) -> Expr:
    text = request.constant(0, "the format")
    specs = [m for m in _SPEC.finditer(text) if m.group() != "%%"]
    if "%" in _SPEC.sub("", text) or len(specs) != len(request.args) - 1:
        refuse(
            request.what,
            "only %s, %d, %5d and %05d are the same on both engines",
            "round and CAST the number AS VARCHAR",
        )
    args = [_formatted(request, spec, value) for spec, value in zip(specs, request.args[1:], strict=True)]
    pattern = _SPEC.sub(lambda m: m.group().replace("d", "s") if m[3] == "d" and not m[2] else m.group(), text)
    return Expr(f"printf({', '.join([string(pattern), *args])})", VARCHAR)


def _formatted(request: Call, spec: re.Match[str], value: Expr) -> str:
    """NULL is written as 'null'."""
    number = spec[3] == "d"
    if not (value.type.is_integer or (not number and value.type in (VARCHAR, UNKNOWN))):
        refuse(request.what, f"{spec.group()} of {value.type} is not the same on both engines", "CAST it AS VARCHAR")
    if number and spec[2]:
        return f"CAST({value.sql} AS BIGINT)"
    return f"coalesce(CAST({value.sql} AS VARCHAR), 'null')"


add_table(table(_TABLE, globals()))
