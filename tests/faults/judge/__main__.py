"""`python -m tests.faults.judge PLAN.json FOLDER`: prints one JSON document. Exit code 0: nothing is wrong; 1: it is; 3: cannot judge."""

import argparse
import json
import logging
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from b2stream.sandbox.demo.check import events
from b2stream.sandbox.demo.check.__main__ import hold_against, look, read_events
from b2stream.sandbox.demo.check.findings import Findings
from b2stream.sandbox.demo.check.plan import CannotCheck, Kafka, Plan
from b2stream.sandbox.demo.check.report import NAMES
from b2stream.sandbox.demo.check.zone import Zone

from . import rules
from .decoding import Decoder
from .oracle import Oracle
from .recorder import CannotRecord, Recorder

GOOD, WRONG, CANNOT = 0, 1, 3
JUDGED = {**NAMES, "I8": "offsets follow the archive", "I12": "restart from the stations and the store"}


def main() -> int:
    """Judge, and say so."""
    parser = argparse.ArgumentParser(description="Compare both centres with what Kafka acknowledged.")
    parser.add_argument("plan", type=Path, help="the plan of the independent check")
    parser.add_argument("oracle", type=Path, help="where the recorder keeps what was acknowledged")
    options = parser.parse_args()
    logging.getLogger("irods").setLevel(logging.CRITICAL)
    try:
        plan = Plan.read(options.plan)
        assert plan.kafka is not None
        oracle = Oracle(options.oracle)
        recorder = Recorder(plan.kafka.bootstrap, f"{plan.kafka.community}.measurements", oracle)
        recorder.catch_up()
        findings = judge(plan, plan.kafka, oracle, recorder.events_id())
        for told in recorder.differences():
            findings.add("I1", told)
    except (CannotCheck, CannotRecord) as error:
        sys.stderr.write(f"cannot judge: {error}\n")
        return CANNOT
    print(json.dumps(as_document(findings), ensure_ascii=False, indent=1))
    return WRONG if findings.found else GOOD


def judge(plan: Plan, kafka: Kafka, oracle: Oracle, events_id: str) -> Findings:
    """All comparisons. Raises CannotCheck."""
    findings = Findings()
    first, second = look(plan, findings)
    said = read_events(plan)
    hold_against(plan, first, second, said, findings)
    zone = Zone(plan.first)
    try:
        rules.check(
            oracle,
            Decoder(kafka.schemas),
            first,
            second,
            said or events.Events(),
            lambda path: b"".join(zone.pieces(path)),
            events.measurements_id(kafka),
            findings,
            events_id,
        )
    finally:
        zone.close()
    return findings


def as_document(findings: Findings) -> dict[str, Any]:
    """What was compared by invariant, and what is wrong."""
    compared: dict[str, dict[str, int]] = {}
    for (invariant, what), number in sorted(findings.compared.items()):
        compared.setdefault(invariant, {})[what] = number
    return {
        "good": not findings.found,
        "compared": compared,
        "findings": [asdict(one) for one in findings.found],
        "notes": findings.notes,
    }


if __name__ == "__main__":
    sys.exit(main())
