"""`python -m check PLAN.json [--json]`. Exit code 0: every source is whole, once, at both centres; 1: it is not; 3: cannot check."""

import argparse
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import centres, events, history, origin, pids, report, sources
from .findings import Findings
from .ours import Ours
from .plan import CannotCheck, Plan

GOOD, WRONG, CANNOT = 0, 1, 3


def main() -> int:
    """Compare, and say so."""
    parser = argparse.ArgumentParser(description="Compare both centres with the source files.")
    parser.add_argument("plan", type=Path, help="what is to be compared (check/plan.py says its shape)")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    options = parser.parse_args()
    logging.getLogger("irods").setLevel(logging.CRITICAL)
    try:
        plan = Plan.read(options.plan)
        findings, table = compare(plan)
    except CannotCheck as error:
        sys.stderr.write(f"cannot check: {error}\n")
        return CANNOT
    good = not findings.found and findings.compared.total() > 0
    names = (plan.first.name, plan.second.name)
    sys.stdout.write(report.as_json(table, findings, good) if options.json else report.as_text(table, findings, *names))
    return GOOD if good else WRONG


def compare(plan: Plan) -> tuple[Findings, list[report.Line]]:
    """All comparisons. Raises CannotCheck."""
    findings = Findings()
    first, second = look(plan, findings)
    said = read_events(plan)
    return findings, hold_against(plan, first, second, said, findings)


def look(plan: Plan, findings: Findings) -> tuple[centres.Found, centres.Found]:
    """Read both centres whole. Raises CannotCheck."""
    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(centres.look, one, plan.began_s, findings) for one in (plan.first, plan.second)]
        first, second = (each.result() for each in looks)
    return first, second


def read_events(plan: Plan) -> events.Events | None:
    """What was said on Kafka, None where the plan names none. Raises CannotCheck."""
    if plan.kafka is None:
        return None
    said = events.read(plan.kafka)
    return events.only_of(said, plan.first, plan.second, plan.began_s) if plan.kafka.shared else said


def hold_against(
    plan: Plan, first: centres.Found, second: centres.Found, said: events.Events | None, findings: Findings
) -> list[report.Line]:
    """What the centres hold, against the sources, the events and the PID records. Raises CannotCheck."""
    found = [first, second]
    matched = sources.match(plan.sources, found, findings)
    sources.compare_bytes(matched, found, findings)
    sources.compare_rows(matched, findings)
    history.check_copies(first, second, findings)
    stations = {source.station for source in plan.sources}
    told = said or events.Events()
    ours = _ours(plan, matched, told)
    origin.check_signatures(first, told.repeats, plan.keys, findings, ours)
    history.check_chains(first, told.repeats, stations, findings, ours, told.dead_closes)
    history.check_dead(first, second, told.dead_batches, findings)
    if said is not None:
        history.check_events(said, first, second, stations, findings, ours)
    if plan.handle:
        pids.check_pids(plan.handle, first, second, {source.sha256 for source in plan.sources}, findings)
    history.check_earlier(plan.earlier, found, findings)
    if not any(what.startswith("data objects whose bytes") for _, what in findings.compared):
        findings.add("I3", "nothing was compared: no source file met a data object")
    if not findings.found:
        history.remember(plan.earlier, found)
    return report.lines(matched, first, second)


def _ours(plan: Plan, matched: list[sources.Matched], said: events.Events) -> Ours:
    """What this run must answer for. Raises CannotCheck."""
    asked = plan.first.shared or plan.second.shared
    return Ours(
        fed=frozenset((each.source.station, each.source.name, each.sha256) for each in matched),
        topic_id=events.measurements_id(plan.kafka) if plan.kafka and asked else None,
        repeated=frozenset(repeat["batch"] for repeat in said.repeats),
        kafka_shared=plan.kafka is not None and plan.kafka.shared,
    )


if __name__ == "__main__":
    sys.exit(main())
