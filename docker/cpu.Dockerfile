# Prediction, and small trainings, on a CPU. From the root of the clone:
#   docker build -f docker/cpu.Dockerfile -t mmvideomamba:cpu .
ARG PYTHON=3.11
FROM python:${PYTHON}-slim-bookworm

# The index with the CPU build of PyTorch. The build of PyPI is for CUDA, and
# works without a GPU as well, at several times the size.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ARG TORCH=2.14.1
ARG TORCHVISION=0.29.1
# Extras of setup.cfg, with commas between; '' for none.
ARG EXTRAS=quickstart,demo,parquet

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore \
    PYTHONUNBUFFERED=1

# OpenCV loads libGL and GLib; torchcodec loads the libraries of FFmpeg.
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# hadolint ignore=DL3008
RUN packages=(libgl1 libglib2.0-0) \
    && if [[ ",$EXTRAS," == *,torchcodec,* ]]; then packages+=(ffmpeg); fi \
    && apt-get update \
    && apt-get install -y --no-install-recommends "${packages[@]}" \
    && rm -rf /var/lib/apt/lists/*

# mmengine and mim need pkg_resources at run time.
RUN python3 -m pip install 'setuptools>=77.0.3,<82' \
    && python3 -m pip install --index-url "$TORCH_INDEX" "torch==$TORCH" \
        "torchvision==$TORCHVISION"

# Requirements stay in their layer until setup.cfg or the version changes.
WORKDIR /opt/mmvideomamba
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY mmvideomamba/version.py mmvideomamba/
# hadolint ignore=DL3013
RUN python3 -m pip install ".${EXTRAS:+[$EXTRAS]}"

COPY . .
RUN python3 -m pip install --no-deps . \
    && rm -rf build

# Any user of the host, by --user, finds a home for caches and a place to work.
RUN useradd --no-create-home --home-dir /home/mamba --uid 10001 mamba \
    && install -d -m 1777 /home/mamba /workspace
ENV HOME=/home/mamba \
    USER=mamba
USER 10001:10001
WORKDIR /workspace

ENTRYPOINT ["mmvideomamba"]
CMD ["--help"]
