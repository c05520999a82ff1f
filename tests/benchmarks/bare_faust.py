"""The ceiling of the processor: a Faust consumer with `noack` streams and uvloop that drops each value.

`python -m tests.benchmarks.bare_faust BOOTSTRAP TOPIC MESSAGES` prints JSON: seconds from the first message to the last, CPU seconds.
Buffers as the project's own measurements on Kafka 4.3 found best: 8 MiB a fetch, 16,384 messages.
"""

import asyncio
import json
import resource
import secrets
import sys
import tempfile
import time

import faust
import uvloop


def main(bootstrap: str, topic: str, messages: int) -> None:
    """Read `messages` messages and print how long it took."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # Faust's consumer makes a second loop in a thread
    with tempfile.TemporaryDirectory() as directory:
        print(json.dumps(asyncio.run(_read(bootstrap, topic, messages, f"{directory}/faust"))))


async def _read(bootstrap: str, topic: str, messages: int, directory: str) -> dict[str, float]:
    app = faust.App(
        f"bare-{secrets.token_hex(4)}",
        broker=f"kafka://{bootstrap}",
        value_serializer="raw",
        key_serializer="raw",
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        stream_wait_empty=False,
        stream_buffer_maxsize=16_384,
        consumer_max_fetch_size=8 << 20,
        consumer_auto_offset_reset="earliest",
        datadir=directory,
    )
    source = app.topic(topic, value_serializer="raw", key_serializer="raw", acks=False)
    done = asyncio.Event()
    seen = 0
    began_s = ended_s = 0.0
    cpu_s = _cpu_s()

    @app.agent(source)
    async def read(stream):  # type: ignore[no-untyped-def]
        nonlocal seen, began_s, ended_s, cpu_s
        async for _ in stream.noack().events():
            if seen == 0:
                began_s, cpu_s = time.monotonic(), _cpu_s()
            seen += 1
            if seen == messages:
                ended_s = time.monotonic()
                done.set()

    app.finalize()
    await app.start()
    await asyncio.wait_for(done.wait(), 300)
    used_s = _cpu_s() - cpu_s
    await app.stop()
    return {"seconds": ended_s - began_s, "cpu_s": used_s}


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
