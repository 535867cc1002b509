"""Addresses on S3."""

from __future__ import annotations

import re

from tests.athena_server.errors import StatementError


def split(address: str) -> tuple[str, str]:
    """Return bucket and key of an s3:// address."""
    found = re.fullmatch(r"s3[an]?://([^/]+)/?(.*)", address, re.DOTALL)
    if not found:
        raise StatementError("INVALID_INPUT", f"Not an address on S3: {address}")
    return found[1], found[2]
