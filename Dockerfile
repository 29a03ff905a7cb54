# srexp on the processor, with the pinned dependencies. Runs lie in the volume, which outlives the container:
#   docker build -t srexp .
#   docker run --rm -v srexp:/runs srexp +debug=fast
#   docker run --rm -v srexp:/runs -v "$PWD/scans:/scans:ro" srexp data dataset=folder dataset.root=/scans
#   docker run --rm -v srexp:/runs -p 127.0.0.1:5000:5000 srexp ui host=0.0.0.0
FROM python:3.13-slim AS build
WORKDIR /source
RUN pip install --no-cache-dir uv && uv venv /opt/srexp
COPY requirements.txt pyproject.toml README.md LICENSE ./
COPY conf conf
COPY sweeps sweeps
COPY srexp srexp
RUN uv pip install --python /opt/srexp/bin/python --no-cache --compile-bytecode --constraint requirements.txt .

FROM python:3.13-slim
COPY --from=build /opt/srexp /opt/srexp
ENV PATH=/opt/srexp/bin:$PATH HOME=/runs SREXP_ROOT=/runs PYTHONUNBUFFERED=1
RUN useradd --uid 1000 srexp && mkdir /runs && chown srexp /runs
USER srexp
WORKDIR /runs
VOLUME /runs
ENTRYPOINT ["srexp"]
CMD ["--help"]
