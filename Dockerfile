# One image for every program: `docker run b2stream gateway | processor | replicator | registrar | topics create | …`.
# For linux/amd64: Faust has no wheel for other processors. Everything installed comes from requirements.lock, with hashes.

FROM python:3.12-slim AS build
WORKDIR /source

# Each file is compared with its hash while it is fetched; from here on pip sees this folder and no index.
COPY requirements.lock .
RUN pip download --no-cache-dir --require-hashes --only-binary :all: --requirement requirements.lock --dest /wheels

COPY pyproject.toml hatch_build.py README.md CHANGELOG.md LICENSE ./
COPY schemas schemas
COPY services services
# Provenance names the software with its commit: docker build --build-arg SOURCE_COMMIT=$(git rev-parse HEAD) .
ARG SOURCE_COMMIT=""
RUN pip install --no-cache-dir --no-index --find-links /wheels hatchling \
 && pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
 && python -m venv --without-pip /opt/b2stream \
 && pip --python /opt/b2stream/bin/python install --no-index --find-links /wheels 'b2stream[gateway,processor,registrar,replicator]'

# The embedded zones are for laptops and tests; production does not contain them.
RUN rm -r /opt/b2stream/lib/python3*/site-packages/b2stream/sandbox \
 && /opt/b2stream/bin/python -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('b2stream.sandbox') is not None)"


FROM python:3.12-slim
LABEL org.opencontainers.image.title="b2stream" \
      org.opencontainers.image.description="Carries station measurements through Kafka into EUDAT B2SAFE" \
      org.opencontainers.image.licenses="Apache-2.0"

# A numeric user: Kubernetes cannot see of a name that it is not root.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/b2stream --shell /usr/sbin/nologin b2stream \
 && install --directory --owner=10001 --group=10001 --mode=0750 /var/lib/b2stream
COPY --from=build /opt/b2stream /opt/b2stream

# The root file system may be read-only: programs write to /var/lib/b2stream (spool, journal) and /tmp.
ENV PATH=/opt/b2stream/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    B2STREAM_GENERAL_LOG_FORMAT=json \
    B2STREAM_MONITORING_HOST=0.0.0.0 \
    B2STREAM_MONITORING_PORT=8080
USER 10001:10001
WORKDIR /var/lib/b2stream
EXPOSE 8080
STOPSIGNAL SIGTERM

# Also while a program waits for Kafka its pages say that it lives, and /readyz why it does not work yet.
HEALTHCHECK --interval=15s --timeout=5s --start-period=1m --retries=4 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['B2STREAM_MONITORING_PORT'] + '/healthz', timeout=4)"]

ENTRYPOINT ["b2stream"]
CMD ["--help"]
