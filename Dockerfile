# The gateway as an image: no compiler, no pip, no root, nothing written outside /data.
# Its configuration is mounted at /etc/throughline; docs/running.md says how.

FROM python:3.11-slim-bookworm AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /build
# What changes seldom comes first, so that a change of ours installs nothing again.
COPY requirements-build.lock requirements-runtime.lock ./
RUN python -m venv /opt/build && \
    /opt/build/bin/python -m pip install --require-hashes --only-binary :all: -r requirements-build.lock
RUN python -m venv /opt/throughline && \
    /opt/throughline/bin/python -m pip install --require-hashes --only-binary :all: -r requirements-runtime.lock
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY gateway gateway
COPY adapters adapters
COPY policies policies
RUN /opt/build/bin/python -m hatchling build -t wheel -d /dist && \
    /opt/throughline/bin/python -m pip install --no-deps --no-index /dist/*.whl && \
    /opt/throughline/bin/python -m pip check && \
    /opt/throughline/bin/python -m pip uninstall --yes setuptools pip

FROM python:3.11-slim-bookworm
# A number, so that what runs the image can see that it is not root.
RUN groupadd --gid 10001 throughline && \
    useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /data --shell /usr/sbin/nologin throughline && \
    install -d -o 10001 -g 10001 -m 0750 /data
COPY --from=builder /opt/throughline /opt/throughline
# Inside, 127.0.0.1 is nobody's: listen to all, and publish the port where it is wanted.
ENV PATH=/opt/throughline/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    THROUGHLINE_HTTP__HOST=0.0.0.0
WORKDIR /data
VOLUME /data
EXPOSE 8000
USER 10001:10001
# Whether the process turns. A store that is away is /readyz's business: a restart mends nothing.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as request; request.build_opener(request.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ.get('THROUGHLINE_HTTP__PORT', 8000)}/livez\", timeout=4)"]
ENTRYPOINT ["throughline"]
CMD ["serve", "--config", "/etc/throughline/throughline.toml"]
