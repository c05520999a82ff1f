"""Working off a topic of events: in parallel, each until it is done, with offsets acknowledged in order. For replicator and registrar.

`loop` reads and acknowledges, `schedule` decides what is tried next and when, `workers` try, `reporting` says how it goes.
What is to be done with an event is a `Job`; nothing here remembers it, so a job must be one that may be done twice.
"""
