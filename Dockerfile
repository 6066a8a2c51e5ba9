# The worker's image: two stages on one base, no compiler, no package manager's cache, no root.
# Build: docker build -t retention-worker .
# Another base with Python 3.11 or newer: --build-arg BASE=...
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# Without pip in it: the image's pip installs into it from outside.
RUN python3 -m venv --without-pip /opt/retention-worker
# What changes seldom comes first. Every file that is installed has to match its recorded hash.
COPY requirements.lock constraints.txt ./
RUN python3 -m pip --python /opt/retention-worker/bin/python3 install \
      --require-hashes --only-binary :all: --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY retention_worker/ retention_worker/
# The build backend is pinned too; which of the two names counts depends on pip's version.
RUN PIP_CONSTRAINT=/build/constraints.txt PIP_BUILD_CONSTRAINT=/build/constraints.txt \
      python3 -m pip --python /opt/retention-worker/bin/python3 install --no-deps .

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="retention-worker" \
      org.opencontainers.image.description="Erases credentials that are past their tenant's retention period, and proves it" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# A name for the number, so that records of who did something can give one.
RUN useradd --no-log-init --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
      --user-group --uid 10001 retention
COPY --from=build /opt/retention-worker /opt/retention-worker
# Nothing is written to the root file system (`--read-only` works); a scratch file would go to /tmp.
ENV PATH=/opt/retention-worker/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RETENTION_CONFIG_DIR=/etc/retention-worker \
    RETENTION_HEALTH_HOST=0.0.0.0 \
    RETENTION_HEALTH_PORT=8081 \
    RETENTION_WEB_HOST=0.0.0.0 \
    RETENTION_WEB_PORT=8080
WORKDIR /
# Numeric, so that an orchestrator can see that it is not root.
USER 10001:10001
# /health and /metrics of `run`; the API and the portal of `serve`.
EXPOSE 8081 8080
# Of whichever of the two the container runs.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python3", "-m", "retention_worker.healthcheck"]
# The worker ends after the batch in hand.
STOPSIGNAL SIGTERM
ENTRYPOINT ["retention-worker"]
CMD ["run"]
