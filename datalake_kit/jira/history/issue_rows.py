"""Changes beside the issues that they are of, by the row of the issue. Pure."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from datalake_kit.errors import ColumnNotFoundError, DataError, ParameterError
from datalake_kit.jira.history.calendar import to_micros
from datalake_kit.jira.history.issue_versions import as_texts, read_instants

_NEEDED = (
    "id", "field", "field_id", "from_value", "from_text", "to_value", "to_text", "changed_at", "not_before",
    "not_after", "source",
)  # fmt: skip


def rows_of(ids: pd.Series[Any], newest: pd.DataFrame) -> npt.NDArray[np.int64]:
    """The row of each issue, -1 where it is not there."""
    found = pc.index_in(as_texts(ids), value_set=as_texts(newest["id"]))
    rows: npt.NDArray[np.int64] = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return rows


def with_rows(changes: pd.DataFrame, newest: pd.DataFrame) -> pd.DataFrame:
    """Changes with `row`, the row of their issue; those of other issues are left out."""
    rows = rows_of(changes["id"], newest)
    found: pd.DataFrame = changes.assign(row=rows)[rows >= 0]
    return found.sort_values(["row", "changed_at"], kind="stable").reset_index(drop=True)


def is_told_of(df: pd.DataFrame, field: str) -> bool:
    """Whether the changelogs that issues carry as text have a change of a field."""
    if "changelog" not in df.columns or not isinstance(df["changelog"].dtype, pd.StringDtype):
        return False
    pattern = rf'"field"\s*:\s*{re.escape(json.dumps(field))}'
    return bool(df["changelog"].str.contains(pattern, regex=True).fillna(False).any())


def check_changes(changes: Any) -> None:
    """Refuse what `dk.jira.changelog` did not give.

    Raises
    ------
    ParameterError, ColumnNotFoundError
        It is no frame, or lacks a column.
    """
    if not isinstance(changes, pd.DataFrame):
        raise ParameterError(f"changes={changes!r:.60} is no frame. Give what dk.jira.changelog gave.")
    for name in _NEEDED:
        if name not in changes.columns:
            raise ColumnNotFoundError(f"changes has no column {name!r}. Give what dk.jira.changelog gave.")


def require_status(changes: pd.DataFrame, df: pd.DataFrame) -> None:
    """Refuse changes without any of status where the changelogs of the issues tell of some.

    Raises
    ------
    DataError
        They were chosen by field, or are those of other issues.
    """
    if not changes["field"].eq("status").any() and is_told_of(df, "status"):
        raise DataError(
            "changes has no change of status, and the changelogs of the issues tell of some. Give the changes of these "
            "issues: dk.jira.changelog(issues), without fields= or with the status among them."
        )


def first_instants(newest: pd.DataFrame, changes: pd.DataFrame) -> npt.NDArray[np.int64]:
    """When each issue began: at its creation; where a change is earlier, at the first of them."""
    begun = read_instants(newest, "created").copy()
    np.minimum.at(begun, changes["row"].to_numpy(), to_micros(changes["changed_at"]))
    return begun
