"""Trino's answers as DuckDB macros, for the functions that DuckDB has otherwise or not at all.

Each is a plain expression, so a statement that calls none of them is not touched; the names begin with dk_.
"""

from __future__ import annotations

import re

# What Trino's trim takes for blank.
_BLANKS = "' ' || " + " || ".join(
    f"chr({n})" for n in (*range(9, 14), *range(28, 32), 0x1680, *range(0x2000, 0x2007), *range(0x2008, 0x200B),
                          0x2028, 0x2029, 0x205F, 0x3000)
)  # fmt: skip

# How an error() begins that is a refusal: the values met while running are not treated alike.
REFUSED_WHILE_RUNNING = "NOT ALIKE: "

MACROS: dict[str, str] = {
    # numbers
    "dk_div(a, b)": "CASE WHEN a IS NULL THEN NULL WHEN b = 0 THEN error('Division by zero') ELSE a // b END",
    "dk_mod(a, b)": "CASE WHEN a IS NULL THEN NULL WHEN b = 0 THEN error('Division by zero') ELSE a % b END",
    "dk_ratio(a, b)": (
        "CASE WHEN a IS NULL THEN NULL WHEN b = 0 THEN error('Division by zero') "
        "WHEN (a < 0) = (b < 0) THEN (2 * abs(a) + abs(b)) // (2 * abs(b)) "
        "ELSE -((2 * abs(a) + abs(b)) // (2 * abs(b))) END"
    ),
    "dk_round_to(x, n)": (
        "CASE WHEN NOT abs(x) * pow(10, n) < 9007199254740992 THEN x "
        "WHEN x < 0 THEN -(floor(-x * pow(10, n) + 0.5) / pow(10, n)) "
        "ELSE floor(x * pow(10, n) + 0.5) / pow(10, n) END"
    ),
    "dk_to_real(x)": (
        "CASE WHEN abs(x) > 3.4028235677973366e38 AND NOT isnan(x) THEN sign(x) * CAST('Infinity' AS DOUBLE) ELSE x END"
    ),
    "dk_sqrt(x)": "CASE WHEN x < 0 THEN CAST('NaN' AS DOUBLE) ELSE sqrt(x) END",
    "dk_ln(x)": (
        "CASE WHEN x < 0 THEN CAST('NaN' AS DOUBLE) WHEN x = 0 THEN CAST('-Infinity' AS DOUBLE) ELSE ln(x) END"
    ),
    "dk_log2(x)": (
        "CASE WHEN x < 0 THEN CAST('NaN' AS DOUBLE) WHEN x = 0 THEN CAST('-Infinity' AS DOUBLE) ELSE log2(x) END"
    ),
    "dk_log10(x)": (
        "CASE WHEN x < 0 THEN CAST('NaN' AS DOUBLE) WHEN x = 0 THEN CAST('-Infinity' AS DOUBLE) ELSE log10(x) END"
    ),
    "dk_sign(x)": "CASE WHEN isnan(x) THEN x ELSE CAST(sign(x) AS DOUBLE) END",
    "dk_bucket(x, low, high, n)": (
        "CASE WHEN x < low THEN 0 WHEN x >= high THEN n + 1 "
        "ELSE CAST(floor(n * (x - low) / (high - low)) AS BIGINT) + 1 END"
    ),
    "dk_width_bucket(x, low, high, n)": (
        "CASE WHEN x IS NULL OR low IS NULL OR high IS NULL OR n IS NULL THEN NULL "
        "WHEN n <= 0 OR low = high OR isnan(x) THEN error('the buckets of width_bucket are not defined') "
        "WHEN low < high THEN dk_bucket(x, low, high, n) ELSE n - dk_bucket(x, high, low, n) + 1 END"
    ),
    # text
    "dk_checked(x, pattern, type)": (
        "CASE WHEN x IS NULL OR regexp_full_match(x, pattern) THEN x "
        "ELSE error('Cannot cast ''' || x || ''' to ' || type) END"
    ),
    "dk_matching(x, pattern)": "CASE WHEN regexp_full_match(x, pattern) THEN x END",
    "dk_clear(x, pattern, unclear)": (
        "CASE WHEN regexp_full_match(x, pattern) THEN x "
        "WHEN regexp_full_match(x, unclear) THEN error('NOT ALIKE: reading ' || x) END"
    ),
    "dk_if_finite(x)": "CASE WHEN isfinite(x) THEN x END",
    "dk_no_nan(x, y)": "CASE WHEN isnan(x) THEN y ELSE x END",
    "dk_numbers(a)": "list_filter(a, lambda e: NOT isnan(e))",
    "dk_upper(x)": (
        "CASE WHEN contains(x, 'ß') THEN array_to_string(list_transform(string_split(x, ''), "
        "lambda c: CASE WHEN c = 'ß' THEN c ELSE upper(c) END), '') ELSE upper(x) END"
    ),
    "dk_reverse(x)": "array_to_string(list_reverse(string_split(x, '')), '')",
    "dk_replace(x, a, b)": (
        "CASE WHEN a = '' THEN b || array_to_string(list_transform(string_split(x, ''), lambda c: c || b), '') "
        "ELSE replace(x, a, b) END"
    ),
    "dk_trim(x)": f"trim(x, {_BLANKS})",
    "dk_ltrim(x)": f"ltrim(x, {_BLANKS})",
    "dk_rtrim(x)": f"rtrim(x, {_BLANKS})",
    "dk_substr(x, a, n)": (
        "CASE WHEN x IS NULL OR a IS NULL OR n IS NULL THEN NULL WHEN a = 0 OR n <= 0 OR -a > length(x) THEN '' "
        "WHEN a > 0 THEN substring(x, least(a, 2147483647), least(n, 2147483647)) "
        "ELSE substring(x, length(x) + a + 1, least(n, 2147483647)) END"
    ),
    "dk_pad(d)": "CASE WHEN d = '' THEN error('Padding string must not be empty') ELSE d END",
    "dk_split(x, d)": (
        "CASE WHEN d IS NULL THEN NULL WHEN d = '' THEN error('The delimiter may not be empty') "
        "ELSE string_split(x, d) END"
    ),
    "dk_split_most(x, d, n)": (
        "CASE WHEN x IS NULL OR d IS NULL OR n IS NULL THEN NULL "
        "WHEN d = '' THEN error('The delimiter may not be empty') "
        "WHEN n <= 0 THEN error('Limit must be positive') WHEN len(string_split(x, d)) <= n THEN string_split(x, d) "
        "ELSE list_append(string_split(x, d)[1:n - 1], array_to_string(string_split(x, d)[n:], d)) END"
    ),
    "dk_split_part(x, d, n)": (
        "CASE WHEN n <= 0 THEN error('Index must be greater than zero') ELSE string_split(x, d)[n] END"
    ),
    "dk_pair(p, k)": (
        "CASE WHEN len(string_split(p, k)) = 2 THEN string_split(p, k) "
        "ELSE error('Key-value delimiter must appear exactly once in each entry') END"
    ),
    "dk_split_to_map(x, e, k)": (
        "CASE WHEN x IS NULL OR e IS NULL OR k IS NULL THEN NULL WHEN x = '' THEN map([], []) "
        "ELSE map(list_transform(string_split(x, e), lambda p: dk_pair(p, k)[1]), "
        "list_transform(string_split(x, e), lambda p: dk_pair(p, k)[2])) END"
    ),
    "dk_from_hex(x)": (
        "CASE WHEN length(x) % 2 = 1 THEN error('invalid input length ' || length(x)) ELSE unhex(x) END"
    ),
    "dk_within(x, n)": "CASE WHEN length(x) <= n THEN x END",
    "dk_fits(x, n)": (
        "CASE WHEN length(x) > n THEN error('Cannot cast ''' || x || ''' to varchar(' || n || ')') ELSE x END"
    ),
    "dk_ascii(x)": (
        "CASE WHEN octet_length(encode(x)) = length(x) THEN x "
        "ELSE error('NOT ALIKE: distances of text beyond ASCII') END"
    ),
    "dk_one_line(x)": (
        "CASE WHEN suffix(x, chr(10)) THEN error('NOT ALIKE: a text that ends in a line end; trim it first') ELSE x END"
    ),
    "dk_regexp_extract(x, p, n)": "CASE WHEN regexp_matches(x, p) THEN regexp_extract(x, p, n) END",
    # moments
    "dk_to_milliseconds(t)": "date_trunc('millisecond', t + INTERVAL '500 microseconds')",
    "dk_to_seconds(t)": "date_trunc('second', t + INTERVAL '500 milliseconds')",
    "dk_from_unixtime(x)": "timezone('UTC', epoch_ms(CAST(floor(x * 1000 + 0.5) AS BIGINT)))",
    # T02 is T02:00, +0800 and +08 are +08:00
    "dk_iso8601_spelled(x)": (
        "regexp_replace(regexp_replace(regexp_replace(x, '(T[0-9]{2})(Z|[+-].*)?$', '\\1:00\\2'), "
        "'(T.*[+-][0-9]{2})$', '\\1:00'), '(T.*[+-][0-9]{2})([0-9]{2})$', '\\1:\\2')"
    ),
    "dk_from_iso8601(x)": (
        "date_trunc('millisecond', CAST(dk_checked(dk_iso8601_spelled(x), "
        "'[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?', "
        "'ISO 8601 timestamp') AS TIMESTAMP WITH TIME ZONE))"
    ),
    # The instant of a local time t made out of the moment x: with the offset of x where that gives t, else the first.
    "dk_back(z, x, t)": (
        "CASE WHEN timezone(z, timezone('UTC', t - (timezone(z, x) - timezone('UTC', x)))) = t "
        "THEN timezone('UTC', t - (timezone(z, x) - timezone('UTC', x))) "
        "WHEN timezone(z, timezone(z, t) - INTERVAL 1 HOUR) = t THEN timezone(z, t) - INTERVAL 1 HOUR "
        "ELSE timezone(z, t) END"
    ),
    # arrays and maps
    "dk_has_null(a)": "len(list_filter(a, lambda e: e IS NULL)) > 0",
    "dk_list_concat(a, b)": "CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE list_concat(a, b) END",
    # Trino cannot tell whether arrays are equal when the elements that decide are NULL.
    "dk_array_equal(a, b)": (
        "CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN len(a) <> len(b) THEN false "
        "WHEN len(list_filter(range(1, len(a) + 1), lambda i: a[i] <> b[i])) > 0 THEN false "
        "WHEN dk_has_null(a) OR dk_has_null(b) THEN NULL ELSE true END"
    ),
    "dk_subscript(a, i)": (
        "CASE WHEN a IS NULL OR i IS NULL THEN NULL WHEN i BETWEEN 1 AND len(a) THEN list_extract(a, i) "
        "ELSE error('Array subscript must be between 1 and ' || len(a) || ': ' || i) END"
    ),
    "dk_element_at(a, i)": (
        "CASE WHEN i = 0 THEN error('SQL array indices start at 1') ELSE list_extract(a, i) END"
    ),
    "dk_map_value(m, k)": "map_extract(m, k)[1]",
    "dk_map_subscript(m, k)": (
        "CASE WHEN m IS NULL OR k IS NULL THEN NULL WHEN map_contains(m, k) THEN map_extract(m, k)[1] "
        "ELSE error('Key not present in map') END"
    ),
    "dk_contains(a, x)": (
        "CASE WHEN a IS NULL OR x IS NULL THEN NULL WHEN list_contains(a, x) THEN true "
        "WHEN dk_has_null(a) THEN NULL ELSE false END"
    ),
    "dk_distinct(a)": "list_filter(a, lambda e, i: list_position(a, e) = i)",
    "dk_array_extreme(a, e)": "CASE WHEN dk_has_null(a) THEN NULL ELSE e END",
    "dk_position(a, x)": (
        "CASE WHEN a IS NULL OR x IS NULL THEN NULL ELSE CAST(coalesce(list_position(a, x), 0) AS BIGINT) END"
    ),
    "dk_remove(a, x)": "CASE WHEN x IS NULL THEN NULL ELSE list_filter(a, lambda e: e IS DISTINCT FROM x) END",
    "dk_intersect(a, b)": (
        "CASE WHEN a IS NULL OR b IS NULL THEN NULL "
        "WHEN len(a) < len(b) THEN dk_distinct(list_filter(b, lambda e: list_position(a, e) IS NOT NULL)) "
        "ELSE dk_distinct(list_filter(a, lambda e: list_position(b, e) IS NOT NULL)) END"
    ),
    # Trino gives the array as it is, also what is in it twice, when nothing is to be left out.
    "dk_except(a, b)": (
        "CASE WHEN a IS NULL OR b IS NULL THEN NULL WHEN len(b) = 0 THEN a "
        "ELSE dk_distinct(list_filter(a, lambda e: list_position(b, e) IS NULL)) END"
    ),
    "dk_overlap(a, b)": (
        "CASE WHEN a IS NULL OR b IS NULL THEN NULL "
        "WHEN len(list_filter(a, lambda e: e IS NOT NULL AND list_contains(b, e))) > 0 THEN true "
        "WHEN len(a) > 0 AND len(b) > 0 AND (dk_has_null(a) OR dk_has_null(b)) THEN NULL ELSE false END"
    ),
    "dk_flatten(a)": "flatten(a)",
    "dk_slice(a, s, n)": (
        "CASE WHEN s IS NULL OR n IS NULL THEN NULL WHEN s = 0 THEN error('SQL array indices start at 1') "
        "WHEN n < 0 THEN error('length must be greater than or equal to 0') "
        "WHEN s > 0 THEN a[s:s + n - 1] WHEN -s > len(a) THEN a[1:0] "
        "ELSE a[len(a) + s + 1:len(a) + s + n] END"
    ),
    "dk_trim_array(a, n)": (
        "CASE WHEN n < 0 OR n > len(a) THEN error('size must not be negative or exceed the array: ' || n) "
        "ELSE a[1:len(a) - n] END"
    ),
    "dk_sequence(a, b, s)": (
        "CASE WHEN s = 0 OR (b - a > 0 AND s < 0) OR (b - a < 0 AND s > 0) "
        "THEN error('sequence stop value should be greater than or equal to start value if step is greater than zero') "
        "WHEN abs(CAST(b AS HUGEINT) - a) // abs(s) >= 10000 THEN error('a sequence has 10000 entries at most') "
        "ELSE generate_series(CAST(a AS BIGINT), CAST(b AS BIGINT), CAST(s AS BIGINT)) END"
    ),
    # a + i * s for whole months s: each from the start, so that the end of a month stays the end of a month.
    "dk_sequence_days(a, b, i)": (
        "CASE WHEN i = INTERVAL 0 DAY OR (b > a AND i < INTERVAL 0 DAY) OR (b < a AND i > INTERVAL 0 DAY) "
        "THEN error('sequence cannot reach its stop value') "
        "WHEN abs(epoch(b) - epoch(a)) >= 10000 * abs(epoch(i)) THEN error('a sequence has 10000 entries at most') "
        "ELSE generate_series(a, b, i) END"
    ),
    "dk_months(i)": "12 * datepart('year', i) + datepart('month', i)",
    "dk_sequence_months(a, b, i)": (
        "CASE WHEN dk_months(i) = 0 OR (b > a AND dk_months(i) < 0) OR (b < a AND dk_months(i) > 0) "
        "THEN error('sequence cannot reach its stop value') "
        "ELSE list_filter(list_transform(range(0, abs(date_sub('month', a, b) // dk_months(i)) + 2), "
        "lambda n: a + to_months(CAST(n * dk_months(i) AS INTEGER))), "
        "lambda v: CASE WHEN dk_months(i) > 0 THEN v <= b ELSE v >= b END) END"
    ),
    "dk_date_months(a, b, i)": "CAST(dk_sequence_months(a, b, i) AS DATE[])",
    "dk_array_join(a, d)": (
        "CASE WHEN a IS NULL OR d IS NULL THEN NULL "
        "ELSE coalesce(array_to_string(list_filter(a, lambda e: e IS NOT NULL), d), '') END"
    ),
    "dk_map(k, v)": "map(k, v)",
    "dk_map_agg(p)": (
        "CASE WHEN len(list_filter(p, lambda e: e.k IS NOT NULL)) > 0 "
        "THEN map_from_entries(list_transform(list_filter(p, lambda e, i: e.k IS NOT NULL AND "
        "list_position(list_transform(p, lambda q: q.k), e.k) = i), lambda e: {'key': e.k, 'value': e.v})) END"
    ),
    "dk_multimap_agg(p)": (
        "CASE WHEN len(list_filter(p, lambda e: e.k IS NOT NULL)) > 0 "
        "THEN map_from_entries(list_transform(dk_distinct(list_filter("
        "list_transform(p, lambda q: q.k), lambda k: k IS NOT NULL)), "
        "lambda k: {'key': k, 'value': list_transform(list_filter(p, lambda e: e.k = k), lambda e: e.v)})) END"
    ),
    "dk_ngrams(a, n)": (
        "CASE WHEN n <= 0 THEN error('N must be positive') WHEN len(a) < n THEN [a] "
        "ELSE list_transform(range(1, len(a) - n + 2), lambda i: a[i:i + n - 1]) END"
    ),
    "dk_histogram(a)": (
        "CASE WHEN len(list_filter(a, lambda e: e IS NOT NULL)) > 0 "
        "THEN map(dk_distinct(list_filter(a, lambda e: e IS NOT NULL)), "
        "list_transform(dk_distinct(list_filter(a, lambda e: e IS NOT NULL)), "
        "lambda d: len(list_filter(a, lambda e: e = d)))) END"
    ),
    "dk_map_concat(m)": (
        "map_from_entries(list_reverse(list_filter(list_reverse(flatten(list_transform(m, lambda x: map_entries(x)))), "
        "lambda e, i: list_position(list_transform(list_reverse(flatten(list_transform(m, lambda x: map_entries(x)))), "
        "lambda q: q.key), e.key) = i)))"
    ),
    "dk_any_match(t)": "CASE WHEN list_contains(t, true) THEN true WHEN dk_has_null(t) THEN NULL ELSE len(t) < 0 END",
    "dk_all_match(t)": (
        "CASE WHEN list_contains(t, false) THEN false WHEN dk_has_null(t) THEN NULL ELSE len(t) >= 0 END"
    ),
    "dk_none_match(t)": "NOT dk_any_match(t)",
    # JSON
    "dk_json_parse(x)": (
        "CASE WHEN x IS NULL THEN NULL WHEN json_valid(x) THEN json(x) "
        "ELSE error('Cannot convert value to JSON: ''' || x || '''') END"
    ),
    # Trino sorts the keys of objects that json_parse or a cast made.
    "dk_json_sorted(j)": (
        "CASE WHEN j IS NULL THEN NULL "
        "WHEN regexp_matches(regexp_replace(CAST(j AS VARCHAR), '\"(?:[^\"\\\\]|\\\\.)*\"', '', 'g'), '[0-9][.eE]') "
        "THEN error('NOT ALIKE: json_format of a number with a fraction; CAST it AS DOUBLE') "
        "WHEN NOT contains(CAST(j AS VARCHAR), '{') THEN CAST(j AS VARCHAR) "
        "WHEN regexp_matches(regexp_replace(CAST(j AS VARCHAR), '\"(?:[^\"\\\\]|\\\\.)*\"', '', 'g'), '^[{][^{]*$') "
        "THEN '{' || array_to_string(list_transform(list_sort(json_keys(j)), "
        "lambda k: CAST(to_json(k) AS VARCHAR) || ':' || CAST(json_extract(j, '$.\"' || k || '\"') AS VARCHAR)), ',') "
        "|| '}' ELSE error('NOT ALIKE: json_format of nested objects; use json_extract of the text') END"
    ),
    "dk_json_in_order(j)": (
        "CASE WHEN dk_json_sorted(j) <> CAST(j AS VARCHAR) "
        "THEN error('NOT ALIKE: json_format of an object whose keys are not in order, which Athena sorts or not, after "
        "how the value was made; write json_format(json_parse(json_format(value)))') ELSE dk_json_sorted(j) END"
    ),
    # Trino reads no further than the path goes, so a text that is broken may still give a value there.
    "dk_json_readable(x, k)": (
        "CASE WHEN json_valid(x) THEN true "
        "WHEN regexp_matches(x, '^\\s*[\\[{]') AND contains(x, k) "
        "THEN error('NOT ALIKE: broken JSON, which Athena reads up to where it breaks; leave such rows out by '"
        "'WHERE try(json_parse(x)) IS NOT NULL, or write try(json_extract_scalar(x, path)): ' || x[1:60]) "
        "ELSE false END"
    ),
    "dk_json_extract(x, p, k)": "CASE WHEN dk_json_readable(x, k) THEN json_extract(x, p) END",
    # Trino gives the digits of a number as they are written; DuckDB may write it anew, so they must be in the text.
    "dk_json_number(x, n)": (
        "CASE WHEN regexp_matches(x, "
        "'(^|[^0-9.eE+-])' || replace(replace(n, '.', '[.]'), '+', '[+]') || '($|[^0-9.eE])') THEN n "
        "ELSE error('NOT ALIKE: a number that JSON writes otherwise than ' || n || '; CAST it AS DOUBLE') END"
    ),
    "dk_json_extract_scalar(x, p, k)": (
        "CASE WHEN NOT dk_json_readable(x, k) OR json_type(x, p) IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL "
        "WHEN json_type(x, p) = 'DOUBLE' OR json_extract_string(x, p) = '0' "
        "THEN dk_json_number(x, json_extract_string(x, p)) "
        "ELSE json_extract_string(x, p) END"
    ),
    "dk_json_array_length(x)": (
        "CASE WHEN json_valid(x) AND json_type(x) = 'ARRAY' THEN CAST(json_array_length(x) AS BIGINT) END"
    ),
    "dk_json_size(x, p)": (
        "CASE WHEN NOT json_valid(x) THEN NULL "
        "WHEN json_type(x, p) = 'ARRAY' THEN CAST(json_array_length(x, p) AS BIGINT) "
        "WHEN json_type(x, p) = 'OBJECT' THEN len(json_keys(x, p)) WHEN json_type(x, p) IS NULL THEN NULL ELSE 0 END"
    ),
    "dk_json_is_null(j)": "j IS NULL OR json_type(j) = 'NULL'",
    "dk_json_varchar(j)": (
        "CASE json_type(j) WHEN 'NULL' THEN NULL WHEN 'OBJECT' THEN error('Cannot cast a JSON object to varchar') "
        "WHEN 'ARRAY' THEN error('Cannot cast a JSON array to varchar') "
        "WHEN 'DOUBLE' THEN error('NOT ALIKE: the text of a number with a fraction; CAST it AS DOUBLE') "
        "ELSE json_extract_string(j, '$') END"
    ),
    "dk_json_bigint(j)": (
        "CASE json_type(j) WHEN 'NULL' THEN NULL WHEN 'OBJECT' THEN error('Cannot cast a JSON object to bigint') "
        "WHEN 'ARRAY' THEN error('Cannot cast a JSON array to bigint') "
        "WHEN 'BOOLEAN' THEN CASE WHEN json_extract_string(j, '$') = 'true' THEN 1 ELSE 0 END "
        "WHEN 'DOUBLE' THEN CAST(round(CAST(json_extract_string(j, '$') AS DOUBLE)) AS BIGINT) "
        "ELSE CAST(dk_checked(json_extract_string(j, '$'), '\\s*[+-]?[0-9]+\\s*', 'bigint') AS BIGINT) END"
    ),
    "dk_json_double(j)": (
        "CASE json_type(j) WHEN 'NULL' THEN NULL WHEN 'OBJECT' THEN error('Cannot cast a JSON object to double') "
        "WHEN 'ARRAY' THEN error('Cannot cast a JSON array to double') "
        "WHEN 'BOOLEAN' THEN CASE WHEN json_extract_string(j, '$') = 'true' THEN 1.0 ELSE 0.0 END "
        "ELSE CAST(dk_checked(json_extract_string(j, '$'), "
        "'\\s*[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?\\s*', 'double') AS DOUBLE) END"
    ),
    "dk_json_boolean(j)": (
        "CASE json_type(j) WHEN 'NULL' THEN NULL WHEN 'OBJECT' THEN error('Cannot cast a JSON object to boolean') "
        "WHEN 'ARRAY' THEN error('Cannot cast a JSON array to boolean') "
        "WHEN 'VARCHAR' "
        "THEN CAST(dk_checked(json_extract_string(j, '$'), '(?i)true|false|t|f|1|0', 'boolean') AS BOOLEAN) "
        "WHEN 'BOOLEAN' THEN json_extract_string(j, '$') = 'true' "
        "ELSE CAST(json_extract_string(j, '$') AS DOUBLE) <> 0 END"
    ),
    "dk_json_items(j)": (
        "CASE WHEN dk_json_is_null(j) THEN NULL WHEN json_type(j) = 'ARRAY' THEN json_extract(j, '$[*]') "
        "ELSE error('Cannot cast this JSON to an array: ' || CAST(j AS VARCHAR)) END"
    ),
    "dk_json_object(j)": (
        "CASE WHEN json_type(j) = 'OBJECT' THEN j "
        "ELSE error('Cannot cast this JSON to a row: ' || CAST(j AS VARCHAR)) END"
    ),
    "dk_json_keys(j)": (
        "CASE WHEN dk_json_is_null(j) THEN NULL WHEN json_type(j) = 'OBJECT' THEN json_keys(j) "
        "ELSE error('Cannot cast this JSON to a map: ' || CAST(j AS VARCHAR)) END"
    ),
    "dk_json_values(j)": "json_extract(j, '$.*')",
}  # fmt: skip


