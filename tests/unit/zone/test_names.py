"""Paths: what is none, and that the zone stands on its own."""

import ast
import sys
from pathlib import Path

import pytest

import b2stream.sandbox.zone
from b2stream.sandbox.zone import names
from b2stream.sandbox.zone.numbers import Refusal


@pytest.mark.parametrize(("path", "plain"), [("/z/home/", "/z/home"), ("/", "/"), ("/z/a b'\"%~ü", "/z/a b'\"%~ü")])
def test_a_path_loses_its_trailing_slash_only(path: str, plain: str) -> None:
    assert names.check_path(path) == plain


@pytest.mark.parametrize("path", ["z/home", "/z/../etc", "/z/./x", "/z//x", "/z/x\0"])
def test_no_path_leads_out_of_the_vault(path: str) -> None:
    with pytest.raises(Refusal) as caught:
        names.check_path(path)
    assert caught.value.code == -317000


def test_the_longest_path_is_counted_in_bytes() -> None:
    assert names.check_path("/" + "ü" * 543)
    with pytest.raises(Refusal):
        names.check_path("/" + "ü" * 544)


def test_parent_and_name() -> None:
    assert names.split("/z/home/x") == ("/z/home", "x")
    assert names.split("/z") == ("/", "z")


def test_everything_below_a_collection_and_nothing_else_is_between_its_bounds() -> None:
    low, high = names.below("/z/a")
    assert low <= "/z/a/b" < high
    assert low <= "/z/a/\U0010ffff" < high
    assert not low <= "/z/a" < high
    assert not low <= "/z/a-b/c" < high
    assert not low <= "/z/ab" < high


def test_the_zone_imports_the_standard_library_and_itself_only() -> None:
    """It must not share the pipeline's mistakes, nor need an iRODS package. Only who starts one knows how the sandbox freezes it."""
    folder = Path(b2stream.sandbox.zone.__path__[0])
    imported = set()
    for file in sorted({*folder.glob("*.py")} - {folder / "process.py"}):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    foreign = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign
    assert all(name.startswith("b2stream.sandbox.zone") for name in foreign)
