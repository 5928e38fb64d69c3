#!/usr/bin/env bash
# Tests look at the HTML report in a browser: installs Chromium where root may, else they are skipped.
set -euo pipefail

present() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
} >/dev/null

present && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "No Chromium: installing chromium with apt-get."
    apt-get update -qq &&
        DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends chromium || true
    present && exit
fi
echo "There is no Chromium, so tests in a browser are skipped."
