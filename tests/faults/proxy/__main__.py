"""Fault proxies as a process: `python -m tests.faults.proxy NAME=TARGET[@PORT] ...`, orders as JSON lines on its standard input.

    {"link": "redis", "do": "set", "fault": {"kind": "delay", "seconds": 0.5}}
    {"link": "redis", "do": "break_off", "kind": "reset"}
    {"link": "redis", "do": "clear" | "counts"}

Each order is answered by one line: the link's counts, or `error`. The first line names the addresses. It ends with its input.
"""

import contextlib
import json
import sys
from dataclasses import asdict
from typing import Any

from tests.faults.proxy import Fault, FaultProxy


def main(words: list[str]) -> int:
    """Run until the input ends."""
    with contextlib.ExitStack() as running:
        links: dict[str, FaultProxy] = {}
        for word in words:
            name, _, where = word.partition("=")
            target, _, port = where.partition("@") if "://" not in where else (where, "", "")
            links[name] = running.enter_context(FaultProxy(target, int(port) if port else None))
        say({name: proxy.address for name, proxy in links.items()})
        for line in sys.stdin:
            try:
                order = json.loads(line)
                say(carry_out(links[order["link"]], order))
            except (ValueError, KeyError, TypeError) as error:
                say({"error": f"{type(error).__name__}: {error}"})
    return 0


def carry_out(proxy: FaultProxy, order: dict[str, Any]) -> dict[str, int]:
    """Do what one line says; the counts afterwards. Raises ValueError, KeyError, TypeError for what makes no sense."""
    do = order["do"]
    if do == "set":
        proxy.set(Fault(**order["fault"]))
    elif do == "break_off":
        return asdict(proxy.counts) | {"hits": proxy.break_off(order.get("kind", "reset"), order.get("only", ""))}
    elif do == "clear":
        proxy.clear()
    elif do != "counts":
        raise ValueError("do is set, break_off, clear or counts")
    return asdict(proxy.counts)


def say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
