"""Amazon Athena: statements through PyAthena, the catalog through AWS Glue."""

from __future__ import annotations

from datalake_kit.engines.athena.engine import AthenaEngine

__all__ = ["AthenaEngine"]
