"""Settings of the family `blocks`; nothing heavy is imported here."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class BlocksConfig(BaseModel):
    """A world of coloured blocks: each word has a colour of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loads: ClassVar[str] = "chatgenimage_blocks.blocks:Blocks"

    family: Literal["blocks"] = "blocks"
    size_px: int = Field(64, ge=48, le=512, description="Side of a painted image, pixels.")
