"""Runs the Python SDK cases against the server that the environment names (see `suite.py`).

    run.py [MODULE ...]      all modules, or only these
"""

import importlib
import sys

import suite

MODULES = ["chat", "streaming", "tools", "structured", "embeddings", "models", "errors", "headers", "media", "files", "other"]

for name in sys.argv[1:] or MODULES:
    importlib.import_module(name)
sys.exit(0 if suite.run_all() else 1)
