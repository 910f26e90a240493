#!/usr/bin/env bash
# litellm 1.110.2: `num_retries=2` sends up to five requests, and repeats what a server refused for good.
#
# Guess: `num_retries=2` means at most three requests, for errors that may pass. A wrong key, a name of no model and a prompt
#   that is refused (401, 404, 400) are asked once, as by the openai package, which litellm calls, and by litellm's Router.
# What happens: the first try has the openai client's own two retries, then litellm tries two more times: five requests for
#   a 429 or a 503. Errors that cannot pass are repeated too: three requests for a 400, 401 or 404, at once and without a
#   pause. The Router, with the same number, sends three and one. `max_retries=2` is the option that acts as one expects.
# What a user meets: a run over thousands of prompts gets a limit of requests from the provider that it seems to respect, and
#   a prompt that a filter refuses is counted against the account three times. The error at the end is the same.
# What to do: set `max_retries`, which is passed to the client, and leave `num_retries` alone. Decision here: for language
#   models the openai client alone repeats a request, and only after errors that may pass.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq litellm==1.110.2 openai==3.3.0 tenacity==9.2.1

export LITELLM_LOCAL_MODEL_COST_MAP=True
cat >"$folder/ask.py" <<'PYTHON'
import contextlib
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import litellm
import openai

litellm.suppress_debug_info = True
QUESTION = [{"role": "user", "content": "a fox"}]
seen = []


class Refusing(BaseHTTPRequestHandler):
    """Answer each request with the status that its path begins with."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        seen.append(self.path)
        body = json.dumps({"error": {"message": "no", "type": "an_error"}}).encode()
        self.send_response(int(self.path.split("/")[1]))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Print nothing."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
threading.Thread(target=server.serve_forever, daemon=True).start()


def by_openai(url, retries):
    client = openai.OpenAI(base_url=url, api_key="k", max_retries=retries)
    client.chat.completions.create(model="m", messages=QUESTION)


def by_litellm(url, retries, option="num_retries"):
    litellm.completion(model="openai/m", api_base=url, api_key="k", messages=QUESTION, **{option: retries})


def by_max_retries(url, retries):
    by_litellm(url, retries, "max_retries")


def by_router(url, retries):
    model = {"model_name": "m", "litellm_params": {"model": "openai/m", "api_base": url, "api_key": "k"}}
    litellm.Router(model_list=[model], num_retries=retries).completion(model="m", messages=QUESTION)


found = {}
for ask in (by_openai, by_router, by_max_retries, by_litellm):
    found[ask.__name__] = counts = {}
    for status in (400, 401, 404, 429, 503):
        seen.clear()
        with contextlib.suppress(openai.APIError):
            ask(f"http://127.0.0.1:{server.server_port}/{status}", 2)
        counts[status] = len(seen)
    print(f"{ask.__name__}: requests by status {counts}", flush=True)
passes, final = (429, 503), (400, 401, 404)
as_expected = dict.fromkeys(final, 1) | dict.fromkeys(passes, 3)
if any(found[name] != as_expected for name in ("by_openai", "by_router", "by_max_retries")):
    sys.exit("changed: the ways that count once")
if found["by_litellm"] != dict.fromkeys(final, 3) | dict.fromkeys(passes, 5):
    sys.exit("changed: num_retries")
PYTHON
"$python" -W ignore "$folder/ask.py" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
