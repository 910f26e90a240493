"""The calls to torch.cuda, with torch's own Python above a C layer that only remembers."""

import pytest
import torch

from chatgenimage.workers import device
from chatgenimage.workers.device import inference
from chatgenimage.workers.errors import DeviceLost, OutOfMemory
from chatgenimage.workers.painter_config import TextToImageConfig
from chatgenimage.workers.trial import _peak_memory
from chatgenimage.workers.vision_config import (
    SimilarityConfig,
    VisionLanguageConfig,
    ZeroShotDetectorConfig,
)
from chatgenimage.workers.weights.local_files import loading

GIB = 1 << 30
DRIVER_FULL = "CUDA error: out of memory\nCUDA kernel errors might be reported elsewhere"


class Card:
    """What the C layer of a machine with two cards is asked; card 1 is the current one."""

    def __init__(self):
        self.shares = {}
        self.forgotten = []
        self.peaks = {0: GIB, 1: 3 * GIB}
        self.emptied = 0

    def share(self, share, index):
        self.shares[index] = share

    def stats(self, index):
        return {"allocated_bytes": {"all": {"peak": self.peaks[index]}}}

    def empty(self):
        self.emptied += 1


@pytest.fixture
def card(monkeypatch):
    card = Card()
    below = {
        "_cuda_getDevice": lambda: 1,
        "_cuda_getDeviceCount": lambda: 2,
        "_cuda_setMemoryFraction": card.share,
        "_cuda_memoryStats": card.stats,
        "_cuda_resetPeakMemoryStats": card.forgotten.append,
        "_cuda_emptyCache": card.empty,
        "_accelerator_getDeviceIndex": lambda: 1,
    }
    for name, function in below.items():
        monkeypatch.setattr(torch._C, name, function, raising=False)  # noqa: SLF001
    monkeypatch.setattr(torch.cuda, "_initialized", True)
    monkeypatch.setattr(torch.cuda, "_cached_device_count", 2)
    return card


@pytest.mark.parametrize(("name", "index"), [("cuda", 1), ("cuda:0", 0), ("cuda:1", 1)])
def test_a_share_is_taken_of_the_device_that_is_named_or_of_the_current_one(card, name, index):
    device.limit_memory(0.3, name)
    assert card.shares == {index: 0.3}


def test_the_whole_of_a_device_may_be_given_as_a_whole_number(card):
    device.limit_memory(1, "cuda")
    assert card.shares == {1: 1.0}


def test_a_share_of_the_cpu_is_no_share_of_a_card(card):
    device.limit_memory(0.3, "cpu")
    assert card.shares == {}


def test_the_peak_is_that_of_the_card_that_was_used_most(card):
    device.forget_peak_memory()
    assert card.forgotten == [0, 1]
    assert device.peak_memory_bytes() == 3 * GIB


@pytest.mark.parametrize(("name", "peak"), [("cuda", 3), ("cuda:0", 1), ("cuda:1", 3)])
def test_a_trial_tells_the_peak_of_its_own_device(card, name, peak):
    assert _peak_memory(name) == peak * GIB


EXHAUSTED = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    torch.AcceleratorError(DRIVER_FULL),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
    RuntimeError("cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `create`"),
    RuntimeError("cuFFT error: CUFFT_ALLOC_FAILED"),
    RuntimeError("GET was unable to find an engine to execute this computation"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9.0 GB)"),
]


@pytest.fixture
def _new_process(monkeypatch):
    """No device is lost before the test, nor after it: a real one stays lost to its process."""
    monkeypatch.setattr(device, "_lost", [])


def raising(error):
    @inference
    def compute():
        raise error

    return compute


@pytest.mark.usefixtures("_new_process")
@pytest.mark.parametrize("error", EXHAUSTED, ids=lambda error: str(error)[:40])
def test_whatever_exhausted_memory_is_called_a_pass_is_halved(card, error):
    with pytest.raises(OutOfMemory, match="Halve the batch"):
        raising(error)()
    assert card.emptied == 1
    assert device.lost_because() is None


@pytest.mark.parametrize("error", EXHAUSTED, ids=lambda error: str(error)[:40])
def test_weights_that_exhaust_memory_are_not_called_broken(error):
    with pytest.raises(OutOfMemory, match="do not fit"), loading("big"):
        raise error


@pytest.mark.usefixtures("_new_process")
def test_a_device_that_failed_otherwise_is_lost(card):
    with pytest.raises(DeviceLost):
        raising(torch.AcceleratorError("CUDA error: an illegal memory access was encountered"))()
    assert card.emptied == 0


@pytest.mark.usefixtures("_new_process")
def test_a_lost_device_is_reported_and_remembered():
    with pytest.raises(DeviceLost, match=r"unspecified launch failure\. The worker ends"):
        raising(torch.AcceleratorError("CUDA error: unspecified launch failure\nmore"))()
    assert device.lost_because() == "CUDA error: unspecified launch failure"


def test_a_library_that_failed_otherwise_is_not_out_of_memory(card):
    error = RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `gemm`")
    with pytest.raises(RuntimeError, match="EXECUTION_FAILED"):
        raising(error)()


@pytest.mark.parametrize(
    ("flags", "times_s", "gains"),
    [
        ({"avx512_bf16": False, "amx_bf16": False}, {}, False),
        ({"avx512_bf16": True}, {"float32": 0.0016, "bfloat16": 0.0032}, False),
        ({"avx512_bf16": True}, {"float32": 0.0016, "bfloat16": 0.0014}, False),
        ({"amx_bf16": True}, {"float32": 0.0016, "bfloat16": 0.0004}, True),
        ({}, {}, False),
    ],
    ids=str,
)
def test_only_a_processor_that_is_much_faster_with_bfloat16_gains_by_it(flags, times_s, gains):
    assert device.gains_by_bfloat16(flags, times_s.__getitem__) == gains


def test_auto_is_the_precision_that_a_device_is_fastest_with():
    fastest = "bfloat16" if device.is_bfloat16_faster() else "float32"
    assert device.settle_dtype("auto", "cpu") == fastest
    assert device.settle_dtype("float16", "cpu") == "float16"
    assert device.settle_dtype("auto", "cuda:0") == "float16"
    assert device.settle_dtype("auto", "mps") == "float32"


def test_a_product_of_matrices_is_timed():
    assert 0 < device.multiplication_s("float32") < 5


@pytest.mark.parametrize(
    ("config", "dtype"),
    [
        (TextToImageConfig, "bfloat16"),
        (VisionLanguageConfig, "bfloat16"),
        (ZeroShotDetectorConfig, "float16"),
        (SimilarityConfig, "float16"),
    ],
)
def test_models_that_were_trained_in_bfloat16_compute_in_it_on_a_gpu(config, dtype):
    assert device.settle_dtype("auto", "cuda:0", config.HALF) == dtype
