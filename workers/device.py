"""Devices: choose one, limit its use, and report its failures; used by every family."""

import os
import platform
import sys
import timeit
from collections.abc import Callable, Mapping
from functools import cache, wraps
from types import ModuleType
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from chatgenimage.workers.errors import DeviceAbsent, DeviceLost, OutOfMemory

if TYPE_CHECKING:
    import torch

P = ParamSpec("P")
R = TypeVar("R")

OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "CUDA error: out of memory",  # the driver's own, e.g. when a card is full at a process's start
    "MPS backend out of memory",
    "ALLOC_FAILED",  # cuBLAS, cuDNN, cuFFT, cuSOLVER, cuSPARSE
    "ALLOCATION_FAILED",  # cuDNN 9
    "unable to find an engine",  # cuDNN, when no engine's workspace fits
)
"""Words of errors that are not a torch.OutOfMemoryError, but mean that memory ran out."""
BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")
"""Instructions of processors for bfloat16, as PyTorch names them."""
MUCH_FASTER = 1.5
MULTIPLICATIONS = 10
"""The shortest of so many is not disturbed by other processes."""
_lost: list[str] = []


def pick_device(name: str) -> str:
    """Return the device to compute on; "auto" is the best one of this machine."""
    if name != "auto":
        return name
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def refuse_absent(device: str) -> None:
    """Return if the device exists on this machine.

    Raises:
        DeviceAbsent: If PyTorch finds no such device.
    """
    if device in {"cpu", "auto"}:
        return
    import torch

    if device == "mps" and not torch.backends.mps.is_available():
        raise DeviceAbsent(
            f"there is no mps: torch {torch.__version__} finds no GPU of Apple here. Set device "
            "to auto."
        )
    count = torch.cuda.device_count()
    if device.startswith("cuda") and (torch.device(device).index or 0) >= count:
        raise DeviceAbsent(
            f"there is no {device}: torch {torch.__version__} sees {count} GPUs. Check the "
            "driver (nvidia-smi), CUDA_VISIBLE_DEVICES and the devices of the container, or "
            "name another device."
        )


def settle_dtype(name: str, device: str, half: str = "float16") -> str:
    """Return the precision to compute in.

    "auto" is `half` on CUDA, bfloat16 on a processor that is faster with it, else float32.
    """
    if name != "auto":
        return name
    if device == "cpu" and is_bfloat16_faster():
        return "bfloat16"
    return half if device.startswith("cuda") else "float32"


@cache
def is_bfloat16_faster() -> bool:
    """Return whether the processor multiplies matrices much faster in bfloat16; measured once.

    Its flags do not show it: some with `avx512_bf16` take twice as long as in float32.
    """
    import torch

    return gains_by_bfloat16(torch.cpu.get_capabilities(), multiplication_s)


def gains_by_bfloat16(flags: Mapping[str, bool], seconds_of: Callable[[str], float]) -> bool:
    """Return whether a processor is much faster in bfloat16.

    Args:
        flags: Its instructions, as PyTorch names them; without `BFLOAT16_FLAGS`, False.
        seconds_of: Returns the time of the same work in a precision, by its name.
    """
    if not any(flags.get(flag) for flag in BFLOAT16_FLAGS):
        return False
    return MUCH_FASTER * seconds_of("bfloat16") <= seconds_of("float32")


def multiplication_s(dtype: str) -> float:
    """Return the shortest time of a product of two 512 x 512 matrices on one thread, seconds."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        matrix = torch.ones(512, 512, dtype=to_dtype(dtype))
        return min(timeit.repeat(lambda: matrix @ matrix, number=1, repeat=MULTIPLICATIONS))
    finally:
        torch.set_num_threads(threads)


def limit_threads(count: int) -> None:
    """Limit a forward pass on the CPU to `count` threads."""
    import torch

    torch.set_num_threads(count)


def to_dtype(name: str) -> "torch.dtype":
    """Return torch's type for "float32", "float16" or "bfloat16"."""
    import torch

    dtypes = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    return dtypes[name]


def seeded(seed: int) -> "torch.Generator":
    """Return a random generator for one image.

    It lives on the CPU, so that an image is the same on any device and in any batch.
    """
    import torch

    return torch.Generator("cpu").manual_seed(seed)


def limit_memory(share: float, device: str) -> None:
    """Limit this process to a share of a CUDA device's memory, so that several can use it."""
    import torch

    if device.startswith("cuda"):
        # None is the current device, as for whatever is moved to a "cuda" without an index.
        index = torch.device(device).index
        torch.cuda.set_per_process_memory_fraction(float(share), index)


def total_memory_bytes(device: str) -> int:
    """Return the memory of a CUDA device."""
    import torch

    return int(torch.cuda.get_device_properties(torch.device(device).index).total_memory)


def device_name(device: str) -> str:
    """Return what a device is, for measurements: the GPU's model, or this machine's processor."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    return f"{device} of {platform.node()}: {platform.machine()}, {os.cpu_count()} cores"


def is_out_of_memory(error: Exception) -> bool:
    """Return whether an error of torch means that memory was exhausted."""
    import torch

    said = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(
        words in said for words in OUT_OF_MEMORY
    )


def forget_peak_memory() -> None:
    """Reset the measurement of peak CUDA memory; without a CUDA device do nothing."""
    if torch := _torch_on_cuda():
        for index in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(index)


def peak_memory_bytes() -> int | None:
    """Return the peak CUDA memory of tensors since the reset; None if CUDA is not in use."""
    if torch := _torch_on_cuda():
        return max(
            int(torch.cuda.max_memory_allocated(i)) for i in range(torch.cuda.device_count())
        )
    return None


def _torch_on_cuda() -> ModuleType | None:
    """Return torch if this process uses it on CUDA; never imports it."""
    torch = sys.modules.get("torch")
    return torch if torch and torch.cuda.is_initialized() else None


def lost_because() -> str | None:
    """Return why this process lost its device, None if it did not; a lost device stays lost."""
    return _lost[0] if _lost else None


def inference(compute: Callable[P, R]) -> Callable[P, R]:
    """Decorate a method to run without gradients and to raise device failures as worker errors.

    Raises:
        OutOfMemory: If the batch was too large for the device.
        DeviceLost: If the driver failed; the device stays lost to this process.
    """

    @wraps(compute)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        """Call the method without gradients; raise device failures as worker errors."""
        import torch

        try:
            with torch.inference_mode():
                return compute(*args, **kwargs)
        except RuntimeError as error:
            problem = (str(error).strip() or type(error).__name__).splitlines()[0]
            is_memory = is_out_of_memory(error)
            if not is_memory and not isinstance(error, torch.AcceleratorError):
                raise
        # Raised outside the handler: the traceback would keep the batch's tensors alive.
        if is_memory:
            torch.cuda.empty_cache()
            raise OutOfMemory(f"{problem} Halve the batch, or give the role another device.")
        _lost.append(problem)
        raise DeviceLost(f"{problem}. The worker ends; another one repeats its step.")

    return guarded
