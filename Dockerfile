# The headless agent of one machine, with all that reads GPUs (NVIDIA's driver stays on the host) and asks the kubelet.
# It reads the host through read-only mounts and runs as no user of it:
#   docker build -t bongsu .
#   docker run --rm --network host --pid host -v /:/host:ro,rslave bongsu
# Then http://127.0.0.1:9420/metrics on the host answers. With NVIDIA's container toolkit on the host it reads GPUs too:
#   docker run --rm --network host --pid host -v /:/host:ro,rslave --gpus all,capabilities=utility bongsu
# To be scraped from elsewhere, mount a web config file with TLS or basic auth and listen on all addresses:
#   docker run --rm --network host --pid host -v /:/host:ro,rslave -v /etc/bongsu/web.yml:/web.yml:ro bongsu \
#     agent --procfs /host/proc --sysfs /host/sys --rootfs /host --host 0.0.0.0 --web.config.file /web.yml
# In Kubernetes: `bongsu render helm`, docs/kubernetes.md.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/bongsu
COPY requirements/image.txt requirements/
RUN /opt/bongsu/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
# What installs is not needed where nothing is installed any more.
RUN /opt/bongsu/bin/pip install --no-cache-dir --no-deps --no-build-isolation . && /opt/bongsu/bin/pip uninstall -y flit_core pip

FROM python:3.13-slim
LABEL org.opencontainers.image.title="bongsu" \
      org.opencontainers.image.description="GPU, process and host readings of one machine for Prometheus" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/bongsu /opt/bongsu
ENV PATH=/opt/bongsu/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
EXPOSE 9420
# Any answer tells that it lives, also one that asks for a password; a hung one gives none. With TLS give a --health-cmd.
HEALTHCHECK --interval=60s --timeout=10s --start-period=30s CMD ["python", "-c", "import http.client; c = http.client.HTTPConnection('127.0.0.1', 9420, timeout=8); c.request('GET', '/-/healthy'); c.getresponse()"]
ENTRYPOINT ["bongsu"]
CMD ["agent", "--procfs", "/host/proc", "--sysfs", "/host/sys", "--rootfs", "/host"]
