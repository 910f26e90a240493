"""Warnings of the libraries that load and run models: each is logged once.

They report settings that are ignored, text that is cut and weights that are random: nothing fails,
but the results are wrong.
"""

import importlib
import logging
import sys
import warnings

LIBRARIES = ("diffusers", "transformers")
HARMLESS = (
    "cannot run with `cpu` device",  # it can; said of every pipeline in half precision
    "should be kept in float32: []",
    "Potential NSFW content was detected",  # raised as ImageWithheld
    "Token indices sequence length is longer",  # texts are measured, then divided or cut
    "(between 0 and 31999), got 4940",  # of SigLIP's default settings, not of the checkpoint's
)
"""Parts of warnings that are wrong or said otherwise."""
ADVICE = (
    "You'd better set embed_dim",
    "torch.meshgrid",
    "`torch.cuda.amp.autocast",
    "`FluxPosEmbed`",
)
"""Beginnings of advice for developers of Grounding DINO and diffusers, useless to their users."""

log = logging.getLogger(__name__)


class OnceHandler(logging.Handler):
    """Passes on the first warning of each line of a library's code."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[tuple[str, int]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Log a warning, unless its line has warned before or it is harmless."""
        text, line = " ".join(record.getMessage().split()), (record.pathname, record.lineno)
        if line in self._said or any(words in text for words in HARMLESS):
            return
        self._said.add(line)
        log.log(record.levelno, "%s: %s", record.name, text)


def route_library_warnings() -> None:
    """Send the warnings of the imported libraries to the log, and turn off their progress bars."""
    for name in set(LIBRARIES) & sys.modules.keys():
        of_library = importlib.import_module(f"{name}.utils.logging")
        of_library.disable_progress_bar()
        of_library.set_verbosity_warning()
        logger = logging.getLogger(name)
        if not any(isinstance(handler, OnceHandler) for handler in logger.handlers):
            logger.handlers[:] = [OnceHandler()]
            logger.propagate = False
    for advice in ADVICE:
        warnings.filterwarnings("ignore", message=advice)
