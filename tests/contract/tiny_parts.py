"""Parts of tiny random pipelines: vocabularies, text encoders and autoencoders."""

from typing import Any

from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
)
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizer,
    Mistral3Config,
    Mistral3ForConditionalGeneration,
    PixtralImageProcessor,
    PixtralProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLProcessor,
    Qwen3Config,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

from tests.contract.tiny_stable_diffusion import TEXT_WIDTH
from tests.contract.tiny_words import letters

LATENT_CHANNELS = 4
T5_WIDTH = 48
VISION_TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
CHAT_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
MISTRAL_TOKENS = ("<s>", "<unk>", "<pad>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]")
MISTRAL_TOKENS += ("[/SYSTEM_PROMPT]", "[IMG]", "[IMG_BREAK]", "[IMG_END]")
MISTRAL_TEMPLATE = (
    "<s>{% for m in messages %}{% set text = m['content'][0]['text'] %}"
    "{% if m['role'] == 'system' %}[SYSTEM_PROMPT]{{ text }}[/SYSTEM_PROMPT]"
    "{% else %}[INST]{{ text }}[/INST]{% endif %}{% endfor %}"
)
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def flow(**settings: object) -> FlowMatchEulerDiscreteScheduler:
    """Return the scheduler of all models that are trained by flow matching."""
    return FlowMatchEulerDiscreteScheduler(**settings)


def clip(width: int = TEXT_WIDTH) -> tuple[CLIPTokenizer, CLIPTextModelWithProjection]:
    """Return CLIP's vocabulary and text encoder, which read 16 tokens."""
    tokenizer = CLIPTokenizer(
        vocab=letters("<|startoftext|>", "<|endoftext|>"), merges=[], model_max_length=16
    )
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        projection_dim=width,
        intermediate_size=TEXT_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return tokenizer, CLIPTextModelWithProjection(config)


def t5() -> tuple[T5Tokenizer, T5EncoderModel]:
    """Return T5's vocabulary and encoder."""
    pieces = ["<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz0123456789.,"]
    tokenizer = T5Tokenizer(vocab=[(piece, 0.0) for piece in pieces], extra_ids=0)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=T5_WIDTH,
        d_kv=8,
        d_ff=TEXT_WIDTH,
        num_layers=1,
        num_heads=2,
    )
    return tokenizer, T5EncoderModel(config)


def chat_tokenizer(*special: str) -> Qwen2Tokenizer:
    """Return Qwen's vocabulary with the words that mark a chat."""
    tokenizer = Qwen2Tokenizer(
        vocab=letters(*CHAT_TOKENS, *special, "Ċ", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ:<>/'()-"),
        merges=[],
        unk_token="<|endoftext|>",  # noqa: S106  (no password)
        pad_token="<|endoftext|>",  # noqa: S106
        eos_token="<|im_end|>",  # noqa: S106
        additional_special_tokens=["<|im_start|>", *special],
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def qwen3(kind: Any, layers: int) -> tuple[Qwen2Tokenizer, Any]:
    """Return Qwen 3's vocabulary and language model."""
    tokenizer = chat_tokenizer()
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=TEXT_WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
    )
    return tokenizer, kind(config)


def qwen_vl() -> tuple[Qwen2Tokenizer, Qwen2_5_VLForConditionalGeneration]:
    """Return the vocabulary of Qwen 2.5 VL and the model itself, which also reads images."""
    tokenizer = chat_tokenizer(*VISION_TOKENS)
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": TEXT_WIDTH,
            "intermediate_size": TEXT_WIDTH,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default"},
        },
        vision_config={
            "depth": 1,
            "hidden_size": TEXT_WIDTH,
            "intermediate_size": TEXT_WIDTH,
            "num_heads": 2,
            "out_hidden_size": TEXT_WIDTH,
            "fullatt_block_indexes": [0],
        },
        **{
            f"{name}_token_id": tokenizer.convert_tokens_to_ids(token)
            for name, token in zip(
                ("vision_start", "vision_end", "image", "video"), VISION_TOKENS, strict=True
            )
        },
    )
    return tokenizer, Qwen2_5_VLForConditionalGeneration(config)


