"""How many items of each step go through this process's models together."""

GROW_AFTER = 64
"""Passes at a remembered size before twice as many are tried: what took the memory may be gone."""


class PassSizes:
    """Remembers, per step, the size at which the device's memory sufficed."""

    def __init__(self) -> None:
        self._fits: dict[str, int] = {}
        self._passes: dict[str, int] = {}

    def limit(self, step: str, wanted: int) -> int:
        """Return how many items of the step to take together: as many as wanted, if they fit."""
        return min(wanted, self._fits.get(step, wanted))

    def too_big(self, step: str, size: int) -> None:
        """Remember that the memory did not suffice for so many items; half of them may fit."""
        self._fits[step], self._passes[step] = max(1, size // 2), 0

    def fitted(self, step: str, size: int) -> None:
        """Count a pass that went through; after many at the limit the limit is doubled once."""
        if size < self._fits.get(step, size + 1):
            return
        self._passes[step] += 1
        if self._passes[step] >= GROW_AFTER:
            self._fits[step], self._passes[step] = 2 * size, 0
