"""Every fault that b2stream is held against, and the test that strikes with it: `python -m tests.faults.catalogue` prints the table.

`real`: it happens to real processes and servers. `injected`: a server, a disk or a clock of ours plays it for real programs.
`in memory`: the program's own code on a store, log or clock in memory.
"""

from dataclasses import dataclass

REAL, INJECTED, IN_MEMORY = "real", "injected", "in memory"


@dataclass(frozen=True)
class Fault:
    """One named fault. `tests` are `<file below tests>::<function>`; where there are none, `why_not` says why.

    `otherwise`: how it happens where the acts among the tests cannot be done, and only the other tests are left.
    """

    name: str
    how: str
    tests: tuple[str, ...] = ()
    why_not: str = ""
    otherwise: str = ""


def _of(how: str, name: str, *tests: str, otherwise: str = "") -> Fault:
    return Fault(name, how, tests, otherwise=otherwise)


def is_act(test: str) -> bool:
    """Whether this is an act within a chain, and no test of its own."""
    return not test.partition("::")[2].startswith("test_")


_CLUSTER = "faults/test_cluster.py::"
_LOG = "faults/test_kafka_log.py::"
_LINKS = "faults/links/test_kafka_links.py::"
_ZONES = "faults/links/test_zone_links.py::"
_OTHER_LINKS = "faults/links/test_redis_and_handle_links.py::"
_OUTAGES = "faults/test_outages.py::"
_TWO = "faults/test_two_processors.py::"
_QUIET = "faults/test_quiet.py::"
_DISKS = "faults/test_disks.py::"
_POISON = "faults/test_poison.py::test_poison_becomes_letters_with_exact_reasons_and_the_rest_goes_on"
_IRODS = "integration/archive/test_irods_failures.py::"
_DEMO = "acceptance/test_demo.py::"
_AMNESIA = "integration/audit/test_amnesia.py::"
_PROCESS = "integration/processor/test_process.py::"
_REGISTRAR = "unit/registrar/test_registrar.py::"
_HANDLES = "integration/handles/test_registrar.py::"
_STUCK = "unit/processor/test_stuck.py::"
_DUPLICATES = "unit/processor/test_duplicates.py::"
_JOURNAL = "unit/gateway/test_journal.py::"
_RESENDING = "unit/gateway/test_outstanding.py::"
_GATEWAY = "unit/gateway/test_program.py::"
_TORN = "unit/gateway/test_torn_journal.py::"
_REGISTRY = "integration/processor/test_registry_away.py::"
_LATER = "unit/processor/test_later_release.py::"
_READY = "integration/processor/test_readiness.py::"
_TOPICS = "integration/kafka/test_admin_and_topics.py::"
_MUTATIONS = "integration/audit/test_mutations.py::"
_SIMULATED = "simulator/test_simulator.py::"

