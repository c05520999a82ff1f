"""A provenance document as people look at it: lines in order of time, or a picture (SVG 1.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from b2stream.batches.provenance import PID_PREFIX

_MOST_SOURCES = 5
_ROW = 64
_WIDTH = 980
_COLUMNS = {"time": 16, "entity": 220, "activity": 470, "agent": 750}
_STYLE = (
    "text{font:13px sans-serif}.time{fill:#555}.entity{fill:#fffbd6;stroke:#808080}.activity{fill:#cfceff;stroke:#0000ff}"
    ".fail{fill:#ffd6d6;stroke:#c00000}.agent{fill:#fed37f;stroke:#808080}line{stroke:#555;marker-end:url(#to)}"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One activity: when (ISO 8601; empty where it has no time of its own), what, by whom, and what it made."""

    at: str
    label: str
    agents: tuple[str, ...]
    made: tuple[str, ...]
    detail: str
    failed: bool


def steps(document: Mapping[str, Any]) -> list[Step]:
    """The activities of a document in order of time; what has no time comes where its time is known from the others: first."""
    labels = {
        name: str(about.get("prov:label", name))
        for kind in ("entity", "agent")
        for name, about in document.get(kind, {}).items()
    }
    found = []
    for name, about in document.get("activity", {}).items():
        agents = _related(document, "wasAssociatedWith", "prov:activity", name, "prov:agent")
        made = _related(document, "wasGeneratedBy", "prov:activity", name, "prov:entity")
        found.append(
            Step(
                at=str(about.get("prov:endTime", "")),
                label=str(about.get("prov:label", name)),
                agents=tuple(labels.get(agent, agent) for agent in agents),
                made=tuple(labels.get(entity, entity) for entity in made),
                detail=str(about.get("b2stream:detail", "")),
                failed=about.get("b2stream:outcome") == "fail",
            )
        )
    return _in_order(found)


def _in_order(found: list[Step]) -> list[Step]:
    """By time; the submission, which has none, comes between acquisition and commit, where the manifest puts it."""
    timed = sorted((step for step in found if step.at), key=lambda step: step.at)
    untimed = [step for step in found if not step.at]
    return [*timed[:1], *untimed, *timed[1:]]


def made_from(document: Mapping[str, Any]) -> str:
    """The PIDs of a product's sources, the first few of many; empty where it names none."""
    entities = document.get("entity", {})
    used = [str(each["prov:usedEntity"]) for each in document.get("wasDerivedFrom", {}).values()]
    pids = [str(entities[name].get("prov:label", name)) for name in used if name.startswith(f"{PID_PREFIX}:")]
    more = f" and {len(pids) - _MOST_SOURCES} more" if len(pids) > _MOST_SOURCES else ""
    return ", ".join(pids[:_MOST_SOURCES]) + more


def as_lines(document: Mapping[str, Any]) -> list[str]:
    """The history, a line for each step; first what a product was made from."""
    lines = [f"{'-':19}  made from {sources}"] if (sources := made_from(document)) else []
    for step in steps(document):
        made = f" → {', '.join(step.made)}" if step.made else ""
        detail = f" ({step.detail})" if step.detail else ""
        mark = "✗ " if step.failed else ""
        lines.append(f"{step.at[:19] or '-':19}  {mark}{step.label}{made}; {', '.join(step.agents)}{detail}")
    return lines


def as_svg(document: Mapping[str, Any], title: str) -> str:
    """The history as a picture: time runs down; yellow is what there is, blue what was done, orange who did it (W3C PROV's colours)."""
    rows = steps(document)
    height = 70 + _ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        '<defs><marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#555"/></marker></defs>',
        f'<text x="16" y="28" font-weight="bold">{escape(title)}</text>',
    ]
    if sources := made_from(document):
        parts.append(f'<text class="time" x="16" y="48">made from {escape(sources)}</text>')
    for number, step in enumerate(rows):
        parts += _row(step, 60 + _ROW * number)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(step: Step, top: int) -> list[str]:
    middle = top + 20
    kind = "activity fail" if step.failed else "activity"
    parts = [
        f'<text class="time" x="{_COLUMNS["time"]}" y="{middle + 5}">{escape(step.at[:19].replace("T", " "))}</text>'
    ]
    parts.append(_box(kind, _COLUMNS["activity"], top, 230, [step.label], step.detail))
    if step.made:
        parts.append(_box("entity", _COLUMNS["entity"], top, 200, [", ".join(step.made)]))
        parts.append(f'<line x1="{_COLUMNS["entity"] + 200}" y1="{middle}" x2="{_COLUMNS["activity"]}" y2="{middle}"/>')
    if step.agents:
        what, *who = step.agents
        parts.append(_box("agent", _COLUMNS["agent"], top, 214, [what, ", ".join(who)] if who else [what]))
        parts.append(f'<line x1="{_COLUMNS["activity"] + 230}" y1="{middle}" x2="{_COLUMNS["agent"]}" y2="{middle}"/>')
    return parts


def _box(kind: str, left: int, top: int, width: int, lines: list[str], detail: str = "") -> str:
    """A box of one or two lines; what does not fit, and the detail, is shown where the pointer rests."""
    shape = f'rx="{20 if kind == "entity" else 3}"'
    hover = f"<title>{escape(' '.join([', '.join(lines), detail]).strip())}</title>"
    box = f'<g>{hover}<rect class="{kind}" x="{left}" y="{top}" width="{width}" height="40" {shape}/>'
    for number, text in enumerate(lines):
        shown = text if len(text) * 7 < width else text[: width // 7 - 1] + "…"
        baseline = top + (25 if len(lines) == 1 else 17 + 16 * number)
        box += f'<text x="{left + width / 2:.0f}" y="{baseline}" text-anchor="middle">{escape(shown)}</text>'
    return box + "</g>"


def _related(document: Mapping[str, Any], kind: str, role: str, name: str, other: str) -> list[str]:
    return [member[other] for member in document.get(kind, {}).values() if member.get(role) == name and other in member]