def qwen_vl_processor(tokenizer: Qwen2Tokenizer) -> Qwen2VLProcessor:
    """Return the processor of Qwen 2.5 VL."""
    images = Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=56 * 56)
    return Qwen2VLProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(),
        chat_template=CHAT_TEMPLATE,
    )


def mistral(layers: int) -> tuple[PixtralProcessor, Mistral3ForConditionalGeneration]:
    """Return the processor of Mistral Small 3 and the model itself, which could read images."""
    vocabulary = letters(*MISTRAL_TOKENS, "Ċ", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    spelling = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>"))  # noqa: S106
    spelling.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    spelling.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=spelling,
        bos_token="<s>",  # noqa: S106  (no password)
        unk_token="<unk>",  # noqa: S106
        pad_token="<pad>",  # noqa: S106
        additional_special_tokens=list(MISTRAL_TOKENS[3:]),
    )
    sizes = {"hidden_size": TEXT_WIDTH, "intermediate_size": TEXT_WIDTH, "num_attention_heads": 2}
    text = sizes | {"num_key_value_heads": 1, "head_dim": 8, "num_hidden_layers": layers}
    vision = sizes | {"image_size": 28, "patch_size": 14, "head_dim": 8, "num_hidden_layers": 1}
    config = Mistral3Config(
        text_config=text | {"model_type": "mistral", "vocab_size": len(tokenizer)},
        vision_config=vision | {"model_type": "pixtral"},
        image_token_index=vocabulary["[IMG]"],
    )
    images = PixtralImageProcessor(patch_size={"height": 14, "width": 14})
    processor = PixtralProcessor(images, tokenizer, 14, 2, chat_template=MISTRAL_TEMPLATE)
    return processor, Mistral3ForConditionalGeneration(config)


def gemma() -> tuple[GemmaTokenizer, Gemma2Model]:
    """Return Gemma's vocabulary and language model."""
    names = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz0123456789.,"]
    tokenizer = GemmaTokenizer(vocab={name: i for i, name in enumerate(names)}, merges=[])
    config = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=2,
        num_attention_heads=1,
        num_key_value_heads=1,
        head_dim=8,
    )
    return tokenizer, Gemma2Model(config)


KL_BLOCKS = {
    "block_out_channels": (4, 4, 4, 4),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "norm_num_groups": 2,
}


def kl(latent_channels: int = LATENT_CHANNELS) -> AutoencoderKL:
    """Return the autoencoder of most models: a cell is 8 px wide."""
    return AutoencoderKL(
        **KL_BLOCKS,
        latent_channels=latent_channels,
        shift_factor=0.1,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def kl_flux_2() -> AutoencoderKLFlux2:
    """Return the autoencoder of FLUX.2."""
    return AutoencoderKLFlux2(**KL_BLOCKS, latent_channels=LATENT_CHANNELS)


def kl_qwen() -> AutoencoderKLQwenImage:
    """Return the autoencoder of Qwen-Image, which is one of videos."""
    return AutoencoderKLQwenImage(
        base_dim=4,
        z_dim=LATENT_CHANNELS,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * LATENT_CHANNELS,
        latents_std=[1.0] * LATENT_CHANNELS,
    )


def deep() -> AutoencoderDC:
    """Return the autoencoder of Sana, whose cell is 32 px wide."""
    blocks, channels, layers = ("ResBlock",) * 6, (4,) * 6, (1,) * 6
    return AutoencoderDC(
        latent_channels=LATENT_CHANNELS,
        attention_head_dim=2,
        encoder_block_types=blocks,
        decoder_block_types=blocks,
        encoder_block_out_channels=channels,
        decoder_block_out_channels=channels,
        encoder_layers_per_block=layers,
        decoder_layers_per_block=layers,
        encoder_qkv_multiscales=((),) * 6,
        decoder_qkv_multiscales=((),) * 6,
        upsample_block_type="interpolate",
        downsample_block_type="stride_conv",
        decoder_norm_types="rms_norm",
        decoder_act_fns="silu",
    )
