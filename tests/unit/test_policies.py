"""Policies: which series is taken, where it lies, how often it is checked, and how a file that cannot work is refused."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from b2stream.contracts.framing import Framing
from b2stream.errors import ConfigurationError
from b2stream.policies import OWN_FILE, Policies, Rule, policies_of, read_policies
from b2stream.programs.audit.auditing import Auditor, Plan
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.processor.program import Program
from b2stream.programs.replicator.cli import run as replicate
from b2stream.settings import Settings, load

TWO_RULES = """
id = "icos-2026-1"
[[rules]]
series = "*/camera*"
copies = 1
check_days = 1000
[[rules]]
series = "*"
"""


NAMED = """
id = "icos-2026-2"
[[rules]]
series = "*/camera*"
ingest = false
centres = ["csc"]
[[rules]]
series = "*"
centres = ["fzj", "csc"]
copies = 2
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


def test_centres_by_name_are_as_many_copies() -> None:
    policies = Policies("rules-1", "00", (Rule.model_validate({"series": "*", "centres": ["csc"]}),))
    assert policies.copies("SE-Htm", "EC_L99_F01") == 1
    assert Rule.model_validate({"series": "*", "centres": ["csc", "fzj"]}).copies == 2


def test_a_series_is_taken_unless_its_rule_says_otherwise(tmp_path: Path) -> None:
    policies = written(tmp_path, NAMED)
    assert (policies.takes("SE-Htm", "camera1"), policies.takes("SE-Htm", "EC_L99_F01")) == (False, True)
    assert policies.copies("SE-Htm", "camera1") == 1, "what was archived of it before"
    assert read_policies().takes("any", "thing")


def settings(folder: Path, text: str, **names: str) -> Settings:
    """Of a deployment with these policies; `names` of its centres by role."""
    file = folder / "policies.toml"
    file.write_text(text, encoding="utf-8")
    overrides = {(role, "name"): name for role, name in names.items()}
    return load(environment={}, overrides={("general", "policies_file"): str(file), **overrides}).settings


def test_rules_name_the_centres_of_the_settings(tmp_path: Path) -> None:
    assert policies_of(settings(tmp_path, NAMED, first="csc", second="fzj")).id == "icos-2026-2"
    assert policies_of(settings(tmp_path, NAMED, first="csc")).id == "icos-2026-2", "who knows the first centre alone"
    assert policies_of(settings(tmp_path, TWO_RULES, first="kit", second="sara")).id == "icos-2026-1"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"first": "csc", "second": "sara"}, 'series = "*" names centre fzj; there are csc and sara'),
        ({"first": "kit", "second": "fzj"}, 'series = "*/camera*" names centre csc; there are kit and fzj'),
        ({"first": "fzj", "second": "csc"}, 'series = "*/camera*" names csc and lacks fzj, the first centre'),
        ({"second": "fzj"}, "names centre csc; there are first and fzj"),
    ],
    ids=["another second", "another first", "not at the first", "first without a name"],
)
def test_a_rule_for_a_centre_that_there_is_not_stops_a_program_at_its_start(
    tmp_path: Path, names: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        policies_of(settings(tmp_path, NAMED, **names))
    assert told in str(caught.value)


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
        ('id = "x"\n[[rules]]\nseries = "*"\ningest = "perhaps"\n', "rules.0.ingest"),
        ('id = "x"\n[[rules]]\nseries = "*"\ncentres = []\n', "rules.0.centres"),
        ('id = "x"\n[[rules]]\nseries = "*"\ncentres = "csc"\n', "rules.0.centres"),
        ('id = "x"\n[[rules]]\nseries = "*"\ncentres = ["a", "b", "c"]\n', "rules.0.centres"),
        ('id = "x"\n[[rules]]\nseries = "*"\ncentres = ["csc", "csc"]\n', "copies = 2, and centres names csc and csc"),
        ('id = "x"\n[[rules]]\nseries = "*"\ncentres = ["csc"]\ncopies = 2\n', "copies = 2, and centres names csc"),
        ('id = "x"\n[[rules]]\nseries = "*"\ncentres = ["csc", "fzj"]\ncopies = 1\n', "rules.0: "),
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


@pytest.mark.parametrize("program", ["processor", "replicator", "audit"])
def test_a_program_that_cannot_obey_its_policies_ends_before_it_asks_anybody(tmp_path: Path, program: str) -> None:
    text = 'id = "x"\n[[rules]]\nseries = "*"\ncentres = ["csc", "elsewhere"]\n'
    given = settings(tmp_path, text, first="csc", second="fzj")
    first, second = (
        given.first.model_copy(update={"url": "memory:"}),
        given.second.model_copy(update={"url": "memory:b"}),
    )
    given = given.model_copy(update={"first": first, "second": second})
    starts: dict[str, Callable[[], object]] = {
        "processor": lambda: Program(given, Framing()),
        "replicator": lambda: replicate(given),
        "audit": lambda: Auditor(given, [], Log(given, Framing()), Index(), Plan()),
    }
    with pytest.raises(ConfigurationError, match="names centre elsewhere"):
        starts[program]()
