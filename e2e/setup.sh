#!/usr/bin/env bash
# Installs the packages for JavaScript and Python that the tests use, in this folder and, for LangChain, in
# examples/clients/langchain. What has no runtime on this machine is left out, and its test skips itself.
set -euo pipefail
cd "$(dirname "$0")"

if command -v npm >/dev/null; then
  npm ci --prefix node --no-audit --no-fund
  npm ci --prefix browser --no-audit --no-fund
else
  echo "npm is not installed: TestNode and TestDashboard will be skipped"
fi

if python3 -c 'import venv, ensurepip' 2>/dev/null; then
  python3 -m venv python/.venv
  python/.venv/bin/python -m pip install --quiet --requirement python/requirements.txt
  # For the test of examples/clients/langchain, apart: it comes with a version of openai of its own choice.
  langchain=../examples/clients/langchain
  python3 -m venv "$langchain/.venv"
  "$langchain/.venv/bin/python" -m pip install --quiet --requirement "$langchain/requirements.txt"
else
  echo "python3 with venv is not installed: TestPython will be skipped"
fi
