#!/usr/bin/env bash
# Installs what Lacuna needs on Debian 12, Debian 13 and Ubuntu 24.04.
#   scripts/install_dependencies.sh          to build and run
#   scripts/install_dependencies.sh --tests  and to run every test, check and fuzzer
set -euo pipefail

# Boost 1.81 or newer. Debian 12's default is 1.74; its 1.81 has a package of its own.
boost=libboost-dev
if grep -qs 'VERSION_CODENAME=bookworm' /etc/os-release; then boost=libboost1.81-dev; fi

packages=(
  build-essential cmake ninja-build pkg-config ccache ca-certificates
  nlohmann-json3-dev libcli11-dev libsentencepiece-dev libpcre2-dev libutf8proc-dev
  zlib1g-dev "$boost" python3
)
# The grammars are npm packages. An npm that is there already (NodeSource's, nvm's) is good enough;
# Debian's conflicts with it.
command -v npm >/dev/null || packages+=(nodejs npm)
if [ "${1:-}" = --tests ]; then
  packages+=(
    git libgtest-dev libgmock-dev libbenchmark-dev
    clang-19 clang-format-19 clang-tidy-19 libclang-rt-19-dev
    python3-numpy python3-sentencepiece python3-torch
    lua-check patchelf tmux
  )
elif [ $# -gt 0 ]; then
  echo "usage: $0 [--tests]" >&2
  exit 2
fi

if ! command -v apt-get >/dev/null; then
  echo "$0: this is not a Debian or Ubuntu system; install the like of: ${packages[*]}" >&2
  exit 1
fi

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

sudo=()
[ "$(id -u)" -eq 0 ] || sudo=(sudo)
echo "Installing: ${missing[*]}"
"${sudo[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends \
  "${missing[@]}" >/dev/null
