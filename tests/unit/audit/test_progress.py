"""What a long command shows: a bar with total and share at a terminal, a line for each new step elsewhere."""

import io
import re

import pytest
from rich.console import Console

from b2stream.archive.memory import MemoryStore
from b2stream.batches.manifest import paths_of
from b2stream.contracts import topics
from b2stream.programs.audit import auditing
from b2stream.programs.audit.auditing import Auditor, Plan
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log import Lag
from b2stream.programs.audit.progress import Counting
from b2stream.programs.audit.report import lines
from b2stream.settings import Settings
from tests.benchmarks.large_archive import WRITTEN_S, Batches, LargeLog

BATCHES = Batches(3)


def archive() -> list[MemoryStore]:
    """Two centres that hold every batch."""
    stores = [MemoryStore(name, now=lambda: WRITTEN_S) for name in ("csc", "fzj")]
    for store in stores:
        for number in range(BATCHES.count):
            paths = paths_of(BATCHES.close(number))
            store.put(paths.data_object, BATCHES.content(number))
            store.put(paths.manifest, BATCHES.manifest(number))
    return stores


def audit(log: LargeLog, told: auditing.Tell = lambda *_: None, prefix: str = "") -> auditing.Report:
    settings = Settings()
    settings = settings.model_copy(update={"first": settings.first.model_copy(update={"prefix": prefix})})
    plan = Plan(recompute=True, now_s=lambda: WRITTEN_S + 86_400.0)
    with Index() as index:
        return Auditor(settings, list(archive()), log, index, plan, told).run()  # type: ignore[arg-type]


def shown(*steps: tuple[str, int, int | None], is_terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=is_terminal, width=100, color_system=None)
    with Counting(console) as counting:
        for step in steps:
            counting.more(*step)
    return stream.getvalue()


def test_a_terminal_shows_how_many_of_how_many_and_the_share() -> None:
    text = shown(("manifests", 30, 120), ("recomputed", 5, None), is_terminal=True)
    assert re.search(r"manifests .*30/120 +25%", text)
    assert "5/?" in text, "a step whose total nobody knows still counts"


def test_more_than_was_expected_is_never_more_than_everything() -> None:
    text = shown(("objects", 8, 8), ("objects", 4, 8), is_terminal=True)
    assert "12/12 100%" in re.sub(" +", " ", text)
    assert "12/8" not in text


def test_without_a_terminal_each_step_is_one_line() -> None:
    assert shown(("messages", 1, 9), ("messages", 1, 9), ("objects", 4, None), is_terminal=False).splitlines() == [
        "reading messages …",
        "reading objects …",
    ]


def test_an_audit_s_steps_end_at_the_totals_that_they_tell() -> None:
    counts: dict[str, int] = {}
    totals: dict[str, set[int | None]] = {}

    def tell(what: str, count: int, total: int | None) -> None:
        counts[what] = counts.get(what, 0) + count
        totals.setdefault(what, set()).add(total)

    assert audit(LargeLog(BATCHES), tell).findings == []
    both = 4 * BATCHES.count
    assert counts == {"objects": both, "manifests": BATCHES.count, "recomputed": both}
    assert totals == {what: {count} for what, count in counts.items()}


class Waiting(LargeLog):
    """A log whose registrar has not begun."""

    def lag(self, program: str, topic: topics.Topic, done: object) -> Lag:
        return Lag(program, topic.name, self.batches.count if program == "registrar" else 0, 60.0)


@pytest.mark.parametrize("prefix", ["21.T99999", ""])
def test_I13_where_pids_were_promised_and_no_handle_server_is_named_the_registrar_s_lag_shows(prefix: str) -> None:
    report = audit(Waiting(BATCHES), prefix=prefix)
    found = {lag.program: lag.messages for lag in report.lag}
    assert found.get("registrar") == (BATCHES.count if prefix else None)
    said = [line for line in lines(report) if "the registrar has 3 messages of commits still to do" in line]
    assert len(said) == (1 if prefix else 0)
    assert all("handle.url is not set" in line for line in said)
