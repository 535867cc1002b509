"""Public names: exported, documented, and the error tree as its page says."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

import datalake_kit as dk
from datalake_kit import errors

PACKAGES = ["datalake_kit"] + [
    f"datalake_kit.{n}" for n in ("cdc", "hudi", "irradiance", "jira", "plots", "runs", "demo")
]


@pytest.mark.parametrize("name", PACKAGES)
def test_exported_names_are_there_sorted_and_documented(name: str) -> None:
    package = importlib.import_module(name)
    assert list(package.__all__) == sorted(package.__all__)
    for public in package.__all__:
        value = getattr(package, public)
        if inspect.isfunction(value) or inspect.isclass(value) or inspect.ismodule(value):
            assert inspect.getdoc(value), f"{name}.{public} has no docstring"


@pytest.mark.parametrize("name", PACKAGES)
def test_no_other_public_name_leaks(name: str) -> None:
    package = importlib.import_module(name)
    shown = {n for n, v in vars(package).items() if not n.startswith("_") and not inspect.ismodule(v)}
    shown -= {"annotations", "TYPE_CHECKING", "Any", "importlib"}
    assert shown <= set(package.__all__), shown - set(package.__all__)


@pytest.mark.parametrize("name", PACKAGES)
def test_public_functions_show_an_example(name: str) -> None:
    package = importlib.import_module(name)
    for public in package.__all__:
        value = getattr(package, public)
        if inspect.isfunction(value):
            text = inspect.getdoc(value) or ""
            assert ">>>" in text, f"{name}.{public} shows no example"


def test_dir_shows_the_public_names() -> None:
    assert set(dk.__all__) <= set(dir(dk))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = dk.nothing_here  # type: ignore[attr-defined]


def test_the_error_tree_is_the_one_its_page_shows() -> None:
    classes = {
        n: c
        for n, c in vars(errors).items()
        if inspect.isclass(c) and issubclass(c, Exception) and not issubclass(c, Warning)
    }
    shown = re.findall(r"^[\s│├└─]*(\w+Error)(?: \((\w+)\))?", errors.__doc__ or "", re.MULTILINE)
    assert {name for name, _ in shown} == set(classes)
    for name, builtin in shown:
        assert issubclass(classes[name], errors.DatalakeKitError)
        if builtin:
            assert issubclass(classes[name], getattr(__import__("builtins"), builtin)), name
