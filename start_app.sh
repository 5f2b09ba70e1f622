#!/usr/bin/env bash
# Opens the web page on port 7860, once there is one.
set -euo pipefail
echo "start_app.sh: the web page is not part of this version yet; it comes with the 'ocrtune ui' verb." >&2
echo "  to do: use the command line: make demo, then .venv/bin/ocrtune predict demo_out/adapted/bundle IMAGE --draw drawn" >&2
exit 3
