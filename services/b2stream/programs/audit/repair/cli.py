"""`b2stream repair`: first a plan in a file, then, if a person wants it, the plan carried out."""

import contextlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from b2stream.archive.waiting import StoppableClock
from b2stream.contracts.framing import Framing
from b2stream.errors import B2streamError, ConfigurationError, Stuck
from b2stream.kafka import Producer
from b2stream.logs import configure
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.auditing import GRACE_S, Plan
from b2stream.programs.audit.centres import open_centres
from b2stream.programs.audit.cli import audited
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.audit.repair.planning import REGISTER, Act, RepairPlan, plan_repair
from b2stream.programs.audit.repair.reannouncing import Terms
from b2stream.programs.audit.repair.repairing import Done, Registration, Repair
from b2stream.programs.audit.repair.untold import Told
from b2stream.programs.audit.unanswered import exit_where_nobody_answers
from b2stream.programs.audit.verify.checks import EXIT_FINDING
from b2stream.programs.audit.verify.registered import Registered
from b2stream.programs.audit.verify.subjects import NotFound, events_of, find_subject
from b2stream.registry import framing_from
from b2stream.settings import Settings, load


@click.command()
@click.option("--config", "file", type=click.Path(), help="TOML file; else $B2STREAM_CONFIG, else ./b2stream.toml.")
@click.option(
    "--plan", "plan_file", type=click.Path(path_type=Path), help="Audit, and write to this file what would be done."
)
@click.option("--apply", "apply_file", type=click.Path(path_type=Path), help="Do what this file says.")
@click.option(
    "--report", type=click.Path(path_type=Path), help="With --plan: only findings of this report of `audit --json`."
)
@click.option(
    "--recompute/--no-recompute",
    default=True,
    show_default=True,
    help="With --plan: let the centres read every object again.",
)
@click.option(
    "--grace-s",
    default=GRACE_S,
    show_default=True,
    help="With --plan: what is younger may still be on its way, seconds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was planned or done as JSON.")
def repair(
    file: str | None,
    plan_file: Path | None,
    apply_file: Path | None,
    report: Path | None,
    recompute: bool,
    grace_s: float,
    as_json: bool,
) -> None:
    """Mend what an audit finds: damaged copies from copies that verify, missing commit events, debris of staging.

    What a centre has in place of the right copy is moved below .quarantine/, never removed. Exit codes: 0 everything is planned
    or done, 1 something is left alone or was refused, 3 Kafka, a centre or the Handle server does not answer, or refuses the credentials,
    4 wrong configuration.
    """
    if (plan_file is None) == (apply_file is None):
        raise click.UsageError("say either --plan FILE or --apply FILE")
    settings = load(file).settings
    configure(settings.general.log_format, "warning")
    with exit_where_nobody_answers():
        if plan_file is not None:
            plan = make_plan(settings, Plan(recompute=recompute, grace_s=grace_s), _named_in(report))
            plan_file.write_text(json.dumps(plan.to_json(), indent=2) + "\n", encoding="utf-8")
            _print_plan(plan, plan_file, as_json)
            sys.exit(EXIT_FINDING if plan.left else 0)
        assert apply_file is not None
        trouble_count = _apply_and_print(settings, _read(apply_file), as_json)
    sys.exit(EXIT_FINDING if trouble_count else 0)


def make_plan(settings: Settings, plan: Plan, only: set[tuple[str, str, str]] | None = None) -> RepairPlan:
    """Audit, and plan. `only`: (kind, path, centre) of the findings that count. Raises Retryable, ConfigurationError."""
    with audited(settings, plan) as (report, index):
        findings = [
            finding
            for finding in report.findings
            if only is None or (finding.kind.value, finding.path, finding.centre) in only
        ]
        return replace(plan_repair(index, findings, report.centres), made_at_us=int(report.started_s * 1e6))


