"""The examples of docstrings are true: those that need no lake are run."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.checks.test_imports import MODULES


@pytest.mark.parametrize("module", [m for m in MODULES if m])
def test_examples(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"datalake_kit.{module}"), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.failed == 0
