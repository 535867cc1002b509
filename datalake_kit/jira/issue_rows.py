"""Changes beside the issues that they are of, by the row of the issue. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from datalake_kit.jira.calendar import to_micros


def with_rows(changes: pd.DataFrame, newest: pd.DataFrame) -> pd.DataFrame:
    """Changes with `row`, the row of their issue; those of other issues are left out."""
    rows = pd.Index(newest["id"]).get_indexer(pd.Index(changes["id"]))
    found: pd.DataFrame = changes.assign(row=rows)[rows >= 0]
    return found.sort_values(["row", "changed_at"], kind="stable").reset_index(drop=True)


def first_instants(newest: pd.DataFrame, changes: pd.DataFrame) -> npt.NDArray[np.int64]:
    """When each issue began: at its creation; where a change is earlier, at the first of them."""
    created = newest["created"] if "created" in newest else pd.Series(pd.NaT, index=newest.index)
    begun = to_micros(created.astype("datetime64[us, UTC]"))
    np.minimum.at(begun, changes["row"].to_numpy(), to_micros(changes["changed_at"]))
    return begun
