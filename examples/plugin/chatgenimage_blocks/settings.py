"""Settings of the family `blocks`; nothing heavy is imported here."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from chatgenimage.workers.image_options import OptionLimits


class BlocksConfig(BaseModel):
    """A world of coloured blocks: each word has a colour of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loads: ClassVar[str] = "chatgenimage_blocks.blocks:Blocks"

    family: Literal["blocks"] = "blocks"
    size_px: int = Field(64, ge=48, le=512, description="Side of a painted image, pixels.")

    def option_limits(self) -> OptionLimits:
        """Return what a label may ask for: a size, and no negative prompt."""
        return OptionLimits(
            painter="blocks",
            size_wh=(self.size_px, self.size_px),
            no_negative_prompt="blocks have none; leave it out",
        )
