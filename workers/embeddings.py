"""Embeddings: unit vectors of images and texts, also of texts that are read in chunks."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from chatgenimage.workers.values import Embeddings


def embed_in_chunks(
    texts: Sequence[Sequence[str]], encode: Callable[[list[str]], torch.Tensor]
) -> Embeddings:
    """Return (N, D) unit vectors of texts: the mean of their chunks', weighted by length.

    Args:
        texts: The chunks of each text, at least one.
        encode: Chunks -> (chunks, D), each row of unit length.
    """
    chunks = [chunk for chunks in texts for chunk in chunks]
    lengths = torch.tensor([[len(chunk) + 1.0] for chunk in chunks])
    weighted = lengths * encode(chunks).float().cpu()
    sums = weighted.split([len(chunks) for chunks in texts])
    return to_embeddings(torch.stack([of_text.sum(dim=0) for of_text in sums]))


def to_embeddings(features: torch.Tensor) -> Embeddings:
    """Return (N, D) features as unit vectors."""
    # Also those of unit length: half precision leaves a length of 1 +- 1e-3.
    unit = torch.nn.functional.normalize(features.float(), dim=1).cpu().numpy()
    return np.asarray(unit, dtype=np.float32)
