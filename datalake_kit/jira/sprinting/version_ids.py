"""Ids of sprints where changes were found between versions, which tell their names alone. Pure."""

from __future__ import annotations

from typing import Any

import pandas as pd

from datalake_kit.jira.relations.sprint_table import sprints


def add_ids(moves: pd.DataFrame, df: pd.DataFrame) -> pd.DataFrame:
    """Fill `from_value` and `to_value` of changes of sprints with ids, from the versions that show those names.

    Parameters
    ----------
    moves
        Changes of the field of sprints.
    df
        The versions, with the names of all sprints (`sprint_all`) and the sprints themselves (`sprint_json`).
    """
    nameless = moves["source"].eq("versions") & moves["from_value"].isna() & moves["to_value"].isna()
    columns = [
        c.removesuffix("_all") for c in df.columns if c.endswith("_all") and f"{c.removesuffix('_all')}_json" in df
    ]
    if not nameless.any() or not columns:
        return moves
    ids = pd.concat([_ids_by_names(df, column) for column in columns])
    ids = ids[~ids.index.duplicated()]
    filled = moves.copy()
    for side in ("from", "to"):
        keys = pd.MultiIndex.from_arrays([moves["id"], moves[f"{side}_text"]])
        told = pd.Series(ids.reindex(keys).to_numpy(), index=moves.index, dtype="str")
        filled[f"{side}_value"] = moves[f"{side}_value"].astype("str").mask(nameless, told)
    return filled


def _ids_by_names(df: pd.DataFrame, column: str) -> pd.Series[Any]:
    """Lists of ids as Jira writes them, "5, 7", by issue and joined names."""
    seen = df[["id", f"{column}_all", f"{column}_json"]].dropna().drop_duplicates(["id", f"{column}_all"])
    rows = [str(n) for n in range(len(seen))]
    lists = pd.DataFrame({"id": rows, "key": rows, "sprint_json": seen[f"{column}_json"].array}).astype("str")
    found = sprints(lists).dropna(subset="sprint_id")
    joined = found["sprint_id"].astype("str").groupby(found["id"]).agg(", ".join).reindex(rows)
    index = pd.MultiIndex.from_arrays([seen["id"], seen[f"{column}_all"]])
    return pd.Series(joined.to_numpy(), index=index, dtype="str")
