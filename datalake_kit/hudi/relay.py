"""Batches that go through DuckDB, with the error that may end them."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from datalake_kit.errors import DatalakeKitError


class Relay:
    """Hands batches on and keeps the error that ended them: DuckDB tells only its text.

    Attributes
    ----------
    error : DatalakeKitError or None
        What the source of the batches raised.
    """

    def __init__(self) -> None:
        self.error: DatalakeKitError | None = None

    def batches(self, source: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the batches of a source."""
        try:
            yield from source
        except DatalakeKitError as error:
            self.error = error
            raise
