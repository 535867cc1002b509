"""Pages of lists."""

from __future__ import annotations

from typing import Any

from tests.athena_server.errors import invalid


def page(items: list[Any], request: dict[str, Any], name: str, most: int) -> dict[str, Any]:
    """Return `MaxResults` items from `NextToken` on, and the token of the next page."""
    token = str(request.get("NextToken") or "0")
    if not token.isdigit():
        raise invalid(f"Invalid NextToken: {token}")
    start, size = int(token), min(int(request.get("MaxResults") or most), most)
    made: dict[str, Any] = {name: items[start : start + size]}
    if start + size < len(items):
        made["NextToken"] = str(start + size)
    return made
