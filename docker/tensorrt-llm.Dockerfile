# NVIDIA's TensorRT-LLM image with pytest-llem, for --llem-isolation=container.
#
#   podman build -f docker/tensorrt-llm.Dockerfile -t pytest-llem/tensorrt-llm .
#
# Pin it with --build-arg BASE=nvcr.io/nvidia/tensorrt-llm/release:<version>. It has Python 3.12.
ARG BASE=nvcr.io/nvidia/tensorrt-llm/release:1.2.1
FROM ${BASE}
COPY . /usr/src/pytest-llem
RUN python3 -m pip install --no-cache-dir /usr/src/pytest-llem
ENTRYPOINT []
CMD ["/bin/bash"]
