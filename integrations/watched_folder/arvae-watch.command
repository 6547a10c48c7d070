#!/bin/sh
# Edits every MIDI file that a DAW exports into ~/arvae/in and writes the result into ~/arvae/out, until Ctrl-C.
# Options of `arvae edit` may follow; without any, the melody gets one more note a measure. For macOS and Linux.
set -e
folder="${ARVAE_FOLDER:-$HOME/arvae}"
mkdir -p "$folder/in" "$folder/out"
[ $# -gt 0 ] || set -- --density +1notes
exec arvae edit "$folder/in" --watch -o "$folder/out/" "$@"
