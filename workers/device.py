"""What every family does around its forward pass."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from workers.errors import OutOfMemory

if TYPE_CHECKING:
    import torch

P = ParamSpec("P")
R = TypeVar("R")

CPU_ALLOCATOR = "DefaultCPUAllocator"


def pick_device(name: str) -> str:
    """Return the device to compute on: "auto" is the best that this machine has."""
    if name != "auto":
        return name
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def limit_threads(count: int) -> None:
    """Let a forward pass on the CPU use `count` threads."""
    import torch

    torch.set_num_threads(count)


def to_dtype(name: str) -> "torch.dtype":
    """Return torch's type for "float32", "float16" or "bfloat16"."""
    import torch

    dtypes = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    return dtypes[name]


def seeded(seed: int) -> "torch.Generator":
    """Return a generator of its own for one image.

    It lives on the CPU, so that an image is the same on any device and in any batch.
    """
    import torch

    return torch.Generator("cpu").manual_seed(seed)


def inference(compute: Callable[P, R]) -> Callable[P, R]:
    """Return the method without gradients, its exhausted memory reported as OutOfMemory."""

    @wraps(compute)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        import torch

        try:
            with torch.inference_mode():
                return compute(*args, **kwargs)
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and CPU_ALLOCATOR not in str(error):
                raise
            problem = str(error).strip().splitlines()[0]
        # Raised outside the handler: the traceback would keep the batch's tensors alive.
        torch.cuda.empty_cache()
        raise OutOfMemory(f"{problem} Halve the batch, or give the role another device.")

    return guarded
