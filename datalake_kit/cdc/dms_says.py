"""What DMS itself says of a table, as findings: at the hop from the source to the files, where no lake can help."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from datalake_kit.cdc.compare import UNVERIFIED
from datalake_kit.cdc.dms import DmsFile
from datalake_kit.cdc.evidence import evidence_of
from datalake_kit.cdc.findings import hidden_key
from datalake_kit.cdc.jobs import Job
from datalake_kit.cdc.lobs import lob_suspects
from datalake_kit.cdc.result import DIFFERENT
from datalake_kit.cdc.settings import DmsSettings
from datalake_kit.cdc.spool import Spool
from datalake_kit.cdc.table_check import TO_EXPECTED, TableCheck
from datalake_kit.errors import DatalakeKitError

MOST = 200


def note_evidence(
    result: TableCheck,
    job: Job,
    evidence: Any,
    control: Sequence[DmsFile],
    settings: DmsSettings | None,
    mask: Collection[str] = (),
) -> None:
    """Add what DMS's own tables say of a table; one of which they say something is not equal.

    Staged control tables count without being asked for. What cannot be read is said, not left out. DMS writes values
    of any column into its texts, so that with a mask no text is shown.
    """
    given = [e for e in (evidence, list(control) or None) if e is not None]
    if not given or not job.staging:
        return
    schema, _, table = job.staging.rpartition(".")
    for one in given:
        try:
            rows = evidence_of(one, schema, table, keys=job.keys, settings=settings)
        except DatalakeKitError as problem:
            result.note(UNVERIFIED, hop=TO_EXPECTED, explanation=f"DMS's own tables cannot be read: {problem}")
            result.verdict = DIFFERENT
            continue
        if rows.empty:
            continue
        told = [_words(row, hidden=bool(mask)) for row in rows.head(MOST).to_dict("records")]
        for row, text in zip(rows.head(MOST).to_dict("records"), told, strict=True):
            key = hidden_key(row["key"], job.keys, mask)
            result.note(UNVERIFIED, hop=TO_EXPECTED, key=key, explanation=text, brief=f"DMS says: {row['kind']}")
        counted = ", ".join(f"{n} {kind}" for kind, n in rows["kind"].value_counts().items())
        more = f"; {len(rows) - MOST} more are not listed" if len(rows) > MOST else ""
        result.verdict = DIFFERENT
        result.explanation = "; ".join(t for t in (result.explanation, f"DMS itself reports {counted}{more}") if t)


def _words(row: Any, *, hidden: bool) -> str:
    when = f" at {row['time']:%Y-%m-%d %H:%M:%S} UTC" if row["time"] == row["time"] else ""
    text = "its text is not shown, since columns are masked" if hidden else row["text"]
    return f"DMS says{when}: {row['kind']}: {text}"


def note_cut_lobs(result: TableCheck, job: Job, settings: DmsSettings | None, mask: Collection[str] = ()) -> None:
    """Add the columns whose largest values lie at the size at which DMS cuts large objects."""
    if settings is None or settings.lob_max_kb is None or not job.files:
        return
    with Spool() as spool:
        try:
            suspects = lob_suspects(spool.parquet(job.files, settings), settings.lob_max_kb, keys=job.keys)
        except DatalakeKitError as problem:
            result.note(UNVERIFIED, hop=TO_EXPECTED, explanation=f"large objects cannot be looked at: {problem}")
            result.verdict = DIFFERENT
            return
    for row in suspects.to_dict("records"):
        text = (
            f"{row['values']} values of {row['column']} are as long as LobMaxSize allows ({row['bytes']} bytes), and "
            "none is longer: DMS may have cut them short. Raise LobMaxSize, or take full LOB mode"
        )
        key = hidden_key(row["keys"][0], job.keys, mask) if row["keys"] else None
        result.note(UNVERIFIED, hop=TO_EXPECTED, key=key, column=row["column"], explanation=text)
        result.verdict = DIFFERENT
        result.explanation = "; ".join(t for t in (result.explanation, text) if t)
