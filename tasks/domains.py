"""Domain of a batch, such as "at night": the texts that its images are compared with."""

from chatgenimage.db.models import Batch
from chatgenimage.tasks.options import ChainOptions
from chatgenimage.tasks.words import painted_as
from chatgenimage.workers.llm.english import with_article


def texts_to_compare(batch: Batch, options: ChainOptions) -> tuple[str, ...]:
    """Return the texts that tell whether an image of the batch shows its domain.

    The first describes the label in the batch's domain: "a dog at night". The others are its
    rivals: the label in each other domain, and the label alone, because an image that shows
    none of the domains must not pass.

    Returns:
        Empty if the batch has no domain.
    """
    if batch.domain is None:
        return ()
    label = with_article(painted_as(batch.label.name, options))
    seen_as = dict(batch.label.domains or {})
    own = seen_as.pop(batch.domain, batch.domain)
    return (f"{label} {own}", *(f"{label} {other}" for other in seen_as.values()), label)
