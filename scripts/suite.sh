#!/usr/bin/env bash
# Runs the tests on every CPython of this machine. Two variables narrow it:
#     PYTHONS="3.11 3.13" ARGS="tests/core -k codec" scripts/suite.sh
set -euo pipefail

scripts/components.sh venv browser redis postgresql mariadb memcached
interpreters=$(scripts/interpreters.sh)
eval "args=(${ARGS:-})"
for version in ${PYTHONS:-$(cut -d ' ' -f 1 <<<"$interpreters")}; do
    if ! python=$(grep "^${version//./\\.} " <<<"$interpreters"); then
        printf 'There is no CPython %s here, but there is\n%s\n' "$version" "$interpreters" >&2
        exit 1
    fi
    scripts/environment.sh ".venv-$version" "${python#* }" test
    # For the option --no-skips; pytest loads it before it reads the path in pyproject.toml.
    PYTHONPATH=$PWD/tests ".venv-$version/bin/python" -m pytest -p strict_skips "${args[@]}"
    # A browser does not care which Python serves it, nor does a server that is killed: the first will do.
    args+=(--ignore=tests/browser --ignore=tests/faults)
done
