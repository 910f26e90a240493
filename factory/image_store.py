"""Open the image store."""

from chatgenimage.db.images import ImageStore
from chatgenimage.factory.settings.model import Settings


def open_images(settings: Settings) -> ImageStore:
    """Return the image store of the settings; nothing is read or written yet.

    Raises:
        StoreError: If no installed library can access that kind of URL.
    """
    return ImageStore(
        settings.resolved_image_store_url(),
        settings.image_store_endpoint,
        is_private=settings.image_store_url is None,  # in the data folder
    )
