"""Original layout: save a diffusers pipeline as one file, as Stable Diffusion was first published.

The names are those of CompVis' and Stability's code (`model.diffusion_model`, `first_stage_model`,
`cond_stage_model` or, of XL, `conditioner`). Only tests write them; the product only reads them.
"""

import re

import torch
from safetensors.torch import save_file

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
DENOISER = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
AUTOENCODER = {
    "conv_norm_out": "norm_out",
    "conv_shortcut": "nin_shortcut",
    "mid_block.resnets.0": "mid.block_1",
    "mid_block.resnets.1": "mid.block_2",
    "mid_block.attentions.0": "mid.attn_1",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
    ".resnets": ".block",
    "downsamplers.0": "downsample",
    "upsamplers.0": "upsample",
    "down_blocks": "down",
}
OPEN_CLIP = {
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding": "token_embedding",
    "final_layer_norm": "ln_final",
    "encoder.layers": "transformer.resblocks",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn": "attn",
}


def save_as_one_file(pipeline, path):
    """Write the weights of a Stable Diffusion (XL) or InstructPix2Pix pipeline to `path`."""
    state = {f"model.diffusion_model.{name}": value for name, value in denoiser(pipeline.unet)}
    state |= {f"first_stage_model.{name}": value for name, value in autoencoder(pipeline.vae)}
    clip = clip_text(pipeline.text_encoder)
    if second := getattr(pipeline, "text_encoder_2", None):
        state |= {f"conditioner.embedders.0.transformer.{name}": value for name, value in clip}
        state |= {f"conditioner.embedders.1.model.{name}": v for name, v in open_clip_text(second)}
    else:
        state |= {f"cond_stage_model.transformer.{name}": value for name, value in clip}
        state["alphas_cumprod"] = torch.linspace(1, 0, 1000)
    save_file({name: value.contiguous().clone() for name, value in state.items()}, path)


def denoiser(unet):
    layers = unet.config.layers_per_block
    for name, value in unet.state_dict().items():
        yield denoiser_name(name, layers, unet), value


def denoiser_name(name, layers, unet):
    """Return a name of the UNet; blocks are numbered continuously, samplers are blocks too."""
    found = re.match(
        r"(down|up)_blocks\.(\d+)\.(resnets|attentions|\w+samplers)\.(\d+)\.(.*)", name
    )
    if not found:
        return renamed_resnet(replaced(name, DENOISER))
    way, block, part, index = found[1], int(found[2]), found[3], int(found[4])
    if part == "downsamplers":
        return f"input_blocks.{(block + 1) * (layers + 1)}.0.{found[5].replace('conv', 'op')}"
    if part == "upsamplers":
        place = 2 if hasattr(unet.up_blocks[block], "attentions") else 1
        return f"output_blocks.{block * (layers + 1) + layers}.{place}.{found[5]}"
    number = block * (layers + 1) + index + (way == "down")
    blocks, place = "input_blocks" if way == "down" else "output_blocks", int(part == "attentions")
    return renamed_resnet(f"{blocks}.{number}.{place}.{found[5]}")


def renamed_resnet(name):
    return name if "transformer_blocks" in name else replaced(name, RESNET)


def autoencoder(vae):
    last = len(vae.config.up_block_types) - 1
    for name, value in vae.state_dict().items():
        original = re.sub(r"up_blocks\.(\d)", lambda found: f"up.{last - int(found[1])}", name)
        original = replaced(original, AUTOENCODER)
        is_attention = "attn_1" in original and value.ndim == 2
        yield original, value[:, :, None, None] if is_attention else value


def clip_text(encoder):
    for name, value in encoder.state_dict().items():
        yield f"text_model.{name.removeprefix('text_model.')}", value


def open_clip_text(encoder):
    """Yield the second text encoder of XL: query, key and value are one matrix in OpenCLIP."""
    state = {name.removeprefix("text_model."): v for name, v in encoder.state_dict().items()}
    yield "text_projection", state.pop("text_projection.weight").T
    for name, value in state.items():
        if "q_proj" in name:
            joined = torch.cat([state[name.replace("q_proj", part)] for part in JOINED])
            ending = name.replace("q_proj.", "in_proj_")
            yield replaced(ending, OPEN_CLIP), joined
        elif "k_proj" not in name and "v_proj" not in name:
            yield replaced(name, OPEN_CLIP), value


JOINED = ("q_proj", "k_proj", "v_proj")


def replaced(name, names):
    for old, new in names.items():
        name = name.replace(old, new)
    return name
