"""Functions that are refused by name: why, and what to write, where a plain "not known" would not help."""

from __future__ import annotations

_URLS = (
    "it has no counterpart in the local engine",
    "write regexp_extract(url, '^[a-z]+://([^/:?#]+)([^?#]*)', 1) for the host, 2 for the path",
)
REASONS: dict[str, tuple[str, str]] = {
    "arg_max": ("Athena has no such function", "write max_by(value, key)"),
    "arg_min": ("Athena has no such function", "write min_by(value, key)"),
    "string_agg": ("Athena has no such function", "write listagg(value, ',') WITHIN GROUP (ORDER BY key)"),
    "group_concat": ("Athena has no such function", "write listagg(value, ',') WITHIN GROUP (ORDER BY key)"),
    "list": ("Athena has no such function", "write array_agg(value)"),
    "unnest": ("Athena knows UNNEST only in FROM", "write CROSS JOIN UNNEST(array) AS t(x)"),
    "typeof": ("the names of types are not the same on both engines", "look at lake.table(name).columns"),
    "format_datetime": ("its patterns have no exact counterpart", "write date_format(value, '%Y-%m-%d')"),
    "parse_datetime": ("its patterns have no exact counterpart", "write date_parse(text, '%Y-%m-%d')"),
    "json_value": ("its paths have no exact counterpart", "write json_extract_scalar(text, '$.name')"),
    "json_query": ("its paths have no exact counterpart", "write json_extract(text, '$.name')"),
    "ifnull": ("Athena has no such function", "write coalesce(a, b)"),
    "nvl": ("Athena has no such function", "write coalesce(a, b)"),
    "datediff": ("Athena has no such function", "write date_diff('day', earlier, later)"),
    "strftime": ("Athena has no such function", "write date_format(value, '%Y-%m-%d')"),
    "strptime": ("Athena has no such function", "write date_parse(text, '%Y-%m-%d')"),
    "len": ("Athena has no such function", "write length(text) or cardinality(array)"),
    "list_value": ("Athena has no such function", "write ARRAY[1, 2]"),
    "md5_number": ("Athena has no such function", "write to_hex(md5(to_utf8(text)))"),
    "epoch": ("Athena has no such function", "write to_unixtime(value)"),
    "isnan": ("Athena has no such function", "write is_nan(value)"),
    "regexp_matches": ("Athena has no such function", "write regexp_like(text, pattern)"),
    "to_iso8601": (
        "its text depends on digits that are not kept here",
        "write date_format(value, '%Y-%m-%dT%H:%i:%s')",
    ),
    "bitwise_left_shift": ("the local engine shifts no negative number", "write x * 8 for a shift by 3"),
    "bitwise_right_shift": ("the local engine shifts no negative number", "write bitwise_right_shift_arithmetic(x, 3)"),
    "url_extract_host": _URLS,
    "url_extract_path": _URLS,
    "url_extract_query": _URLS,
    "array_first": ("Athena has no such function", "write element_at(array, 1)"),
    "array_last": ("Athena has no such function", "write element_at(array, -1)"),
    "median": ("Athena has no such function", "write approx_percentile(value, 0.5)"),
    "map_union": ("which value stays for a key given twice is not defined", "UNNEST the maps and write map_agg(k, v)"),
    "contains_sequence": ("it has no counterpart in the local engine", "use arrays_overlap or filter"),
}