CATALOGUE: dict[str, tuple[Fault, ...]] = {
    "steps": (
        _of(
            REAL,
            "kill -9 at every fail point, on the first try and on the retry",
            "faults/test_kills.py::test_I1_kills_at_every_step_on_the_first_try_and_on_the_next_change_nothing",
        ),
        _of(
            REAL,
            "each fail point raises, stalls for a while, stalls for ever",
            "faults/test_steps_that_fail.py::test_I11_steps_that_raise_or_stall_change_nothing",
        ),
        _of(REAL, "kill -9 while dead letters are written, before and after each, and on the retry", _POISON),
        _of(
            REAL,
            "kill -9 of the registrar before it announces a further location, and on the retry",
            "faults/test_registrar.py::"
            "test_I6_after_the_queues_drain_each_content_has_one_record_though_the_registrar_was_killed",
        ),
    ),
    "Kafka": (
        _of(
            REAL,
            "broker killed during produce, fetch, offset commit",
            _OUTAGES + "_kafka_is_killed",
            _CLUSTER + "_leader_is_killed_while_a_gateway_publishes",
            _CLUSTER + "_leader_is_killed_while_the_processor_reads",
            _CLUSTER + "_coordinator_is_killed_while_offsets_are_committed",
        ),
        _of(
            REAL,
            "of three brokers the leader of a partition killed",
            _CLUSTER + "_leader_is_killed_while_a_gateway_publishes",
        ),
        _of(REAL, "the controller killed", _CLUSTER + "_controller_is_killed"),
        _of(REAL, "a broker frozen and thawed", _CLUSTER + "_leader_freezes", _OUTAGES + "_kafka_freezes"),
        _of(REAL, "two of three brokers away", _CLUSTER + "_two_of_three_are_away"),
        _of(REAL, "broker away 90 s, longer than the session timeout", _LOG + "_broker_is_away_longer_than_a_session"),
        _of(REAL, "consumer offsets deleted", _OUTAGES + "_offsets_are_deleted"),
        _of(
            REAL,
            "offsets expired",
            _OUTAGES + "_offsets_are_deleted",
            _TOPICS + "test_check_wants_the_brokers_to_keep_offsets_longer_than_measurements",
        ),
        _of(
            REAL,
            "replicator offsets lost after many batches",
            _OUTAGES + "_offsets_are_deleted",
            "integration/replicator/test_replicator.py::test_a_replay_of_all_commits_copies_nothing_twice",
        ),
        _of(
            REAL,
            "retention shorter than the outage: stops and says so",
            _LOG + "_retention_is_shorter_than_the_processors_outage",
            _LOG + "_retention_takes_what_a_processor_has_before_it",
        ),
        _of(
            REAL,
            "log start beyond the committed offset",
            _LOG + "_retention_is_shorter_than_the_processors_outage",
            _PROCESS + "test_a_committed_offset_outside_the_log_is_fatal_before_a_message_is_taken",
        ),
        _of(REAL, "partitions added to a topic", _LOG + "_partitions_are_added"),
        _of(REAL, "a topic deleted and made again", _LOG + "_topic_is_made_again"),
        _of(
            REAL,
            "Kafka wiped whole",
            _DEMO
            + "test_simulated_stations_arrive_whole_through_two_troubles_and_I12_again_with_kafka_and_journals_lost",
            _AMNESIA + "test_I12_after_kafka_was_wiped_reannounce_and_the_replicator_make_everything_whole_again",
        ),
        _of(REAL, "Redis killed and wiped", _OUTAGES + "_redis_is_killed"),
    ),
    "rebalances": (
        _of(REAL, "worker added in mid-commit", _TWO + "_one_joins"),
        _of(REAL, "worker removed in mid-commit", _TWO + "_one_leaves", _TWO + "_one_is_killed"),
        _of(REAL, "worker frozen while another takes over, then thawed (zombie)", _TWO + "_one_is_a_zombie"),
        _of(
            REAL,
            "twenty rebalances in a minute",
            "faults/test_rebalances.py::test_I1_twenty_rebalances_within_a_minute_change_nothing",
        ),
    ),
    "centres": (
        _of(
            REAL,
            "zone down at start",
            _OUTAGES + "_both_centres_are_down_at_the_start",
            _IRODS + "test_a_zone_that_is_down_is_retryable_for_every_call",
            _READY + "test_I13_a_centre_that_is_away_makes_it_not_ready_and_not_unhealthy",
        ),
        _of(REAL, "zone down for minutes", _OUTAGES + "_first_centre_dies"),
        _of(
            REAL,
            "zone hangs after accept",
            _OUTAGES + "_first_centre_freezes",
            _IRODS + "test_a_frozen_zone_is_given_up_after_the_timeout_and_used_again_once_it_thaws",
            _ZONES + "test_I11_a_zone_that_hangs_after_it_accepted_is_given_up_and_asked_again",
        ),
        _of(
            REAL,
            "zone closes after half the bytes",
            _IRODS
            + "test_a_connection_that_breaks_while_staging_is_a_lost_reply_and_the_batch_is_committed_all_the_same",
            _ZONES + "test_I4_a_link_that_closes_after_half_the_bytes_leaves_nothing_half",
        ),
        _of(
            INJECTED,
            "zone answers success and stores nothing, fewer bytes or a flipped byte",
            _IRODS + "test_I5_a_zone_that_answers_success_and_stores_something_else_is_not_believed",
            _IRODS + "test_I5_what_is_never_really_stored_is_never_committed",
            _ZONES + "test_I5_success_that_is_none_is_not_believed",
        ),
        _of(
            INJECTED,
            "checksum call times out",
            _IRODS + "test_a_checksum_that_never_comes_is_given_up_after_the_timeout",
            _ZONES + "test_I5_a_checksum_that_takes_longer_than_the_timeout_is_looked_for_again",
        ),
        _of(
            REAL,
            "stale and intermediate replicas left behind",
            _IRODS + "test_what_a_killed_zone_left_open_is_debris_and_the_batch_is_committed_under_the_next_name",
            _IRODS + "test_what_a_client_that_was_killed_in_mid_write_leaves_stale_is_debris_"
            "and_the_batch_is_committed_all_the_same",
        ),
        _of(
            REAL,
            "target already there with the same bytes",
            _DUPLICATES + "test_a_duplicate_of_an_archived_batch_is_announced_by_the_next_processor_too",
            _ZONES + "test_I4_a_target_that_is_there_already_is_taken_if_it_is_ours_and_never_replaced",
        ),
        _of(
            REAL,
            "target already there with other bytes",
            _STUCK + "test_I4_other_bytes_at_the_batchs_path_are_stuck_and_stay_as_they_are",
            _ZONES + "test_I4_a_target_that_is_there_already_is_taken_if_it_is_ours_and_never_replaced",
        ),
        _of(
            REAL,
            "permission revoked",
            _IRODS + "test_a_user_without_permission_is_refused_and_nothing_is_left",
            _STUCK + "test_I11_a_station_without_permission_never_stops_the_others_however_many_of_its_batches_wait",
            _ZONES + "test_I11_what_is_refused_to_one_station_waits_and_the_others_go_on",
        ),
        _of(
            INJECTED,
            "quota exceeded; of one station while others go on",
            _DISKS + "_quota_of_one_station",
            _ZONES + "test_I11_what_is_refused_to_one_station_waits_and_the_others_go_on",
        ),
        _of(
            INJECTED,
            "a slow disk outlasts the client's timeout on a 1 GB file (a delay stands for its size)",
            _DISKS + "_slow_disk",
            _IRODS + "test_a_large_file_is_given_the_time_to_be_hashed_and_a_small_one_is_not",
        ),
        _of(REAL, "second centre away and back", _OUTAGES + "_second_centre_freezes_and_is_restarted"),
        _of(
            REAL,
            "the first centre restored from yesterday's backup",
            _QUIET + "_first_centre_of_yesterday",
            _MUTATIONS + "test_a_centre_that_was_restored_from_yesterday_lacks_what_came_since",
        ),
    ),
    "Handle server": (
        _of(
            REAL,
            "down",
            _HANDLES + "test_I6_each_data_object_is_registered_while_the_handle_server_is_killed_and_comes_back",
            _OTHER_LINKS + "test_I6_a_handle_server_that_is_away_is_lag_of_the_registrar_alone",
        ),
        _of(
            REAL,
            "slow",
            _REGISTRAR + "test_a_handle_server_that_is_down_is_lag_and_is_caught_up_with",
            _OTHER_LINKS + "test_I6_a_slow_handle_server_is_waited_for",
        ),
        _of(
            REAL,
            "lost reply",
            _REGISTRAR + "test_a_lost_reply_of_any_call_ends_at_the_same_record",
            _OTHER_LINKS + "test_I6_a_lost_reply_of_the_handle_server_doubles_no_record",
        ),
        _of(
            IN_MEMORY,
            "conflicting record",
            _REGISTRAR + "test_I6_a_record_of_other_content_is_a_letter_and_a_metric_and_the_next_goes_on",
        ),
    ),
    "poison": tuple(
        _of(REAL, name, _POISON)
        for name in (
            "truncated Avro",
            "unknown schema id",
            "wrong magic byte",
            "empty value",
            "10 MB value, plain or compressed",
            "wrong station",
            "times in 1970 and 2100",
            "NaN and infinities",
            "duplicate and out-of-order sequences",
            "a flood of poison",
            "a close without its blocks, and blocks without their close",
        )
    ),
    "disks and signals": (
        _of(
            REAL,
            "disk full on the spool (a small tmpfs; injected where nobody may mount)",
            _DISKS + "_spool_is_full",
            "unit/processor/test_eviction.py::test_a_full_disk_changes_no_byte",
            otherwise=INJECTED,
        ),
        _of(
            REAL,
            "disk full on the journal (a small tmpfs; injected where nobody may mount)",
            _DISKS + "_journal_is_full",
            _JOURNAL + "test_I1_a_full_disk_stops_the_gateway_before_it_publishes_what_it_could_not_write_down",
            otherwise=INJECTED,
        ),
        _of(
            REAL,
            "read-only journal (a remounted tmpfs; injected where nobody may mount)",
            _DISKS + "_journal_is_read_only",
            _JOURNAL + "test_a_journal_that_became_read_only_is_an_error",
            otherwise=INJECTED,
        ),
        _of(
            REAL,
            "torn journal",
            _DISKS + "_journal_is_torn",
            _DISKS + "_journal_is_cut_in_half",
            _TORN + "test_I1_a_log_that_was_cut_anywhere_is_a_journal_of_a_moment_ago_and_the_rest_is_sent_again",
        ),
        _of(REAL, "spool smaller than the open batches", _DISKS + "_spool_is_smaller_than_the_batches"),
        _of(REAL, "SIGTERM during a commit, twice", _QUIET + "_sigterm_during_a_commit_twice"),
        _of(
            INJECTED,
            "clock jumps of an hour (injected clock: libfaketime is not everywhere)",
            _QUIET + "_clocks_jump_an_hour",
        ),
        _of(
            REAL,
            "names with spaces, quotes, %, UTF-8, colons",
            "faults/test_bad_input.py::test_bad_files_have_their_documented_outcome_at_both_centres_and_the_rest_goes_on",
        ),
    ),
    "the quiet ones": (
        _of(
            INJECTED,
            "a gateway whose clock says 1970 or 2100",
            _QUIET + "_gateways_in_1970_and_2100",
            _RESENDING + "test_I11_what_was_noted_by_a_clock_that_was_years_ahead_does_not_wait_for_those_years",
        ),
        _of(
            REAL,
            "two gateways for one station",
            _QUIET + "_two_gateways",
            _JOURNAL + "test_a_second_gateway_on_the_same_journal_is_refused_until_the_first_ends",
        ),
        _of(
            REAL,
            "a gateway restored from last week's disk",
            _QUIET + "_journal_of_last_week",
            _QUIET + "_a_whole_disk_of_last_week",
        ),
        _of(REAL, "a journal lost", _OUTAGES + "_journals_are_wiped"),
        _of(
            IN_MEMORY,
            "a file changed while it is read",
            _GATEWAY + "test_a_file_that_changes_while_it_is_published_starts_a_new_attempt_that_supersedes",
            "unit/gateway/test_snapshot.py::test_a_large_file_that_became_shorter_is_noticed",
        ),
        _of(
            IN_MEMORY,
            "a link that drops one block and delivers the next",
            "unit/processor/test_poison.py::test_I2_a_hole_is_no_poison_the_station_sends_the_batch_again",
        ),
        _of(REAL, "the same content under two names and from two stations", _QUIET + "_one_content_two_names"),
        _of(REAL, "a corrected file, then the first one again", _QUIET + "_corrected_and_back"),
        _of(REAL, "a station silent in mid-batch for longer than T, then back", _QUIET + "_silent_in_mid_batch"),
        _of(
            REAL,
            "a processor far behind: nothing is abandoned",
            _QUIET + "_processor_behind",
            "unit/processor/test_abandonment.py::test_a_processor_days_behind_abandons_nothing",
        ),
        _of(
            REAL,
            "the schema registry unreachable at a cold start",
            _REGISTRY
            + "test_I11_a_schema_registry_that_is_away_at_the_start_is_waited_for_and_nothing_becomes_a_letter",
        ),
        _of(
            REAL,
            "gateways upgraded before processors: letters after which they send again by themselves",
            _POISON,
            _LATER + "test_I1_what_a_later_gateway_sends_is_letters_that_it_answers_by_itself_and_the_rest_goes_on",
            _RESENDING + "test_a_letter_that_is_not_poison_leads_to_a_new_attempt_twice_as_late_each_time",
        ),
        _of(
            IN_MEMORY,
            "processors upgraded before whoever reads their events",
            "unit/replicator/test_later_release.py::"
            "test_I7_commit_events_of_a_later_release_wait_for_the_upgrade_and_the_others_go_on",
            "unit/registrar/test_later_release.py::"
            "test_I6_events_of_a_later_release_wait_for_the_upgrade_and_the_others_go_on",
            "unit/gateway/test_later_release.py::"
            "test_I1_an_event_of_a_later_release_waits_for_the_gateways_upgrade_and_costs_no_receipt",
            "unit/reader/test_later_release.py::"
            "test_an_event_of_a_later_release_stops_the_reader_and_is_read_once_it_is_upgraded",
            "unit/audit/test_later_release.py::test_an_event_of_a_later_release_ends_an_audit_with_a_sentence",
        ),
        _of(REAL, "keys rotated while the first centre is away", _QUIET + "_keys_rotated_while_the_centre_is_away"),
    ),
    "links": (
        _of(
            REAL,
            "gateway to Kafka: cut in mid-produce, lost acknowledgement, half-closed, flipped byte",
            _LINKS + "test_I1_a_link_cut_in_mid_produce_loses_and_doubles_nothing",
            _LINKS + "test_I1_an_acknowledgement_that_is_lost_doubles_nothing",
            _LINKS + "test_I11_half_closed_in_mid_produce_the_gateway_goes_on_elsewhere",
            _LINKS + "test_I3_a_byte_flipped_on_the_way_to_kafka_is_refused_there_and_sent_again",
        ),
        _of(
            REAL,
            "processor to Kafka: silent in mid-fetch, reset in an offset commit, flipped byte",
            _LINKS + "test_I11_a_connection_that_goes_silent_in_mid_fetch_is_given_up",
            _LINKS + "test_I8_a_reset_in_the_middle_of_an_offset_commit_moves_no_offset_past_the_archive",
            _LINKS + "test_I3_a_byte_flipped_on_the_way_to_the_processor_is_noticed_and_read_again",
        ),
        _of(
            REAL,
            "anything to Kafka: black hole, throttled, reset again and again",
            _LINKS + "test_I11_one_program_whose_way_to_kafka_is_a_black_hole_catches_up",
            _LINKS + "test_I11_a_slow_link_to_kafka_is_slow_and_nothing_else",
            _LINKS + "test_I11_all_connections_to_kafka_reset_again_and_again_is_survived",
        ),
        _of(
            REAL,
            "Kafka to any reader: flipped byte",
            _LINKS + "test_I3_each_of_our_readers_notices_a_flipped_byte_and_asks_again",
            _LINKS + "test_I3_a_byte_flipped_in_a_commit_event_is_noticed_by_each_who_reads_it",
        ),
        _of(
            REAL,
            "processor and replicator to a zone: flipped byte, black hole, throttled",
            _ZONES + "test_I5_a_byte_flipped_on_the_way_to_the_first_zone_is_never_committed",
            _ZONES + "test_I7_a_byte_flipped_on_the_way_to_the_second_zone_is_never_placed",
            _ZONES + "test_I7_a_byte_flipped_on_the_way_from_a_zone_is_not_believed",
            _ZONES + "test_I5_a_byte_flipped_in_what_the_catalogue_answers_is_not_believed",
            _ZONES + "test_I11_a_zone_whose_link_swallows_everything_is_lag_and_nothing_else",
            _ZONES + "test_I11_a_slow_link_to_a_zone_is_slow_and_nothing_else",
        ),
        _of(
            REAL,
            "registrar to the Handle server: a flipped byte",
            _OTHER_LINKS
            + "test_I6_a_byte_flipped_on_the_way_to_the_handle_server_breaks_the_connection_and_nothing_else",
        ),
        _of(
            REAL,
            "anything to Redis: black hole, hardly there",
            _OTHER_LINKS + "test_I11_a_redis_that_swallows_everything_does_not_hold_up_a_commit",
            _OTHER_LINKS + "test_I11_a_redis_that_is_hardly_there_changes_nothing",
        ),
    ),
    "any schedule of faults": tuple(
        _of(IN_MEMORY, name, _SIMULATED + "test_I1_to_I9_hold_after_any_schedule")
        for name in (
            "any call to a centre is lost, carried out without an answer, or hangs and is carried out later",
            "any write stored short, flipped, not at all, or left stale or intermediate",
            "any processor or replicator killed, frozen, or robbed of its partitions at any step",
            "any publishing or offset commit refused, or taken without an answer",
            "offsets of either group back to an earlier place at any moment",
            "abandonments, forged closes, conflicting, missing and repeated blocks between all of these",
        )
    ),
    "planted bugs, which the judge must name": tuple(
        _of(how, f"{name}: {where}", test)
        for name in (
            "acknowledge before announce",
            "overwrite on conflict",
            "skip verification",
            "out-of-order acknowledgement",
            "pop the retry before the work is done",
        )
        for how, where, test in (
            (IN_MEMORY, "simulated", "simulator/test_planted.py::test_the_judge_complains_of_a_planted_bug"),
            (REAL, "real servers", "faults/test_planted.py::test_the_independent_check_complains_of_a_planted_bug"),
        )
    ),
}


def table() -> str:
    """For a person: a line per fault, and below it its tests."""
    lines = []
    for group, faults in CATALOGUE.items():
        lines.append(f"\n{group}")
        for fault in faults:
            lines.append(f"  {fault.how if fault.tests else 'not covered':<11} {fault.name}")
            lines += [f"  {'':<11}   {test}" for test in fault.tests] or [f"  {'':<11}   {fault.why_not}"]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
