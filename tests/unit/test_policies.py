"""Policies: which series has how many copies, how often they are checked, and how a file that cannot work is refused."""

import hashlib
from pathlib import Path

import pytest

from b2stream.errors import ConfigurationError
from b2stream.policies import OWN_FILE, Policies, read_policies

TWO_RULES = """
id = "icos-2026-1"
[[rules]]
series = "*/camera*"
copies = 1
check_days = 1000
[[rules]]
series = "*"
"""


def written(folder: Path, text: str) -> Policies:
    file = folder / "policies.toml"
    file.write_text(text, encoding="utf-8")
    return read_policies(file)


def test_the_first_rule_that_fits_counts(tmp_path: Path) -> None:
    policies = written(tmp_path, TWO_RULES)
    assert policies.rule("SE-Htm", "camera1").copies == 1
    assert policies.rule("SE-Htm", "EC_L99_F01").copies == 2
    assert policies.rule("camera", "EC").copies == 2
    assert (policies.copies("SE-Htm", "camera1"), policies.copies("SE-Htm", "EC_L99_F01")) == (1, 2)


def test_a_file_is_named_by_its_id_and_the_hash_of_its_bytes(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(TWO_RULES.encode()).hexdigest()
    assert written(tmp_path, TWO_RULES).label == f"icos-2026-1 sha256:{sha256}"
    assert written(tmp_path, TWO_RULES + "\n").sha256 != sha256, "any change is another version"


def test_without_a_file_there_are_two_copies_of_everything() -> None:
    policies = read_policies()
    assert policies.sha256 == hashlib.sha256(OWN_FILE.read_bytes()).hexdigest()
    assert policies.rule("any", "thing").copies == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('id = "x"\n', "rules"),
        ('id = "x"\nrules = []\n', "rules"),
        ('id = "x y"\n[[rules]]\nseries = "*"\n', "id"),
        ('id = "x"\n[[rules]]\nseries = "*"\ncopies = 3\n', "rules.0.copies"),
        ('id = "x"\n[[rules]]\nseries = "*"\ncopy = 2\n', "rules.0.copy"),
        ('id = "x"\n[[rules]]\nseries = "SE-*"\n', "none is left out"),
        ("id = \n", "line 1"),
    ],
)
def test_a_file_that_cannot_work_is_refused_and_names_the_field(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=r"policies\.toml") as caught:
        written(tmp_path, text)
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml"):
        read_policies(tmp_path / "nowhere.toml")
