"""What a program's pages say, asked as an operator's monitoring does."""

import urllib.request


def metric(port: int, name: str) -> float:
    """A number from /metrics, all its labels together; NaN while the page does not answer or has none."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return float("nan")
    found = [line for line in lines if line.startswith((name + " ", name + "{"))]
    return sum(float(line.rpartition(" ")[2]) for line in found) if found else float("nan")
