"""The judge: both centres against what Kafka acknowledged, by other means than the pipeline's.

The oracle is the log itself: what was acknowledged (acks=all) is what a plain consumer can read. The recorder keeps it, so that nothing
is forgotten where Kafka is wiped or loses it. Like the independent check, which is part of it, the judge knows python-irodsclient,
confluent-kafka, fastavro, and what the published contract says; a test holds that no line of the pipeline is loaded.

    python -m tests.faults.judge PLAN.json FOLDER
"""
