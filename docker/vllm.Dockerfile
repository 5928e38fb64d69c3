# vLLM's own image with pytest-llem, for --llem-isolation=container.
#
#   podman build -f docker/vllm.Dockerfile -t pytest-llem/vllm .
#
# Pin vLLM with --build-arg BASE=docker.io/vllm/vllm-openai:<version>. What it brings stays as it is:
# pytest-llem is added without the extra that would choose another version.
ARG BASE=docker.io/vllm/vllm-openai:latest
FROM ${BASE}
COPY . /usr/src/pytest-llem
RUN python3 -m pip install --no-cache-dir /usr/src/pytest-llem
# The base starts a server; the launcher names its own entry point, other users get a shell.
ENTRYPOINT []
CMD ["/bin/bash"]
