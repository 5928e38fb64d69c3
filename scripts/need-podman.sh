#!/usr/bin/env bash
# Tests start real containers where there is podman: installs it where root may, else they are skipped.
set -euo pipefail

command -v podman >/dev/null && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "No podman: installing podman and runc with apt-get."
    apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends podman runc || true
    command -v podman >/dev/null && exit
fi
echo "There is no podman, so tests with containers are skipped."
