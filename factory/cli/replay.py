"""`factory replay`: generate an image again from its record."""

import io
import logging

import typer
from PIL import Image

from chatgenimage.factory import log
from chatgenimage.factory.atomic_write import write_file
from chatgenimage.factory.cli.common import (
    WHOLE_FILES,
    AsJson,
    CandidateId,
    PngFile,
    expected_errors,
    open_chosen_store,
    print_json,
    stdout,
    takes,
)
from chatgenimage.factory.query.store import Store


@expected_errors(WHOLE_FILES)
@takes(store=open_chosen_store)
def replay(
    *,
    candidate_id: CandidateId,
    out: PngFile = None,
    as_json: AsJson = False,
    store: Store,
) -> None:
    """Generate an image again from its record, and compare it; exit code 1 if it differs.

    Example: factory replay 12
    """
    from chatgenimage.factory.replay import replay as generate_again

    log.configure(level=logging.WARNING)  # stdout has only the result
    done = generate_again(store, candidate_id)
    path = out or store.settings.data_dir / f"replay-{candidate_id}.png"
    buffer = io.BytesIO()
    Image.fromarray(done.pixels).save(buffer, format="PNG")
    write_file(path, buffer.getvalue(), data_dir=store.settings.data_dir)
    if as_json:
        result = {"identical": done.is_identical, "psnr_db": done.psnr_db}
        print_json({**result, "pass_size": done.pass_size, "image": path})
    else:
        likeness = "identical" if done.is_identical else f"different, PSNR {done.psnr_db:.1f} dB"
        size = "alone" if done.pass_size == 1 else f"in a batch of {done.pass_size}"
        stdout.print(f"{likeness}; generated {size}\n{path}", soft_wrap=True)
    if not done.is_identical:
        raise typer.Exit(1)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(replay)
