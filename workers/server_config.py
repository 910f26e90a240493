"""Settings of the families whose model runs on an OpenAI-compatible server."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

LANGUAGE_MODEL = "gpt-6-luna"
"""A successor that OpenAI's deprecation page names, with gpt-5.6-terra; not run here. The paper's
gpt-3.5-turbo was shut down in October 2026."""
BoxUnit = Literal["auto", "thousandths", "shares", "pixels"]


class ServerConfig(BaseModel):
    """A model on a server: where it is, and how patiently it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    model: str = Field(min_length=1, max_length=200, description="Name at the endpoint.")
    base_url: str | None = Field(None, description="None: OPENAI_BASE_URL, else api.openai.com.")
    api_key: SecretStr | None = Field(None, description="None: OPENAI_API_KEY.")
    check_model: bool = Field(
        default=True,
        exclude=True,  # a run does not keep it: it changes no answer
        description="Whether a worker refuses to start if the server's list of models lacks this "
        "one; false for a server that takes names which it does not list.",
    )
    timeout_s: float = Field(
        60.0, gt=0, description="Longest time until one answer is complete, seconds."
    )
    max_retries: int = Field(4, ge=0, description="Retries of a request on transient failures.")
    max_concurrency: int = Field(
        8,
        ge=1,
        le=256,
        exclude=True,  # a run does not keep it: it changes no answer
        description="Most requests of one worker process at the same time; halved while the "
        "server is overloaded (HTTP 429, 503, no answer in time), then raised again.",
    )
    reuse_answers: bool = Field(
        default=True, description="Whether to reuse the answers to equal earlier requests."
    )
    prompt_price: float = Field(
        0.0, ge=0, description="Price of a million tokens sent, in the currency of the budget."
    )
    completion_price: float = Field(0.0, ge=0, description="Price of a million tokens received.")


class ChatConfig(ServerConfig):
    """Settings of models that are asked by chat."""

    temperature: float = Field(0.0, ge=0, le=2, description="0: the most likely answer.")
    max_tokens: int = Field(1024, ge=1, description="Longest answer, tokens.")
    max_tokens_if_cut: int | None = Field(
        None,
        ge=1,
        description="Longest answer of one more try, where max_tokens cut the first one; unset: "
        "no such try.",
    )
    max_repairs: int = Field(1, ge=0, description="Repeated requests after an unusable answer.")


class OpenAiConfig(ChatConfig):
    """Any OpenAI-compatible endpoint."""

    family: Literal["openai"] = "openai"
    model: str = Field(
        LANGUAGE_MODEL, min_length=1, max_length=200, description="Name at the endpoint."
    )
    max_prompt_words: int | None = Field(
        None,
        ge=3,
        description="Longest prompt for an image, words; asked for, and longer ones are refused. "
        "Unset: Table 1's words alone.",
    )
    prompts_folder: str | None = Field(
        None,
        exclude_if=lambda folder: folder is None,  # earlier runs are stored without it
        description="Folder with your own questions and demonstrations, as .txt files named like "
        "those in workers/llm/prompts; Table 1's texts are used for the others.",
    )


class OpenAiImagesConfig(ServerConfig):
    """An image model behind an OpenAI-compatible endpoint: generates, edits and fills."""

    family: Literal["openai_images"] = "openai_images"
    timeout_s: float = Field(180.0, gt=0, description="Longest wait for one image, seconds.")
    size: str | None = Field(
        "1024x1024",
        pattern=r"^(auto|[1-9]\d{1,4}x[1-9]\d{1,4})$",
        description="Size asked for, widthxheight in pixels; an edit or a fill is brought to its "
        "parent's size. Unset: not sent.",
    )
    quality: str | None = Field(
        None, max_length=20, description="E.g. low, medium, high, standard, hd. Unset: not sent."
    )
    n: Literal[1] | None = Field(
        1, description="Images per request; of several the first is kept. Unset: not sent."
    )
    response_format: Literal["b64_json", "url"] | None = Field(
        "b64_json",
        description="How images come back; both are read. Unset: not sent. A url is only fetched "
        "from the server's own host.",
    )
    price_per_image: float = Field(
        0.0, ge=0, description="Price of an image, in the currency of the budget."
    )


class OpenAiVisionConfig(ChatConfig):
    """A vision-language model, by chat: captions, finds objects, answers questions about images."""

    family: Literal["openai_vision"] = "openai_vision"
    longest_side_px: int = Field(
        1024, ge=64, le=8192, description="Larger images are scaled down to this side, pixels."
    )
    max_caption_words: int = Field(40, ge=3, description="Longest caption asked for, words.")
    box_unit: BoxUnit = Field(
        "auto",
        description="Unit of the model's boxes, which is asked for thousandths of the image; auto: "
        "recognised from all boxes of an answer and the size of the image that was sent. Where "
        "they may be pixels too, thousandths are assumed, and the log says so once: look at the "
        "first boxes in the gallery, and set the unit.",
    )
