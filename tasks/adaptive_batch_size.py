"""Adaptive batch size: the number of items per pass that fits into the device's memory."""

GROW_AFTER = 64
"""Passes at a remembered size before it is doubled: the memory may be free again."""


class PassSizes:
    """Remembers, per step, the size that fits into the device's memory.

    Args:
        grow_after: Passes at a remembered size before it is doubled.
    """

    def __init__(self, grow_after: int = GROW_AFTER) -> None:
        self._grow_after = grow_after
        self._fits: dict[str, int] = {}
        self._passes: dict[str, int] = {}

    def limit(self, step: str, wanted: int) -> int:
        """Return how many items of the step to take at once: at most `wanted`."""
        return min(wanted, self._fits.get(step, wanted))

    def too_big(self, step: str, size: int) -> None:
        """Remember that so many items did not fit; next time, half of them are tried."""
        self._fits[step], self._passes[step] = max(1, size // 2), 0

    def fitted(self, step: str, size: int) -> None:
        """Count a successful pass; after many at the limit the limit is doubled once."""
        if size < self._fits.get(step, size + 1):
            return
        self._passes[step] += 1
        if self._passes[step] >= self._grow_after:
            self._fits[step], self._passes[step] = 2 * size, 0
