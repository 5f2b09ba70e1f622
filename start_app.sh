#!/usr/bin/env bash
# Opens the web page on port 7860: bash start_app.sh [options of 'ocrtune ui', such as --folder DATA --host 0.0.0.0]
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
[ -e "$here/.venv/.installed-page" ] || echo "installing the web page into $here/.venv (once, some minutes)"
make --no-print-directory -C "$here" page
exec "$here/.venv/bin/ocrtune" ui --port 7860 "$@"
