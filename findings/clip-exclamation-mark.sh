#!/usr/bin/env bash
# transformers 5.24.0: with the settings of SDXL's second tokenizer an exclamation mark in a prompt becomes padding.
#
# Guess: SDXL's two tokenizers have the same vocabulary, so a prompt has the same tokens in both, up to the padding behind
#   its end. A padding token is what is added, it does not match what a user wrote.
# What happens: the second tokenizer (also the one of Stable Diffusion 2) states `"pad_token": "!"`, because its model was
#   trained with 0 as padding and word 0 of the vocabulary is "!". A special token is cut out of the text before it is
#   read. So "wow!" ends with padding (0) instead of the word "!" (256), "hello!!!" has three of them instead of the one
#   word "!!!" (995), and in "stop!" sign the word `!"` is lost. Neither 0 nor three of them was ever read by the model
#   inside a text. Decoding without special tokens loses the marks.
# What a user meets: the two text encoders read different prompts, the second of which also gives the pooled embedding.
#   With the same prompt and seed another program paints another image.
# What to do: `tokenizer.split_special_tokens = True`. Decision here: set for all of CLIP's tokenizers in pipelines.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install -qq transformers==5.24.0
"$python" -m pip install -qq --no-deps open_clip_torch==3.3.0 # only for the file of CLIP's vocabulary

cat >"$folder/tokens.py" <<'PYTHON'
import gzip
import sys
from importlib.metadata import files

from transformers import CLIPTokenizer

START, END = "<|startoftext|>", "<|endoftext|>"
(PACKED,) = (one for one in files("open_clip_torch") if one.name.startswith("bpe_simple_vocab"))
MERGES = gzip.decompress(PACKED.read_binary()).decode().split("\n")[1:48895]
SHOWN = [*range(33, 127), *range(161, 173), *range(174, 256)]  # bytes that have their own letter
LETTERS = [chr(one) for one in SHOWN] + [chr(256 + one) for one in range(256 - len(SHOWN))]
WORDS = [*LETTERS, *(f"{one}</w>" for one in LETTERS), *("".join(one.split()) for one in MERGES), START, END]
VOCABULARY = {word: number for number, word in enumerate(WORDS)}


def load(padding):
    pairs = [tuple(one.split()) for one in MERGES]
    return CLIPTokenizer(vocab=VOCABULARY, merges=pairs, pad_token=padding, model_max_length=77)


def read(tokenizer, text):
    """Return the numbers between the start and the end of the text."""
    numbers = tokenizer(text, padding="max_length", truncation=True).input_ids
    return numbers[1 : numbers.index(VOCABULARY[END])]


def tail(tokenizer):
    return tokenizer("a fox", padding="max_length", truncation=True).input_ids[-1]


first, second, mended = load(END), load("!"), load("!")
mended.split_special_tokens = True
TEXTS = ("a photo of a fox", "wow!", "hello!!!", 'a "stop!" sign')
found = {text: [read(one, text) for one in (first, second, mended)] for text in TEXTS}
for text, (one, other, helped) in found.items():
    print(f"{text}: first {one}, second {other}, with split_special_tokens {helped}")
print("decoded by the second without special tokens:", second.decode(second("wow!").input_ids, skip_special_tokens=True))
if [tail(one) for one in (first, second, mended)] != [49407, 0, 0]:
    sys.exit("changed: the padding")
if len(set(map(tuple, found["a photo of a fox"]))) != 1 or any(one != helped for one, _, helped in found.values()):
    sys.exit("changed: the other tokens")
if found["wow!"][0][-1] != 256 or found["wow!"][1][-1] != 0 or found["hello!!!"][1][-3:] != [0, 0, 0]:
    sys.exit("changed: the mark")
if found["hello!!!"][0] != [3306, 995] or 0 not in found['a "stop!" sign'][1]:
    sys.exit("changed: the words with marks")
PYTHON
"$python" -W ignore "$folder/tokens.py" 2>"$folder/log" || {
    tail -5 "$folder/log"
    exit 1
}
