"""Progressive mask shrinking (Avrahami et al. 2022, section 4.3).

A mask of few latent cells is too small for a shape to form in the noise. So a small mask starts
grown and shrinks to its own size in the first half of the steps; blending in the second half
restores everything outside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch.nn.functional import max_pool2d

SMALL_SIDE_CELLS = 16
"""A mask with a shorter side is small: 128 of 512 pixels with Stable Diffusion's cells."""
SHRINKING_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class ShrinkingMasks:
    """The masks of one batch at each step; also the pipeline's callback at the end of a step.

    Attributes:
        cells: (N, 1, h, w) float, 1 where a latent cell is painted.
        small: (N, 1, 1, 1) bool, True for masks that shrink.
        grow_cells: Number of cells by which those are grown at first.
    """

    cells: torch.Tensor
    small: torch.Tensor
    grow_cells: int

    @classmethod
    def over(cls, cells: torch.Tensor, grow_cells: int) -> Self:
        """Return shrinking masks for (N, 1, h, w) cells."""
        rows, columns = cells.amax(dim=3).sum(dim=2), cells.amax(dim=2).sum(dim=2)
        small = torch.minimum(rows, columns) < SMALL_SIDE_CELLS
        return cls(cells, small[..., None, None], grow_cells)

    def at(self, step: int, steps: int) -> torch.Tensor:
        """Return the (N, 1, h, w) cells that are painted at a step, counted from 0."""
        left = 1 - step / max(steps * SHRINKING_SHARE, 1)
        radius = max(round(self.grow_cells * left), 0)
        if radius == 0:
            return self.cells
        grown = max_pool2d(self.cells, 2 * radius + 1, stride=1, padding=radius)
        return torch.where(self.small, grown, self.cells)

    def __call__(
        self,
        pipeline: Any,  # noqa: ANN401 (diffusers' signature)
        step: int,
        _timestep: int,
        tensors: Mapping[str, torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        """Return the mask of the next step."""
        mask = tensors["mask"]
        following = self.at(step + 1, len(pipeline.scheduler.timesteps))
        copies = mask.shape[0] // following.shape[0]  # 2 with classifier-free guidance
        return {"mask": following.to(mask).repeat(copies, 1, 1, 1)}
