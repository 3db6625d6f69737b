#!/usr/bin/env bash
# Installs what is missing from Debian, where it may:
#     components.sh venv browser
set -euo pipefail

missing=()
for component; do
    case $component in
        venv)
            # The python3 of Debian leaves ensurepip to another package.
            if command -v /usr/bin/python3 >/dev/null && ! /usr/bin/python3 -c 'import ensurepip' 2>/dev/null; then
                missing+=(python3-venv)
            fi
            ;;
        browser)
            command -v chromium >/dev/null || missing+=(chromium)
            command -v chromedriver >/dev/null || missing+=(chromium-driver)
            # Pages in Chinese: without a font the browser draws boxes.
            if ! fc-list :lang=zh 2>/dev/null | grep -q . && [ ! -e /usr/share/fonts/truetype/wqy ]; then
                missing+=(fonts-wqy-microhei)
            fi
            ;;
    esac
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing, and only root can install it (apt-get install, on Debian): ${missing[*]}" >&2
    exit 0
fi
echo "Installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
for package in "${missing[@]}"; do
    # Ubuntu has no chromium outside of snap.
    apt-cache show "$package" >/dev/null 2>&1 || echo "This system has no package $package; put it on PATH yourself." >&2
done
mapfile -t known < <(apt-cache show --no-all-versions "${missing[@]}" 2>/dev/null | sed -n 's/^Package: //p')
[ ${#known[@]} -eq 0 ] || apt-get install -qq -y --no-install-recommends "${known[@]}" >/dev/null