_CALLS = re.compile(r"\bdk_[a-z_0-9]+(?=\()")


def name_of(head: str) -> str:
    """Return the name of a macro: dk_div of dk_div(a, b)."""
    return head.partition("(")[0]


def _failing() -> frozenset[str]:
    """Return the macros that call error(), or one that does."""
    found = {name_of(head) for head, body in MACROS.items() if "error(" in body}
    while True:
        more = {name_of(head) for head, body in MACROS.items() if found & set(_CALLS.findall(body))}
        if more <= found:
            return frozenset(found)
        found |= more


_FAILING = _failing()


def inside_try(sql: str) -> str:
    """Return an expression for DuckDB's TRY, which takes no error(): its macros are those that fail by a cast."""
    return _CALLS.sub(lambda m: "dt_" + m.group()[3:] if m.group() in _FAILING else m.group(), sql)


def create_statements() -> tuple[str, ...]:
    """Return the statements that make the macros known to a database and all its connections."""
    made = ["CREATE OR REPLACE MACRO dt_fail(m) AS (CASE WHEN CAST(m AS BOOLEAN) THEN NULL END)"]
    for head, body in MACROS.items():
        made.append(f"CREATE OR REPLACE MACRO {head} AS ({body})")
        if name_of(head) in _FAILING:
            tried = inside_try(body).replace("error(", "dt_fail(")
            made.append(f"CREATE OR REPLACE MACRO {inside_try(head)} AS ({tried})")
    return tuple(made)
