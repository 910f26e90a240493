"""CLIP's tokenizer over a vocabulary so small that every word of the grammar is one token."""

import json

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import CLIPTokenizer

from training.words import all_words

MAX_TOKENS = 32
START, END = "<|startoftext|>", "<|endoftext|>"


def clip_tokenizer() -> CLIPTokenizer:
    """Return a byte pair tokenizer whose merges reach every word."""
    pairs = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    pairs.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(
        vocab_size=5000,
        min_frequency=1,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    pairs.train_from_iterator(all_words(), trainer)
    learned = json.loads(pairs.to_str())["model"]
    merges = [tuple(pair) for pair in learned["merges"]]
    # The end token must have the highest number: CLIP's text tower finds it by argmax.
    vocabulary = {piece: index for index, piece in enumerate([*learned["vocab"], START, END])}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=MAX_TOKENS)
