"""The jobs that a cluster starts by the clock: audit, scrub and the archive of provenance."""

from tests.unit.deployment import kustomize
from tests.unit.deployment.kustomize import Document
from tests.unit.deployment.manifests import BY_THE_CLOCK
from tests.unit.deployment.program import known_variables


def test_jobs_by_the_clock_have_the_centres_passwords_in_files_that_only_they_can_read(
    documents: list[Document],
) -> None:
    for name in BY_THE_CLOCK:
        pod = kustomize.pods(documents)[name]
        (container,) = pod["containers"]
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
        (volume,) = [volume["projected"] for volume in pod["volumes"] if volume["name"] == "passwords"]
        assert mounts["passwords"]["readOnly"] is True
        assert volume["defaultMode"] == 0o440
        assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"], (
            "else nobody but root reads it"
        )
        files = {
            f"{mounts['passwords']['mountPath']}/{item['path']}": (source["secret"]["name"], item["key"])
            for source in volume["sources"]
            for item in source["secret"]["items"]
        }
        variables = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
        assert {variable: files[path] for variable, path in variables.items()} == {
            "B2STREAM_FIRST_PASSWORD_FILE": ("b2stream-first", "password"),
            "B2STREAM_SECOND_PASSWORD_FILE": ("b2stream-second", "password"),
        }
        assert set(variables) <= known_variables()


def test_jobs_by_the_clock_never_overlap_and_run_at_sensible_times(documents: list[Document]) -> None:
    found = {f"{each['kind']} {each['metadata']['name']}": each for each in documents if each["kind"] == "CronJob"}
    assert set(found) == set(BY_THE_CLOCK)
    for document in found.values():
        spec = document["spec"]
        assert spec["concurrencyPolicy"] == "Forbid"
        assert spec["timeZone"] == "Etc/UTC", "days of provenance are UTC's"
        minute, hour, day, month, weekday = spec["schedule"].split()
        assert (day, month) == ("*", "*")
        assert 0 <= int(minute) < 60
        assert 0 <= int(hour) < 24
        assert weekday == "*" or 0 <= int(weekday) < 7
        assert spec["startingDeadlineSeconds"] >= 3600
    starts = {name: tuple(map(int, document["spec"]["schedule"].split()[1::-1])) for name, document in found.items()}
    assert len(set(starts.values())) == len(starts), "not all at once"
    grace_s = 900.0  # of an audit: what is younger may be on its way
    hour, minute = starts["CronJob b2stream-archive-provenance"]
    assert (hour * 60 + minute) * 60 > grace_s, "the day before is over"


def test_what_a_job_found_is_no_reason_to_try_again_but_a_server_that_is_away_is(documents: list[Document]) -> None:
    """Exit codes: 1 a finding, 3 somebody did not answer, 4 wrong configuration."""
    for document in documents:
        if document["kind"] == "CronJob":
            job = document["spec"]["jobTemplate"]["spec"]
            assert job["backoffLimit"] > 0
            assert job["template"]["spec"]["restartPolicy"] == "Never", "a pod failure policy asks for it"
            (codes,) = [rule["onExitCodes"] for rule in job["podFailurePolicy"]["rules"] if "onExitCodes" in rule]
            assert codes["operator"] == "In"
            assert 4 in codes["values"]
            assert (1 in codes["values"]) == (document["metadata"]["name"] != "b2stream-archive-provenance")
            assert not {0, 3} & set(codes["values"])


def test_a_job_that_failed_is_removed_after_a_day_so_that_its_alert_clears(documents: list[Document]) -> None:
    """Whatever history is kept: `kube_job_failed` stays as long as its job. The next night's comes before it goes."""
    jobs = [each["spec"]["jobTemplate"]["spec"] for each in documents if each["kind"] == "CronJob"]
    assert len(jobs) == len(BY_THE_CLOCK)
    for job in jobs:
        assert 86_400 < job["ttlSecondsAfterFinished"] <= 2 * 86_400


def test_an_audit_that_was_stopped_goes_on_from_a_volume(documents: list[Document]) -> None:
    (container,) = kustomize.pods(documents)["CronJob b2stream-audit"]["containers"]
    state = container["args"][container["args"].index("--state") + 1]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    (volume,) = [
        each["persistentVolumeClaim"]["claimName"]
        for each in kustomize.pods(documents)["CronJob b2stream-audit"]["volumes"]
        if each["name"] == mounts[state.rpartition("/")[0]]
    ]
    claims = [each["metadata"]["name"] for each in documents if each["kind"] == "PersistentVolumeClaim"]
    assert claims == [volume]
