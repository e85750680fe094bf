#!/usr/bin/env bash
# Unpacks the Neovim of a Debian suite, with its own C library, under a folder; installs nothing.
#   scripts/get_neovim.sh SUITE FOLDER     prints the path of the program
# Needs Debian's apt, dpkg and keyring, and patchelf. The mirror is the one that this machine uses.
set -euo pipefail
suite=$1
mkdir -p "$2"
folder=$(realpath "$2")
if [ -x "$folder/nvim" ]; then
  echo "$folder/nvim"
  exit
fi

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
[ -n "$mirror" ] || mirror=$(awk '$1 == "deb" {for (i = 2; i <= NF; i++) if ($i ~ /debian\/?$/) {print $i; exit}}' \
  /etc/apt/sources.list 2>/dev/null || true)
if [ ! -r "$keyring" ] || [ -z "$mirror" ] || ! command -v patchelf >/dev/null; then
  echo "$0: needs a Debian system with its keyring and a mirror, and patchelf" >&2
  exit 1
fi

apt=$folder/.apt
mkdir -p "$apt"/{lists/partial,archives/partial}
: >"$apt/status"
echo "deb [signed-by=$keyring] $mirror $suite main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list"; Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null"; Dir::Etc::preferencesparts "/dev/null";
Dir::State "$apt"; Dir::State::lists "$apt/lists"; Dir::State::status "$apt/status";
Dir::Cache "$apt"; Dir::Cache::archives "$apt/archives";
APT::Sandbox::User "root"; Debug::NoLocking "1"; Acquire::Languages "none";
CONF
export APT_CONFIG=$apt/apt.conf
apt-get -qq update >&2
apt-get -qq install -y --no-install-recommends --download-only neovim >&2
for package in "$apt"/archives/*.deb; do dpkg -x "$package" "$folder"; done
rm -rf "$apt"

# The program starts a copy of itself, so it has to find its libraries without a wrapper.
libraries=$folder/usr/lib/$(dpkg-architecture -q DEB_HOST_MULTIARCH 2>/dev/null || echo x86_64-linux-gnu)
loader=$(find "$folder" -name 'ld-linux-*.so.*' | head -1)
patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$folder/usr/bin/nvim"
cat >"$folder/nvim" <<WRAPPER
#!/bin/sh
VIMRUNTIME=$folder/usr/share/nvim/runtime LUA_CPATH="$libraries/lua/5.1/?.so;;" \\
  LUA_PATH="$folder/usr/share/lua/5.1/?.lua;;" exec $folder/usr/bin/nvim "\$@"
WRAPPER
chmod +x "$folder/nvim"
echo "$folder/nvim"
