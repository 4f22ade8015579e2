#!/bin/sh
# Holds the running service against its own OpenAPI document: makes a Python environment with the
# pinned schemathesis under target/tools, builds alta, and hands over to schemathesis/run.py.
# `SECONDS_PER_CALLER=60 scripts/schemathesis.sh` for a shorter or longer run.
set -eu
cd "$(dirname "$0")/.."

target=${CARGO_TARGET_DIR:-target}
tools=$target/tools/schemathesis
wanted=scripts/schemathesis/requirements.txt

# A python3 of Debian alone cannot make environments.
if ! python3 -c 'import ensurepip, venv' >/dev/null 2>&1; then
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "schemathesis: install python3 with venv and try again" >&2
        exit 1
    fi
    as_root=""
    [ "$(id -u)" -eq 0 ] || as_root=sudo
    echo "schemathesis: installing python3-venv, which makes the environment that it runs in"
    $as_root apt-get update -qq
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        python3 python3-venv
fi
if ! cmp -s "$wanted" "$tools/installed.txt"; then
    rm -rf "$tools"
    python3 -m venv "$tools"
    "$tools/bin/pip" install --quiet --disable-pip-version-check --no-deps -r "$wanted"
    cp "$wanted" "$tools/installed.txt"
fi

# With its tests, as `make test` builds it: dependencies are not compiled another time for it.
cargo build -p alta --all-targets
exec "$tools/bin/python" scripts/schemathesis/run.py "$target/debug/alta" "$tools/bin/st" "$@"
