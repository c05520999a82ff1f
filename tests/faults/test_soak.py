"""A short soak: a whole chain, faults on its programs, servers and links by a seed, the judge, and a fresh batch in each partition."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import soak

LENGTH_S = 15.0


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("all_faults")
def test_I11_a_short_soak_ends_with_everything_where_it_belongs(
    evidence: Path, seed: int, say: Callable[[str], None]
) -> None:
    told = soak.Soak(evidence, seed, LENGTH_S, say, pace_s=0.5).run()
    say(soak.table(told, seed, LENGTH_S))
    assert told.violations == []
    assert told.acts
    assert told.files > 10
    assert sum(told.compared["I1"].values()) > 100
    did = [json.loads(line)["did"] for line in (evidence / "acts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len([one for one in did if one in ("kill", "freeze", "stop", "link")]) == len(told.acts)
