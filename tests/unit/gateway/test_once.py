"""`--once`: it ends when everything arrived, something is refused and the rest arrived, or the time is over."""

from collections.abc import Callable

import pytest

from b2stream.batches.manifest import batch_of
from b2stream.errors import Retryable
from b2stream.programs.gateway import once
from b2stream.programs.gateway.journal.journal import Journal, ReceiptWriter
from b2stream.programs.gateway.once import Report, Shown, Wait, run_once
from b2stream.programs.gateway.program import Gateway
from tests.unit.gateway.events import write_commit
from tests.unit.gateway.stands import Stand


class Centre:
    """Stands in for receipts: after so many polls it commits, then replicates, what was sent; `poison` names are refused."""

    def __init__(self, stand: Stand, journal: Journal, poison: str = "") -> None:
        self.stand, self.journal, self.poison = stand, journal, poison
        self.polls = 0

    def poll(self, timeout_s: float = 0.0) -> int:
        self.polls += 1

        def apply(writer: ReceiptWriter) -> None:
            for close in self.stand.log.closes():
                if close.name == self.poison:
                    writer.letter(close.attempt, "", "bad_block", "detail", poison=True)
                    continue
                if self.polls > 2:
                    write_commit(writer, close)
                if self.polls > 4:
                    writer.replicated(batch_of(close), 2, "second")

        self.journal.write_receipts(apply)
        return 0


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "_LOOK_S", 0.0)


def ran(stand: Stand, wait: Wait, *, poison: str = "", timeout_s: float | None = 20.0) -> tuple[Report, list[str]]:
    gateway = stand.start()
    gateway.receipts = Centre(stand, gateway.journal, poison)
    shown: list[str] = []
    report = run_once(gateway, stand.stop, wait, timeout_s, lambda report: shown.append(str(report)))
    return report, shown


@pytest.mark.parametrize("wait", list(Wait))
def test_it_waits_as_far_as_asked_and_no_further(stand: Stand, wait: Wait) -> None:
    for name in ("a", "b", "c"):
        stand.write(name, name.encode())
    report, shown = ran(stand, wait)
    assert set(report.outcomes.values()) == {wait.value}
    assert report.exit_code(wait) == 0
    assert str(report) == shown[-1] == f"3 files: 3 {wait.value}"


def test_a_refused_file_ends_in_1_once_the_others_arrived(stand: Stand) -> None:
    for name in ("a", "b"):
        stand.write(name, name.encode())
    report, _ = ran(stand, Wait.COMMITTED, poison="b")
    assert report.outcomes == {"a": "committed", "b": "refused"}
    assert report.exit_code(Wait.COMMITTED) == 1


def test_what_does_not_arrive_in_time_ends_in_3(stand: Stand) -> None:
    stand.write("a", b"1")
    gateway = stand.start()
    report = run_once(gateway, stand.stop, Wait.COMMITTED, 0.2, lambda report: None)
    assert report.outcomes == {"a": "sent"}
    assert report.exit_code(Wait.COMMITTED) == 3


def test_being_stopped_ends_in_3(stand: Stand) -> None:
    stand.write("a", b"1")
    gateway = stand.start()

    def stop(report: Report) -> None:
        stand.stop.set()

    assert run_once(gateway, stand.stop, Wait.COMMITTED, None, stop).exit_code(Wait.COMMITTED) == 3


def test_an_empty_folder_is_done_at_once(stand: Stand) -> None:
    report, _ = ran(stand, Wait.REPLICATED)
    assert report.exit_code(Wait.REPLICATED) == 0
    assert str(report) == "0 files: none"


def test_files_that_still_settle_are_waited_for(stand: Stand) -> None:
    stand.write("a", b"1")
    gateway = stand.start(settle_s=5.0)
    gateway.receipts = Centre(stand, gateway.journal)
    seen: list[str] = []

    def show(report: Report) -> None:
        seen.append(str(report))
        stand.clock.now += 2.0

    assert run_once(gateway, stand.stop, Wait.COMMITTED, 20.0, show).exit_code(Wait.COMMITTED) == 0
    assert seen[0] == "1 files: 1 waiting"


def test_a_file_changed_after_it_was_sent_is_waited_for_again(stand: Stand) -> None:
    path = stand.write("a", b"1")
    gateway = stand.start()
    gateway.receipts = Centre(stand, gateway.journal)
    changes: list[Callable[[], object]] = [lambda: path.write_bytes(b"22")]

    def show(report: Report) -> None:
        if report.outcomes.get("a") == "sent" and changes:
            changes.pop()()

    report = run_once(gateway, stand.stop, Wait.COMMITTED, 20.0, show)
    assert report.exit_code(Wait.COMMITTED) == 0
    assert [close.raw_size_bytes for close in stand.log.closes()] == [1, 2]


def test_kafka_away_is_waited_for(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stand.write("a", b"1")
    real_step, failures = Gateway.step, [Retryable("nobody")] * 3

    def step(gateway: Gateway) -> None:
        if failures:
            raise failures.pop()
        real_step(gateway)

    monkeypatch.setattr(Gateway, "step", step)
    report, _ = ran(stand, Wait.COMMITTED)
    assert report.exit_code(Wait.COMMITTED) == 0


def test_without_a_terminal_progress_is_lines_and_no_line_twice(capsys: pytest.CaptureFixture[str]) -> None:
    with Shown(Wait.COMMITTED) as shown:
        shown(Report({"a": "sent"}))
        shown(Report({"a": "sent"}))
    assert capsys.readouterr().err == "1 files: 1 sent\n"
