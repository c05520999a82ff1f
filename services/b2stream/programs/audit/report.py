"""An audit's report as a person reads it."""

from collections.abc import Iterator

from b2stream.contracts.canonical import iso_utc
from b2stream.programs.audit.auditing import Report
from b2stream.programs.audit.gathering.log import Lag

_SERIES_SHOWN = 40


def lines(report: Report) -> Iterator[str]:
    """The report line by line: each finding, what is still being worked on, until when each series is whole."""
    took_s = report.finished_s - report.started_s
    recomputed = f", {report.recomputed} of them recomputed" if report.recomputed else ""
    yield (
        f"{report.objects} objects{recomputed} and {report.batches} committed batches at {' and '.join(report.centres)}, "
        f"{took_s:.1f} s"
    )
    if report.resumed_from_s is not None:
        yield f"  it goes on with the audit that began {iso_utc(int(report.resumed_from_s * 1e6))} and was stopped"
    for finding in report.findings:
        yield f"✗ {finding.line()}"
    for lag in report.lag:
        if lag.messages or lag.note:
            yield _waiting(lag)
    if report.unproven_before_us is not None:
        yield f"  what was sent before {iso_utc(report.unproven_before_us)} is unproven: the log no longer held it"
    yield from _series(report)
    if report.findings:
        yield f"✗ {len(report.findings)} finding{'s' if len(report.findings) > 1 else ''}"
    else:
        yield "✓ nothing is missing, extra, altered or broken"


def _waiting(lag: Lag) -> str:
    age = "" if lag.oldest_s is None else f", the oldest {lag.oldest_s:.0f} s old"
    note = f"; {lag.note}" if lag.note else ""
    return f"  the {lag.program} has {lag.messages} messages of {lag.topic} still to do{age}{note}"


def _series(report: Report) -> Iterator[str]:
    for series in report.series[:_SERIES_SHOWN]:
        until = ", ".join(
            f"{centre} {(series.whole_until.get(centre) or 'no dated batch')[:19]}"
            f" ({series.whole_batches.get(centre, 0)} of {series.batches})"
            for centre in report.centres
        )
        forks = f"; begins anew at number {', '.join(map(str, series.forks[:5]))}" if series.forks else ""
        yield f"  {series.station}/{series.name} is whole until: {until}{forks}"
    if len(report.series) > _SERIES_SHOWN:
        yield f"  and {len(report.series) - _SERIES_SHOWN} series more: --json has them all"
