#!/usr/bin/env bash
# Installs what is missing from Debian, where it may, and starts no service:
#     components.sh venv browser redis postgresql mariadb memcached
set -euo pipefail

# Where servers are, which only root has on its path.
export PATH=$PATH:/usr/sbin:/sbin

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
        redis)
            command -v redis-server >/dev/null || missing+=(redis-server)
            ;;
        postgresql)
            # Debian has each version beside the others, and none on the path.
            compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
            ;;
        mariadb)
            command -v mariadb-install-db >/dev/null && command -v mariadbd >/dev/null || missing+=(mariadb-server-core)
            # Of the client, mariadb-install-db needs a part.
            command -v my_print_defaults >/dev/null || missing+=(mariadb-client-core)
            ;;
        memcached)
            command -v memcached >/dev/null || missing+=(memcached)
            ;;
        *)
            echo "There is no component $component" >&2
            exit 2
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
[ ${#known[@]} -gt 0 ] || exit 0

# The tests start servers of their own. What Debian asks before it starts a service, and whether to make a
# database in /var/lib, is answered with no; afterwards both are as they were.
policy=/usr/sbin/policy-rc.d clusters=/etc/postgresql-common/createcluster.conf
restore() {
    [ -z "${wrote_policy:-}" ] || rm -f "$policy"
    [ ! -e "$clusters.before" ] || mv "$clusters.before" "$clusters"
}
trap restore EXIT
if [ ! -e "$policy" ]; then
    wrote_policy=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
install=(apt-get install -qq -y --no-install-recommends)
if [[ " ${known[*]} " == *' postgresql '* ]]; then
    # Its part that is the same for all versions has the question.
    "${install[@]}" postgresql-common >/dev/null
    cp -p "$clusters" "$clusters.before"
    echo 'create_main_cluster = false' >>"$clusters"
fi
"${install[@]}" "${known[@]}" >/dev/null
