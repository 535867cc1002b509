"""How a table is compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from datalake_kit.cdc.compare import Tolerances

if TYPE_CHECKING:
    from datalake_kit.cdc.lake_side import LakeSide
    from datalake_kit.cdc.settings import DmsSettings


@dataclass(frozen=True)
class Options:
    """How a table is compared; see `validate`."""

    level: str = "counts"
    until: str | datetime | date | None = None
    tolerance: Tolerances = None
    mask: Collection[str] = ()
    source: Any = None
    settings: DmsSettings | None = None
    lag: Mapping[str, datetime | None] | Collection[str] | None = None
    processed: Collection[str] = ()
    changed_at: str | None = None


def depths(side: LakeSide, options: Options) -> list[str]:
    """How deep to look, in turn, until the verdict is sure."""
    if not side.is_whole or options.until is not None or options.level == "values":
        return ["values"]
    return [options.level, "values"]
