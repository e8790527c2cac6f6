#!/bin/sh
# Measures what one would pick instead of the sandbox here: workerd's dynamic workers (npm) and pyeryx (PyPI).
#
#   run.sh              prints lines "figure <name> <value> <unit>"
#
# Installs both with pinned versions into a temporary folder. What cannot be installed or run here is named in a line
# "skipped: <why>"; the exit status is 0 all the same. PYTHON and WORKERD override the interpreter and the binary.
set -u

WORKERD_VERSION=1.20261117.1
PYERYX_VERSION=0.11.0

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

skipped() {
    echo "skipped: $1"
}

last_line() {
    grep -v '^$' "$1" | tail -1
}

load() {
    echo "note: $(date -u '+%Y-%m-%d %H:%M') UTC, load $(cut -d ' ' -f 1-3 /proc/loadavg)"
}

workerd() {
    command -v node >/dev/null || { skipped "workerd: no node"; return; }
    binary=${WORKERD:-}
    if [ -z "$binary" ]; then
        command -v npm >/dev/null || { skipped "workerd: no npm"; return; }
        npm install --prefix "$work/npm" --ignore-scripts --no-audit --no-fund "workerd@$WORKERD_VERSION" \
            >"$work/log" 2>&1 || { skipped "workerd: npm: $(last_line "$work/log")"; return; }
        for found in "$work"/npm/node_modules/@cloudflare/workerd-*/bin/workerd; do binary=$found; done
        [ -x "$binary" ] || { skipped "workerd: the package has no binary for $(uname -sm)"; return; }
    fi
    "$binary" --version >"$work/log" 2>&1 || { skipped "workerd: $(last_line "$work/log")"; return; }
    echo "note: $(last_line "$work/log")"
    node "$here/workerd/measure.mjs" "$binary" 2>"$work/log" || skipped "workerd: $(last_line "$work/log")"
}

# The first interpreter that the package's wheel can be installed for.
pyeryx() {
    : >"$work/log"
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.*/bin/python}; do
        command -v "$python" >/dev/null || continue
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || continue
        rm -rf "$work/venv"
        "$python" -m venv "$work/venv" >"$work/log" 2>&1 || continue
        "$work/venv/bin/pip" install --disable-pip-version-check --only-binary :all: "pyeryx==$PYERYX_VERSION" \
            >"$work/log" 2>&1 || continue
        echo "note: pyeryx $PYERYX_VERSION, $("$work/venv/bin/python" --version)"
        "$work/venv/bin/python" "$here/pyeryx/measure.py" 2>"$work/log" || skipped "pyeryx: $(last_line "$work/log")"
        return
    done
    why=$(last_line "$work/log")
    skipped "pyeryx: ${why:-no Python 3.12 or later, which its wheel needs}"
}

[ -r /proc/loadavg ] || { skipped "all: memory and processor time are read from /proc, which is not here"; exit 0; }
load
workerd
pyeryx
load
