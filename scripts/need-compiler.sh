#!/usr/bin/env bash
# Tests compile a stand-in for NVIDIA's management library: sees to it that there is a compiler.
set -euo pipefail

compiles() {
    cc -x c - -o /dev/null <<<'int main(void) { return 0; }' 2>/dev/null
}

compiles && exit
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "No C compiler (cc): installing gcc with apt-get."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends gcc libc6-dev
    compiles && exit
fi
echo "The tests need a C compiler called cc. Install one and try again:" >&2
echo "  Debian, Ubuntu: apt-get install gcc libc6-dev; Fedora: dnf install gcc; Alpine: apk add gcc musl-dev" >&2
exit 1
