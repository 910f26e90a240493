#!/usr/bin/env bash
# outlines_core 0.2.14, xgrammar 0.2.9 and llguidance 1.9.1 let a model write what the schema of its answer forbids.
#   (Installs 3 GB.)
#
# Guess: with a JSON schema and "strict", a server that guides its model by one of these libraries, as vLLM and SGLang do, returns
#   an answer that is valid by the schema; what a library does not know, it refuses.
# What happens: outlines_core ignores `minimum`, `maximum` and `multipleOf`: a score from 0 to 1 may be 7.5. outlines_core and
#   xgrammar ignore `uniqueItems`, `contains`, `not` and `dependentRequired`. Neither prints anything; llguidance refuses
#   each of the four. A valid answer may be impossible too: the pattern "fox" must be the whole text in two of the three,
#   though by JSON Schema it may be anywhere in it, and keys must have the schema's order in all three.
# What a user meets: the same request to the same model has other mistakes on another server, or on the same one with
#   another of these libraries. Scores out of range and double names get into the data where nobody checks what "is guaranteed".
# What to do: check the answer by the schema, and ask only for what all of them enforce: types, enum, required keys, numbers
#   of items, lengths of texts. Decision here: schemas have nothing else, and each answer is checked, whatever the server is.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq outlines_core==0.2.14 xgrammar==0.2.9 llguidance==1.9.1 jsonschema==4.26.0 torch==2.14.1 \
    transformers==5.24.0 numpy==2.4.6

cat >"$folder/schemas.py" <<'PYTHON'
import json
import re
import sys

import jsonschema
import llguidance
import xgrammar
from outlines_core.json_schema import build_regex_from_schema
from xgrammar.testing import _is_grammar_accept_string

TWO_NAMES = {"type": "array", "items": {"type": "string", "enum": ["fox", "owl"]}, "minItems": 2, "maxItems": 2}
PAIR = {"type": "object", "properties": {"a": {"type": "boolean"}, "b": {"type": "boolean"}}, "additionalProperties": False}
CASES = {  # schema and answer
    "maximum": ({"type": "number", "minimum": 0, "maximum": 1}, "7.5"),
    "multipleOf": ({"type": "integer", "multipleOf": 8}, "9"),
    "uniqueItems": (TWO_NAMES | {"uniqueItems": True}, '["fox","fox"]'),
    "contains": (TWO_NAMES | {"contains": {"const": "owl"}}, '["fox","fox"]'),
    "not": ({"type": "string", "not": {"const": "dog"}}, '"dog"'),
    "dependentRequired": (PAIR | {"dependentRequired": {"a": ["b"]}}, '{"a":true}'),
    "pattern": ({"type": "string", "pattern": "fox"}, '"a fox runs"'),
    "order of keys": (PAIR | {"required": ["a", "b"]}, '{"b":true,"a":true}'),
    "enum": (TWO_NAMES, '["fox","cat"]'),
    "maxItems": (TWO_NAMES, '["fox","owl","fox"]'),
    "maxLength": ({"type": "string", "maxLength": 3}, '"foxes"'),
    "required": (PAIR | {"required": ["a", "b"]}, '{"a":true}'),
    "valid": (TWO_NAMES, '["fox","owl"]'),
}
BYTES = llguidance.LLTokenizer("byte")


def by_outlines(schema, answer):
    return re.fullmatch(build_regex_from_schema(json.dumps(schema)), answer) is not None


def by_xgrammar(schema, answer):
    return _is_grammar_accept_string(xgrammar.Grammar.from_json_schema(json.dumps(schema)), answer)


def by_llguidance(schema, answer):
    matcher = llguidance.LLMatcher(BYTES, llguidance.LLMatcher.grammar_from_json_schema(json.dumps(schema)))
    if matcher.get_error():
        raise ValueError(matcher.get_error())
    tokens = BYTES.tokenize_str(answer)
    return matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting()


def by_jsonschema(schema, answer):
    return jsonschema.Draft202012Validator(schema).is_valid(json.loads(answer))


def judge(reader, schema, answer):
    try:
        return "may be written" if reader(schema, answer) else "cannot be written"
    except ValueError:
        return "refuses the schema"


found = {}
for name, (schema, answer) in CASES.items():
    views = [judge(reader, schema, answer) for reader in (by_outlines, by_xgrammar, by_llguidance)]
    found[name] = (by_jsonschema(schema, answer), *views)
    print(f"{name}: {answer} is {'valid' if found[name][0] else 'invalid'}; outlines, xgrammar, llguidance: {views}")
MAY, NOT, REFUSED = "may be written", "cannot be written", "refuses the schema"
expected = {"maximum": (False, MAY, NOT, NOT), "multipleOf": (False, MAY, NOT, NOT)}
expected |= dict.fromkeys(("uniqueItems", "contains", "not", "dependentRequired"), (False, MAY, MAY, REFUSED))
expected |= {"pattern": (True, NOT, NOT, MAY), "order of keys": (True, NOT, NOT, NOT)}
expected |= dict.fromkeys(("enum", "maxItems", "maxLength", "required"), (False, NOT, NOT, NOT)) | {"valid": (True, MAY, MAY, MAY)}
if found != expected:
    sys.exit(f"changed: {[name for name in expected if found[name] != expected[name]]}")
PYTHON
"$python" -W ignore "$folder/schemas.py" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