def apply(settings: Settings, plan: RepairPlan, show: Callable[[Done], object] = lambda done: None) -> list[Done]:
    """Do what a plan says; `show` is given each outcome as it comes. Raises Retryable, Fatal."""
    framing = framing_from(settings)
    asked = _Asked(settings, framing)
    with contextlib.ExitStack() as closing:
        stores = {store.centre: store for store in open_centres(settings)}
        for store in stores.values():
            closing.callback(store.close)
        strange = {act.centre for act in plan.acts} - set(stores)
        if strange:
            names = ", ".join(sorted(strange))
            raise ConfigurationError(f"the plan is about centres that the settings do not know: {names}")
        producer = Producer(settings.kafka, "b2stream-repair")
        closing.callback(producer.close)
        repair = Repair(
            stores,
            Announcer(producer, framing, settings.general.community, settings.kafka.partitions),
            StoppableClock(),
            terms=Terms.of(settings, framing),
            register=asked.registering([act.path for act in plan.acts if act.act == REGISTER]),
            told=asked.told,
            batch_of=asked.batch_of,
        )
        outcomes = []
        for done in repair.apply(plan):
            outcomes.append(done)
            show(done)
        return outcomes


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a repair asks of a deployment's log and Handle server, each time as they are then. Raises Retryable."""

    settings: Settings
    framing: Framing

    def told(self) -> Told:
        """What object events tell."""
        return Told.by(self._log().object_events())

    def batch_of(self, path: str) -> str:
        """The batch that has an object at this path; empty where the log knows none."""
        with contextlib.suppress(NotFound):
            event = find_subject(path, self.settings, self.framing).event
            return event.batch if event is not None else ""
        return ""

    def registering(self, pids: list[str]) -> Callable[[Act], Registration] | None:
        """What writes the records of these PIDs; None where the settings name no Handle server."""
        registered = Registered.of(self.settings)
        if registered is None:
            return None
        behind = events_of(pids, self._log()) if pids else {}

        def register(act: Act) -> Registration:
            if act.path not in behind:
                raise Stuck(f"no commit event stands behind {act.path}")
            commit, replica = behind[act.path]
            return Registration(registered.rewrite(act.path, commit, replica), commit)

        return register

    def _log(self) -> Log:
        log = Log(self.settings, self.framing)
        log.fix_ends()
        return log


def _read(file: Path) -> RepairPlan:
    try:
        return RepairPlan.read(file.read_text(encoding="utf-8"))
    except ConfigurationError as error:
        raise ConfigurationError(f"{file}: {error.detail}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: this file is no plan of `b2stream repair --plan`: it is no text") from error
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error


def _named_in(report: Path | None) -> set[tuple[str, str, str]] | None:
    if report is None:
        return None
    try:
        findings: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["findings"]
        return {(finding["kind"], finding["path"], finding["centre"]) for finding in findings}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{report} is no report of `b2stream audit --json`: {error!r}") from error


def _print_plan(plan: RepairPlan, file: Path, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(plan.to_json(), indent=2))
        return
    for act in plan.acts:
        click.echo(f"  {act.line()}")
    for finding, reason in plan.left:
        click.echo(f"- left alone: {finding.line()}: {reason}")
    click.echo(f"{_acts(len(plan.acts))} planned; `b2stream repair --apply {file}` carries the plan out")


def _apply_and_print(settings: Settings, plan: RepairPlan, as_json: bool) -> int:
    """Print each outcome as it comes, or all of them as JSON, also where somebody does not answer any more; how many had a trouble."""
    done: list[Done] = []

    def show(each: Done) -> None:
        done.append(each)
        if not as_json:
            click.echo(each.line())

    try:
        apply(settings, plan, show)
    except B2streamError:
        if done:
            _print_done(done, as_json, is_whole=False)
        raise
    _print_done(done, as_json, is_whole=True)
    return sum(bool(each.trouble) for each in done)


def _print_done(done: list[Done], as_json: bool, *, is_whole: bool) -> None:
    if as_json:
        rows = [{"act": each.act.act, "path": each.act.path, "centre": each.act.centre} for each in done]
        outcomes = [{"outcome": each.outcome, "trouble": each.trouble} for each in done]
        click.echo(json.dumps([row | outcome for row, outcome in zip(rows, outcomes, strict=True)], indent=2))
        return
    rest = "" if is_whole else ", and the plan is not finished: apply it again"
    click.echo(f"{sum(not each.trouble for each in done)} of {_acts(len(done))} done{rest}")


def _acts(count: int) -> str:
    return "1 act" if count == 1 else f"{count} acts"
