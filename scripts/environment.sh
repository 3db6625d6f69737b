#!/usr/bin/env bash
# Makes a virtual environment with coatcheck, Flask and groups of pyproject.toml, unless it is there already:
#     environment.sh .venv newest
#     environment.sh .venv-3.12 /usr/bin/python3.12 test
set -euo pipefail

folder=$1 python=$2
shift 2
case $python in
    newest) python=$(scripts/interpreters.sh | tail -n 1 | cut -d ' ' -f 2-) ;;
    oldest) python=$(scripts/interpreters.sh | head -n 1 | cut -d ' ' -f 2-) ;;
esac

# What it was made of, the place too: an environment that was moved runs the code of its old place.
made_of="$PWD $python $* $(cksum <pyproject.toml)"
stamp=$folder/made_of
if [ "$(cat "$stamp" 2>/dev/null)" = "$made_of" ] && "$folder/bin/python" -c 'import coatcheck' 2>/dev/null; then
    exit 0
fi
echo "Making $folder with $python"
"$python" -m venv --clear "$folder"
install=("$folder/bin/python" -m pip install -qq --disable-pip-version-check)
# Groups (PEP 735) need pip 25.1.
"${install[@]}" --upgrade 'pip>=25.1'
"${install[@]}" --editable '.[flask]' "${@/#/--group=}"
echo "$made_of" >"$stamp"
