"""Where the Kubernetes manifests lie, and which jobs of theirs run by the clock."""

from tests.unit.deployment.program import REPOSITORY

K8S = REPOSITORY / "k8s"
BASE = K8S / "base"
PRODUCTION = K8S / "overlays" / "production"
ALERTS = K8S / "components" / "alerts"
REGISTRAR = K8S / "components" / "registrar"
BY_THE_CLOCK = {
    "CronJob b2stream-audit": ["audit"],
    "CronJob b2stream-scrub": ["scrub"],
    "CronJob b2stream-archive-provenance": ["archive-provenance"],
}
