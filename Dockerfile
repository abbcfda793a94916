# The headless agent of one machine. It reads the host through read-only mounts and runs as no user of the host:
#   docker build -t bongsu .
#   docker run --rm --network host --pid host -v /:/host:ro,rslave bongsu
# Then http://127.0.0.1:9420/metrics on the host answers. To be scraped from elsewhere, mount a web config file with TLS or
# basic auth and listen on all addresses:
#   docker run --rm --network host --pid host -v /:/host:ro,rslave -v /etc/bongsu/web.yml:/web.yml:ro bongsu \
#     agent --procfs /host/proc --sysfs /host/sys --rootfs /host --host 0.0.0.0 --web.config.file /web.yml
FROM python:3.13-slim AS build
WORKDIR /src
COPY requirements/all.txt requirements/all.txt
RUN python -m venv /opt/bongsu && /opt/bongsu/bin/pip install --no-cache-dir --require-hashes -r requirements/all.txt
COPY . .
RUN /opt/bongsu/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
COPY --from=build /opt/bongsu /opt/bongsu
ENV PATH=/opt/bongsu/bin:$PATH PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 9420
HEALTHCHECK CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9420/-/healthy', timeout=5)"]
ENTRYPOINT ["bongsu"]
CMD ["agent", "--procfs", "/host/proc", "--sysfs", "/host/sys", "--rootfs", "/host"]
