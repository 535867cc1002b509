"""Words that Athena reserves in SELECT or in DDL: as column names they would need quotes in every statement."""

from __future__ import annotations

_WORDS = """
    all alter and array as authorization between bigint binary boolean both by case cashe cast char column commit
    constraint create cross cube current current_catalog current_date current_path current_schema current_time
    current_timestamp current_user cursor database date dayofweek deallocate decimal delete describe distinct double
    drop else end escape except execute exists extended external extract false fetch first float floor following for
    foreign from full function grant group grouping having if import in inner insert int integer intersect interval
    into is join json_array json_exists json_object json_query json_table json_value last lateral left less like
    listagg local localtime localtimestamp macro map more natural none normalize not null numeric of on only or order
    out outer over partialscan partition percent precision prepare preceding preserve primary procedure range reads
    recursive reduce references regexp revoke right rlike rollback rollup row rows select set skip smallint start sync
    table tablesample then time timestamp to trigger trim true truncate unbounded uescape union unique uniquejoin
    unnest update user using utc_tmestamp values varchar views when where window with
"""

RESERVED_WORDS = frozenset(_WORDS.split())
