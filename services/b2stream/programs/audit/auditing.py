"""The audit itself: fix the ends of the log, read it, walk the centres, judge, and look at each finding a second time."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from b2stream.archive.store import ObjectStore
from b2stream.contracts import topics
from b2stream.handles.opening import prefixes_from
from b2stream.handles.service import HandleService
from b2stream.policies import policies_of
from b2stream.programs.audit.gathering import resuming, walking
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log import Lag, Log
from b2stream.programs.audit.gathering.walking import SignatureCheck, no_signature_check
from b2stream.programs.audit.judging.apart import judge_apart, read_days, station_of
from b2stream.programs.audit.judging.batches import Scope, judge
from b2stream.programs.audit.judging.chains import Series, follow_chains
from b2stream.programs.audit.judging.findings import OF_BYTES, OF_OBJECTS, Finding, Kind
from b2stream.programs.audit.judging.pids import judge_pids, read_pids
from b2stream.settings import Settings

GRACE_S = 900.0

Tell = Callable[[str, int, int | None], None]
"""(what is being done, how many more are done, how many there are in all; None where nobody knows)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What an audit is asked to do."""

    folder: str = ""  # a station's, else everything
    since_us: int = 0  # only what was committed, or placed, from then on
    recompute: bool = False
    grace_s: float = GRACE_S
    check_signature: SignatureCheck = no_signature_check
    check_of_now: Callable[[], SignatureCheck] | None = None  # with the keys that are published when it is called
    handles: HandleService | None = None  # None: PID records are left out
    now_s: Callable[[], float] = time.time


@dataclass(frozen=True, slots=True)
class Report:
    """What came out. `findings` were seen twice; `lag` is work that somebody is still going to do."""

    started_s: float
    finished_s: float
    centres: list[str]
    objects: int
    batches: int
    recomputed: int
    findings: list[Finding]
    lag: list[Lag]
    series: list[Series] = field(default_factory=list)
    unproven_before_us: int | None = None
    resumed_from_s: float | None = None  # when the audit began that was stopped, and that this one went on with

    def to_json(self) -> dict[str, Any]:
        return {
            "started_s": self.started_s,
            "finished_s": self.finished_s,
            "centres": self.centres,
            "objects": self.objects,
            "batches": self.batches,
            "recomputed": self.recomputed,
            "findings": [finding.to_json() for finding in self.findings],
            "lag": [each.to_json() for each in self.lag],
            "series": [each.to_json() for each in self.series],
            "unproven_before_us": self.unproven_before_us,
            "resumed_from_s": self.resumed_from_s,
        }


class Auditor:
    """Audits the archive at one or two centres; `stores` are the first centre's and, where there is one, the second's.

    Raises ConfigurationError for policies that cannot be obeyed.
    """

    def __init__(
        self,
        settings: Settings,
        stores: list[ObjectStore],
        log: Log,
        index: Index,
        plan: Plan,
        tell: Tell = lambda *_: None,
    ) -> None:
        self._settings = settings
        self._policies = policies_of(settings)
        self._stores = stores
        self._log = log
        self._index = index
        self._plan = plan
        self._tell = tell
        self._check_signature = plan.check_signature
        self._walk = int(plan.now_s() * 1000)

    def run(self) -> Report:
        """Everything, once. Raises Retryable where Kafka or a centre does not answer."""
        started_s = self._plan.now_s()
        resumed_from_s = resuming.begin(
            self._index, self._stores, self._plan.folder, started_s, recompute=self._plan.recompute
        )
        self._log.fix_ends()
        lag = self._note_progress()
        held = self._log.held
        self._log.read_into(self._index, lambda count: self._tell("messages", count, held))
        lag += self._note_promised()
        for store in self._stores:
            walking.list_centre(self._index, store, self._walk, self._plan.folder, self._listing())
        self._read_manifests()
        self._read_pids()
        if self._plan.recompute:
            walking.recompute(self._index, self._stores, partial(self._tell, "recomputed"), self._plan.now_s)
        suspects = self._judge()
        findings = self._second_look(suspects) if suspects else []
        series = list(follow_chains(self._index, [store.centre for store in self._stores]))
        unproven = self._index.one("SELECT max(before_us) AS before_us FROM unproven")
        resuming.end(self._index)
        return Report(
            started_s=started_s,
            finished_s=self._plan.now_s(),
            centres=[store.centre for store in self._stores],
            objects=self._index.count("object"),
            batches=self._index.count("committed"),
            recomputed=self._recomputed(),
            findings=findings,
            lag=lag,
            series=[each for each in series if self._is_in_scope(f"{each.station}/{each.name}")],
            unproven_before_us=unproven["before_us"] if unproven else None,
            resumed_from_s=resumed_from_s,
        )

    def _note_progress(self) -> list[Lag]:
        """How far the programs are: what lies behind is theirs to have done."""
        responsible = [
            ("processor", topics.MEASUREMENTS, self._settings.processor.group),
            ("replicator", topics.COMMITS, self._settings.replicator.group),
        ]
        if self._plan.handles is not None:
            responsible += self._registrar()
        return [self._note_done(*each) for each in responsible]

    def _registrar(self) -> list[tuple[str, topics.Topic, str]]:
        group = self._settings.registrar.group
        return [("registrar", topics.COMMITS, group), ("registrar of copies", topics.REPLICAS, group)]

    def _note_done(self, program: str, topic: topics.Topic, group: str) -> Lag:
        done = self._log.done(group, topic)
        rows = ({"program": program, "partition": number, "next_offset": at} for number, at in done.items())
        self._index.put("done", rows)
        return self._log.lag(program, topic, done)

    def _note_promised(self) -> list[Lag]:
        """How far the registrar is, where PIDs were promised and no Handle server is named that could be asked."""
        promised = self._settings.first.prefix or self._index.one("SELECT 1 FROM committed WHERE pid IS NOT NULL")
        if self._plan.handles is not None or not promised:
            return []
        note = "handle.url is not set: no PID record was looked at"
        return [replace(self._note_done(*each), note=note) for each in self._registrar()]

    def _listing(self) -> walking.Progress:
        """As many objects as the log promises: a data object and a manifest of each batch at each centre."""
        station = self._plan.folder.partition("/")[0]
        found = self._index.one("SELECT count(*) AS n FROM committed WHERE :station IN ('', station)", station=station)
        expected = 2 * len(self._stores) * int(found["n"]) if found else 0
        return lambda count, _: self._tell("objects", count, expected)

    def _read_manifests(self, again: str = "") -> None:
        walking.read_manifests(
            self._index,
            self._stores,
            self._check_signature,
            partial(self._tell, f"manifests{again}"),
            self._plan.now_s,
        )
        read_days(self._index, self._stores, partial(self._tell, f"days of provenance{again}"))

    def _read_pids(self, again: str = "") -> None:
        if self._plan.handles is not None:
            prefixes = self._settings.first.prefix, self._settings.second.prefix
            query = (
                "SELECT (SELECT count(DISTINCT id24) FROM committed) + :copies * (SELECT count(*) FROM replicated) AS n"
            )
            found = self._index.one(query, copies=int(bool(prefixes[1])))
            expected, name = (int(found["n"]) if found else 0), f"PID records{again}"
            read_pids(self._index, self._plan.handles, prefixes, lambda count: self._tell(name, count, expected))

    def _judge(self) -> list[Finding]:
        self._index.derive()
        opened = [store.centre for store in self._stores]
        first, second = self._settings.first.name or opened[0], self._settings.second.name
        scope = Scope(
            first,
            second if second in opened else None,
            self._plan.now_s(),
            self._plan.grace_s,
            self._policies,
            sees_first=first in opened,
        )
        found = judge(self._index, scope) + list(judge_apart(self._index, scope))
        if self._plan.handles is not None:
            found += judge_pids(self._index, prefixes_from(self._settings), scope)
        found += [finding for series in follow_chains(self._index, scope.centres) for finding in series.findings]
        return sorted(finding for finding in found if self._is_of_station(finding) and self._is_recent_enough(finding))

    def _second_look(self, suspects: list[Finding]) -> list[Finding]:
        """Ask the centres and the log once more; what is still wrong is a finding."""
        paths = sorted({path for finding in suspects for path in _paths_of(self._index, finding)})
        for path in paths:
            walking.look_again(self._index, self._stores, path, self._walk)
            self._tell("second looks", 1, len(paths))
        if any(finding.kind in (Kind.DEBRIS, Kind.UNRECORDED) for finding in suspects):
            for store in self._stores:
                walking.list_aside(self._index, store, self._plan.folder)
        for finding in suspects:
            if finding.kind in OF_BYTES:
                walking.forget_recomputed(self._index, finding.centre, finding.path)
        if self._plan.recompute:
            walking.recompute(self._index, self._stores, now_s=self._plan.now_s)
        if any(finding.kind is Kind.FORGED for finding in suspects):  # its station may have published the key meanwhile
            walking.forget_forged(self._index)
            if self._plan.check_of_now is not None:
                self._check_signature = self._plan.check_of_now()
        self._log.fix_ends()
        self._log.read_into(self._index)
        self._read_manifests(" again")
        self._read_pids(" again")
        first_time = {finding.key for finding in suspects}
        return [finding for finding in self._judge() if finding.key in first_time]

    def _is_in_scope(self, path: str) -> bool:
        folder = self._plan.folder
        if path.startswith("."):
            return not folder or station_of(path) == folder
        return not folder or path == folder or path.startswith(f"{folder}/")

    def _is_of_station(self, finding: Finding) -> bool:
        """By its path, or by the station of its batch: the path of a PID names none."""
        if self._is_in_scope(finding.path):
            return True
        found = self._index.one("SELECT station FROM committed WHERE batch = :batch", batch=finding.batch)
        return found is not None and found["station"] == self._plan.folder

    def _is_recent_enough(self, finding: Finding) -> bool:
        since_us = self._plan.since_us
        if not since_us:
            return True
        query = "SELECT max(at_us) AS at_us FROM (SELECT appended_at_us AS at_us FROM committed WHERE batch = :batch "
        query += "UNION ALL SELECT closed_at_us FROM manifest WHERE batch = :batch "
        query += "UNION ALL SELECT modified_s * 1000000 FROM object WHERE path = :path AND :batch = '')"
        found = self._index.one(query, batch=finding.batch, path=finding.path)
        return found is None or found["at_us"] is None or found["at_us"] >= since_us

    def _recomputed(self) -> int:
        found = self._index.one("SELECT count(recomputed_sha256) AS n FROM object")
        return int(found["n"]) if found else 0


def _paths_of(index: Index, finding: Finding) -> Iterator[str]:
    """The objects that a finding is about: its own, and those of its batch."""
    if finding.kind in OF_OBJECTS:
        yield finding.path
    if finding.batch:
        for row in index.rows("SELECT path FROM expected WHERE batch = :batch", batch=finding.batch):
            yield row["path"]
