"""What a plain consumer does with the same messages: confluent-kafka, SHA-256, append to one file per key.

`python -m tests.benchmarks.bare_confluent BOOTSTRAP TOPIC MESSAGES` prints JSON like `bare_faust`.
"""

import hashlib
import json
import resource
import secrets
import sys
import tempfile
import time
from typing import IO

from confluent_kafka import Consumer


def main(bootstrap: str, topic: str, messages: int) -> None:
    """Read `messages` messages and print how long it took."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"bare-{secrets.token_hex(4)}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 5,
        }
    )
    consumer.subscribe([topic])
    files: dict[bytes, IO[bytes]] = {}
    digests: dict[bytes, hashlib._Hash] = {}
    seen, began_s, cpu_s = 0, 0.0, 0.0
    with tempfile.TemporaryDirectory() as directory:
        while seen < messages:
            for message in consumer.consume(100, 1.0):
                if seen == 0:
                    began_s, cpu_s = time.monotonic(), _cpu_s()
                seen += 1
                key, value = message.key() or b"", message.value() or b""
                if key not in files:
                    files[key] = open(f"{directory}/{len(files)}", "wb", buffering=0)  # noqa: SIM115
                    digests[key] = hashlib.sha256()
                digests[key].update(value)
                files[key].write(value)
        result = {"seconds": time.monotonic() - began_s, "cpu_s": _cpu_s() - cpu_s}
        for file in files.values():
            file.close()
    consumer.close()
    print(json.dumps(result))


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
