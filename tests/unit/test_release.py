"""What a release says of itself is the same everywhere, and the licence is whole."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import yaml

from b2stream import __version__
from tests.unit.deployment.published import CITATION, against_the_schema

REPOSITORY = Path(__file__).parents[2]


def read(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


def test_one_version_everywhere() -> None:
    declared = tomllib.loads(read("pyproject.toml"))["project"]
    citation = yaml.safe_load(read("CITATION.cff"))
    newest = re.search(r"^## \[(.+?)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert {declared["version"], version("b2stream"), citation["version"], newest[1]} == {__version__}
    assert declared["license"] == citation["license"] == "Apache-2.0"
    assert declared["name"] == citation["title"]


def test_the_licence_is_apache_s_whole_text() -> None:
    text = read("LICENSE")
    assert re.match(r"\s+Apache License\s+Version 2\.0, January 2004\s", text)
    assert [int(number) for number in re.findall(r"^ {3}(\d)\. [A-Z]", text, re.MULTILINE)] == list(range(1, 10))
    assert "END OF TERMS AND CONDITIONS" in text
    assert "APPENDIX: How to apply the Apache License to your work." in text


def test_the_citation_has_what_the_format_asks_for() -> None:
    citation = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert all("name" in author or "family-names" in author for author in citation["authors"])
    assert against_the_schema(CITATION, citation) == []
    assert against_the_schema(CITATION, {**citation, "authors": [], "licence": "none"}), "the check can fail"


def test_every_direct_dependency_is_locked_with_hashes() -> None:
    declared = tomllib.loads(read("pyproject.toml"))["project"]
    wanted = [
        *declared["dependencies"],
        *(one for extra in declared["optional-dependencies"].values() for one in extra),
    ]
    names = {re.split(r"[\[<>=!;~ ]", line)[0].lower().replace("_", "-") for line in wanted} - {"b2stream"}
    locked = read("requirements.lock")
    entries = dict(
        re.findall(r"^([a-z0-9-]+)==[^\n]*\\\n((?: {4}--hash=sha256:[0-9a-f]{64}(?: \\)?\n?)+)", locked, re.MULTILINE)
    )
    assert names <= set(entries)
    assert len(re.findall(r"^[a-z0-9]\S*==", locked, re.MULTILINE)) >= len(entries) > 50
    assert not re.search(r"https?://|^-", locked, re.MULTILINE)
