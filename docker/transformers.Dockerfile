# transformers with pytest-llem, for --llem-isolation=container.
#
#   podman build -f docker/transformers.Dockerfile -t pytest-llem/transformers .
#
# The image has to hold the same version of pytest-llem as the pytest that starts it: build it from
# the checkout that you use. torch brings its own CUDA libraries; the driver comes from the host.
ARG BASE=docker.io/library/python:3.12-slim
FROM ${BASE}
# torch.compile builds kernels with the system's compiler.
RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends gcc g++ libc6-dev \
    && rm -rf /var/lib/apt/lists/*
COPY . /usr/src/pytest-llem
RUN python3 -m pip install --no-cache-dir "/usr/src/pytest-llem[transformers]"
