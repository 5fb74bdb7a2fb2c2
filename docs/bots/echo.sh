#!/bin/sh
# Says back what it is told while it runs, over TCP: echo.sh PORT TOKENFILE
set -eu
ask() { printf '{"jsonrpc":"2.0","id":%s,"method":"%s","params":%s}\n' "$@"; }

# Strings stay as JSON wrote them, so nothing in them needs to be understood.
string='"\([^"\\]\|\\.\)*"'
said="^{.*\"kind\":\"message\".*\"contactId\":\([0-9]*\),\"mine\":false,\"kind\":\"text\",\"text\":\($string\),.*"
answer='{"jsonrpc":"2.0","id":0,"method":"send","params":{"contact":\1,"text":\2}}'

heard=$(mktemp -u)
mkfifo -m 600 "$heard"
trap 'rm "$heard"' EXIT
{
  ask 1 auth "{\"token\":\"$(cat "$2")\"}"
  ask 2 listen '{}'
  sed -un "s/$said/$answer/p"
} <"$heard" | nc 127.0.0.1 "$1" >"$heard"
