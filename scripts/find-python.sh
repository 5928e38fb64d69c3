#!/usr/bin/env bash
# Prints the interpreter to make .venv with: the one PYTHON names, else the one .venv was made
# with, else the first new enough on PATH. An environment's own python stands for its base.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

base_of() {
    "$1" -c 'import sys
if sys.version_info < (3, 11): sys.exit(1)
print(getattr(sys, "_base_executable", sys.executable))' 2>/dev/null
}

if [ -n "${PYTHON:-}" ]; then
    base_of "$PYTHON" && exit
    echo "PYTHON=$PYTHON does not start a Python 3.11 or newer. Name one that does, or unset it." >&2
    exit 1
fi
for candidate in .venv/bin/python python3 python3.14 python3.13 python3.12 python3.11; do
    base_of "$candidate" && exit
done
echo "No Python 3.11 or newer on PATH. Install one, or name it: PYTHON=/path/to/python3 make ..." >&2
exit 1
