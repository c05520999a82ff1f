"""How far the files have come, as the stations know it: their journals hold what was sent, and the receipts that came back."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from b2stream.programs.gateway.journal.journal import Journal
from b2stream.programs.gateway.running import JOURNAL
from b2stream.programs.gateway.watch import Signature
from b2stream.sandbox.demo.feeding import FedStation
from b2stream.sandbox.demo.ledger import Fed

_COMMITTED = {"committed", "replicated"}
_SENT = {"sent", "lost", "refused", *_COMMITTED}


@dataclass(frozen=True)
class Counts:
    """Files at one moment. Lag is what one step has done and the next has not."""

    at_s: float
    fed: int
    sent: int
    committed: int
    replicated: int

    @property
    def processor_lag(self) -> int:
        return self.sent - self.committed

    @property
    def replicator_lag(self) -> int:
        return self.committed - self.replicated


@dataclass
class Progress:
    """Looks into the journals of all stations. `history` has every look."""

    stations: list[FedStation]
    began_s: float = field(default_factory=time.monotonic)
    history: list[Counts] = field(default_factory=list)
    waiting: dict[tuple[str, str], str] = field(default_factory=dict)  # what is not replicated yet, by station and name
    refused: dict[tuple[str, str], str] = field(default_factory=dict)
    _journals: dict[str, Journal] = field(default_factory=dict)

    def look(self, fed: list[Fed]) -> Counts:
        """Count anew."""
        sent = committed = replicated = 0
        self.waiting.clear()
        for station in self.stations:
            names = {one.name: one for one in fed if one.station == station.station}
            states = self._states(station, names)
            sent += sum(state in _SENT for state in states.values())
            committed += sum(state in _COMMITTED for state in states.values())
            replicated += sum(state == "replicated" for state in states.values())
            self.waiting |= {(station.station, name): state for name, state in states.items() if state != "replicated"}
        counts = Counts(
            self.age_s(),
            len({(one.station, one.name) for one in fed}),
            *(sent, committed, replicated),
        )
        self.history.append(counts)
        return counts

    def age_s(self) -> float:
        """Seconds since the begin."""
        return time.monotonic() - self.began_s

    def peak(self, lag: str) -> int:
        """The greatest `processor_lag` or `replicator_lag` that was seen."""
        return max((getattr(counts, lag) for counts in self.history), default=0)

    def close(self) -> None:
        """Close the journals."""
        for journal in self._journals.values():
            journal.close_file()
        self._journals.clear()

    def _states(self, station: FedStation, names: dict[str, Fed]) -> dict[str, str]:
        """By name: `not taken yet`, or the outcome that the journal has for what lies in the folder now."""
        journal = self._journal(station)
        if journal is None:
            return dict.fromkeys(names, "not taken yet")
        taken, outcomes = journal.signatures(), journal.outcomes()
        states = {}
        for name, one in names.items():
            current = taken.get(name) == _signature(station.folder / Path(one.source).name)
            states[name] = outcomes.get(name, "not taken yet") if current else "not taken yet"
            if states[name] == "refused" and (station.station, name) not in self.refused:
                self.refused[station.station, name] = _why(journal, name)
        return states

    def _journal(self, station: FedStation) -> Journal | None:
        file = station.folder / JOURNAL
        if station.station not in self._journals and file.exists():
            self._journals[station.station] = Journal(file, station.station)
        return self._journals.get(station.station)


def _signature(file: Path) -> Signature | None:
    try:
        return Signature.of(file.stat())
    except FileNotFoundError:
        return None


def _why(journal: Journal, name: str) -> str:
    attempt = journal.latest(name)
    return "" if attempt is None else f"{attempt.refused_reason}: {attempt.refused_detail}"
