#!/usr/bin/env bash
# Lists the CPythons of this machine that coatcheck runs on, oldest first, one for each minor version:
#     3.12 /usr/bin/python3.12
set -euo pipefail

# A name proves nothing: Debian has a python3 that cannot make a virtual environment. What runs this counts.
probe='
import platform, sys, sysconfig
import ensurepip, ssl, venv
final = sys.version_info >= (3, 11) and sys.version_info.releaselevel == "final"
# The dependencies have no wheels for other implementations or the free-threaded build.
usual = platform.python_implementation() == "CPython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
if final and usual:
    print("{}.{}".format(*sys.version_info), sys.executable)
'
pyenv=${PYENV_ROOT:-${HOME:-}/.pyenv}

candidates() {
    # The shims of pyenv are slow, and fail for versions that are not active; its versions are looked at themselves.
    { type -ap python3 python3.{11..15} || true; } | { grep -vF "$pyenv/shims/" || true; }
    ls -d "$pyenv"/versions/*/bin/python3 2>/dev/null || true
}

found=$(
    # Several names of one file are one Python.
    candidates | xargs -r -n 1 readlink -f | awk '!seen[$0]++' | while read -r python; do
        "$python" -c "$probe" 2>/dev/null </dev/null || true
    done
)
if [ -z "$found" ]; then
    echo "No CPython 3.11 or later that can make virtual environments. On Debian: apt-get install python3-venv" >&2
    exit 1
fi
awk '!seen[$1]++' <<<"$found" | sort -V
