#!/usr/bin/env bash
# openai 3.57.0: `timeout=1` does not end a request that takes 4 seconds, if the server sends a blank every half second.
#
# Guess: `timeout` is the longest time for which a call can last: after 1 second there is an APITimeoutError.
# What happens: the number is given to the HTTP client, where it limits each single wait for bytes. Spaces and line breaks
#   before JSON are valid, and services under load send them so that proxies keep the connection. Each one starts the
#   clock again: the call returns its answer after 4 seconds with a limit of 1. With a silent server it ends after 1.
# What a user meets: a call with `timeout=60` lasts for as long as the server wants. Tests against a silent server pass. A
#   thread of a worker is then taken without an end, and a Celery pool of threads has no time limit that could free it.
# What to do: limit the whole answer yourself: read it in parts with a clock, or cancel it from outside. Decision here: the
#   client reads answers in parts, and `timeout_s` is also the limit of the whole answer.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq openai==3.57.0

"$python" - <<'PYTHON'
import json
import socket
import sys
import threading
import time

import openai

LIMIT_S, PAUSE_S, PAUSES = 1, 0.5, 8
BODY = json.dumps(
    {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "poet",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a fox"}}],
    }
).encode()


def answer(connection, blank):
    connection.recv(65536)
    length = len(BODY) + len(blank) * PAUSES
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    try:
        connection.sendall(head.encode())
        for _ in range(PAUSES):
            time.sleep(PAUSE_S)
            connection.sendall(blank)
        connection.sendall(BODY)
    except OSError:
        pass  # the client left
    connection.close()


def ask(blank):
    """Return the answer or the error of a server that needs 4 seconds, and the seconds that it took."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=lambda: answer(server.accept()[0], blank))
        thread.start()
        address = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        client = openai.OpenAI(api_key="none", base_url=address, timeout=LIMIT_S, max_retries=0)
        start = time.monotonic()
        try:
            said = client.chat.completions.create(model="poet", messages=[{"role": "user", "content": "Write."}])
            result = said.choices[0].message.content
        except openai.APITimeoutError:
            result = "APITimeoutError"
        seconds = time.monotonic() - start
        thread.join()
    return result, seconds


silent, blanks = ask(b""), ask(b"\n")
print(f"timeout {LIMIT_S} s, the answer takes {PAUSES * PAUSE_S:.0f} s")
print(f"silent until then: {silent[0]} after {silent[1]:.1f} s")
print(f"a line break every {PAUSE_S} s: {blanks[0]!r} after {blanks[1]:.1f} s")
if silent[0] != "APITimeoutError" or silent[1] > 3 * LIMIT_S:
    sys.exit("changed: the silent server")
if blanks[0] != "a fox" or blanks[1] < 3 * LIMIT_S:
    sys.exit("changed: the server that sends blanks")
PYTHON
