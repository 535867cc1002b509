"""Named queries and bound values.

A query is a file with one statement in Athena's dialect and a header that describes it::

    -- Rows of a table since an instant.
    -- :table identifier                    database.table
    -- :since timestamp = NULL              first instant that counts; NULL: all
    SELECT count(*) AS row_count
    FROM :table
    WHERE :since IS NULL OR updated >= :since

Types: text, integer, number, boolean, date, timestamp, list, identifier. An identifier is quoted, everything else is
bound as a value; nothing is pasted. `:name` inside a string, a quoted identifier or a comment is left alone.

The package has files of its own; `connect(..., sql="my-queries")` adds those of other folders.
"""

from datalake_kit.sql.folders import QueryFolders, load_query, query_folder, query_names
from datalake_kit.sql.placeholders import placeholder_names, quote_identifier, replace_placeholders, split_name
from datalake_kit.sql.query_files import Parameter, Query, bind_query, parse_query
from datalake_kit.sql.values import Value, bind, literal, plain_value

__all__ = [
    "Parameter",
    "Query",
    "QueryFolders",
    "Value",
    "bind",
    "bind_query",
    "literal",
    "load_query",
    "parse_query",
    "placeholder_names",
    "plain_value",
    "query_folder",
    "query_names",
    "quote_identifier",
    "replace_placeholders",
    "split_name",
]
