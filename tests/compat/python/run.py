"""Runs the Python suites that are named (all that are installed here) and prints a JSON line a cell.

    run.py [--direct | --engine] [--upstream NAME] [--feature NAME] [MODULE ...]

GATEWAY_URL and MOCK_URL name the servers, API_KEY the client's key. With --direct the SDKs call the mock of their own
dialect: that shows that the mocks are what the SDKs expect.
"""

import argparse
import importlib

import frame

MODULES = ["openai_chat", "openai_responses", "anthropic_messages", "google_genai", "ollama_native", "langchain_chats", "agents"]

parser = argparse.ArgumentParser()
parser.add_argument("--direct", action="store_true")
parser.add_argument("--engine", action="store_true", help="before a real engine, which knows no scenarios")
parser.add_argument("--upstream", action="append")
parser.add_argument("--feature", action="append")
parser.add_argument("modules", nargs="*")
options = parser.parse_args()
for name in options.modules or MODULES:
    for make in importlib.import_module(name).CLIENTS:
        if options.engine:
            frame.run(make, list(frame.ENGINES), ["engine"] if make.features is frame.FEATURES else [], False)
            continue
        upstreams = [make.dialect] if options.direct else options.upstream or list(frame.UPSTREAMS)
        frame.run(make, upstreams, options.feature or list(make.features), options.direct)
