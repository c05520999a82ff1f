"""docs/reasons.md: every code that a manifest or a dead letter can have, once, with the sentence that the code has for it."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from b2stream.formats.reasons import NOTES, REASONS
from b2stream.handles.registering import ContentConflict

REPOSITORY = Path(__file__).parents[2]
SOURCE = REPOSITORY / "services" / "b2stream"
ROW = re.compile(r"^\| `(\w+)` \| (\S.*\.) \|$", re.MULTILINE)
WRITERS = ("archive", "batches", "contracts", "errors.py", "kafka", "programs/processor", "programs/registrar",
           "programs/replicator", "work")  # fmt: skip
NEVER_WRITTEN = {"poison", "unfit"}  # of classes that are raised with a code of their own only

OF_ANOTHER_CLASS = {ContentConflict.reason}  # the registrar's letter takes it over


def table(heading: str) -> list[tuple[str, str]]:
    """The (code, sentence) rows below a heading."""
    text = (REPOSITORY / "docs" / "reasons.md").read_text(encoding="utf-8")
    return ROW.findall(text.partition(f"## {heading}")[2].partition("\n## ")[0])


@pytest.mark.parametrize(
    ("heading", "known"), [("Why a file went through as opaque", REASONS), ("What a reading remarks", NOTES)]
)
def test_codes_and_sentences_are_those_of_the_code(heading: str, known: dict[str, str]) -> None:
    assert table(heading) == sorted(known.items())


@cache
def modules() -> tuple[ast.Module, ...]:
    """What can write a dead letter, and what it calls."""
    paths = [found for part in WRITERS for found in [SOURCE / part, *(SOURCE / part).rglob("*.py")] if found.is_file()]
    return tuple(ast.parse(path.read_text(encoding="utf-8")) for path in paths)


def constants() -> dict[str, str]:
    """Texts that have a name at the top of their module."""
    return {
        target.id: node.value.value
        for module in modules()
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def texts(expression: ast.expr) -> Iterator[str]:
    """The texts that an expression can be."""
    if isinstance(expression, ast.IfExp):
        yield from texts(expression.body)
        yield from texts(expression.orelse)
    elif isinstance(expression, ast.Constant) and isinstance(expression.value, str):
        yield expression.value
    elif isinstance(expression, ast.Name) and expression.id in constants():
        yield constants()[expression.id]


def kinds() -> dict[str, ast.ClassDef]:
    """Errors after which something becomes a dead letter: Poison, Stuck, and what is derived from them."""
    classes = {node.name: node for module in modules() for node in ast.walk(module) if isinstance(node, ast.ClassDef)}
    names, found = {"Poison", "Stuck"}, {"Poison", "Stuck"}
    while found:
        names |= found
        bases = {name: {base.id for base in node.bases if isinstance(base, ast.Name)} for name, node in classes.items()}
        found = {name for name, of in bases.items() if of & names} - names
    return {name: classes[name] for name in names}


def codes_in_the_source() -> set[str]:
    """Codes of these classes, those that are given when one is raised, and the one of an abandonment."""
    of_classes = kinds()
    found = {constants()["ABANDONED"]}
    for definition in of_classes.values():
        for line in definition.body:
            if isinstance(line, ast.Assign) and [ast.unparse(target) for target in line.targets] == ["reason"]:
                found |= set(texts(line.value))
    for module in modules():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in of_classes:
                found |= {text for word in node.keywords if word.arg == "reason" for text in texts(word.value)}
    return found


def test_every_code_of_a_dead_letter_is_explained_and_no_other() -> None:
    explained = [code for code, _ in table("Why a message is a dead letter")]
    assert explained == sorted(set(explained))
    assert set(explained) - OF_ANOTHER_CLASS == codes_in_the_source() - NEVER_WRITTEN


def test_the_readme_leads_there() -> None:
    assert "(docs/reasons.md)" in (REPOSITORY / "README.md").read_text(encoding="utf-8")
