# syntax=docker/dockerfile:1
# One target per role: `docker build --target diffusion .`
# Roles that run models are based on `gpu`, which has PyTorch; the others on `slim`, without it.

# Another registry's copy of the base: --build-arg BASE=registry.example/python:3.11-slim-bookworm
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE} AS base
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --uid 10001 --create-home factory \
    && install --directory --owner=factory /data
WORKDIR /app

# Libraries before code, so that a code change does not reinstall them: the requirements are
# installed with an empty package of the project's name, which the wheel replaces later.
FROM base AS slim-libraries
COPY pyproject.toml LICENSE requirements.txt ./
RUN touch README.md && pip install --constraint requirements.txt ".[export,heic,postgres,s3,table]"

FROM slim-libraries AS gpu-libraries
RUN pip install --constraint requirements.txt ".[gpu,vision]"

FROM base AS wheel
COPY . .
RUN pip wheel --no-deps --wheel-dir /wheels .

# Runs in the volume, so that relative paths of weights and other files work.
FROM slim-libraries AS slim
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-deps --force-reinstall /wheels/*.whl
USER 10001
WORKDIR /data
ENV FACTORY_DATA_DIR=/data
ENTRYPOINT ["factory"]
CMD ["--help"]

FROM gpu-libraries AS gpu
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip install --no-deps --force-reinstall /wheels/*.whl
USER 10001
WORKDIR /data
ENV FACTORY_DATA_DIR=/data \
    HF_HOME=/data/huggingface \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
ENTRYPOINT ["factory"]

# A worker's heartbeat continues while a step runs; downloading and loading models takes minutes.

FROM slim AS language
CMD ["worker", "language"]
HEALTHCHECK --interval=30s --timeout=20s --start-period=15m --start-interval=5s \
    CMD ["factory", "worker", "language", "--probe"]

FROM gpu AS diffusion
CMD ["worker", "diffusion"]
HEALTHCHECK --interval=30s --timeout=20s --start-period=15m --start-interval=5s \
    CMD ["factory", "worker", "diffusion", "--probe"]

FROM gpu AS editing
CMD ["worker", "editing"]
HEALTHCHECK --interval=30s --timeout=20s --start-period=15m --start-interval=5s \
    CMD ["factory", "worker", "editing", "--probe"]

FROM gpu AS labeling
CMD ["worker", "labeling"]
HEALTHCHECK --interval=30s --timeout=20s --start-period=15m --start-interval=5s \
    CMD ["factory", "worker", "labeling", "--probe"]

FROM gpu AS scoring
CMD ["worker", "scoring"]
HEALTHCHECK --interval=30s --timeout=20s --start-period=15m --start-interval=5s \
    CMD ["factory", "worker", "scoring", "--probe"]

FROM slim AS dispatcher
CMD ["dispatch"]
HEALTHCHECK --interval=30s --timeout=20s --start-period=2m --start-interval=5s \
    CMD ["factory", "dispatch", "--probe"]

FROM slim AS migrate
CMD ["migrate"]

FROM slim AS submit
ENTRYPOINT ["factory", "submit"]

# All other commands without a model: status, query, export, ...
FROM slim AS factory

# Their ports are open inside the container's network; publishing a port decides who has access.
FROM slim AS flower
CMD ["flower", "--host", "0.0.0.0"]
EXPOSE 5555
HEALTHCHECK --interval=30s --timeout=20s --start-period=1m --start-interval=5s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:5555/healthcheck')"]

FROM slim AS gallery
CMD ["gallery", "--host", "0.0.0.0"]
EXPOSE 8484
HEALTHCHECK --interval=30s --timeout=20s --start-period=1m --start-interval=5s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8484/static/gallery.css')"]

FROM slim AS metrics
CMD ["metrics", "--host", "0.0.0.0"]
EXPOSE 9478
HEALTHCHECK --interval=30s --timeout=20s --start-period=1m --start-interval=5s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9478/healthy')"]

# Default of `docker build .`: one container for all roles.
FROM gpu AS all
CMD ["worker", "all"]
HEALTHCHECK --interval=30s --timeout=20s --start-period=15m --start-interval=5s \
    CMD ["factory", "worker", "all", "--probe"]
