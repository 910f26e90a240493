import pytest
import torch
from diffusers import AutoencoderKL

from training.vae import build_model
from training.warm_start import carry_over, wake_idle_directions


def test_a_word_keeps_its_row_under_its_new_number():
    old = {"token_embedding.weight": torch.tensor([[1.0], [2.0]])}
    new = {"token_embedding.weight": torch.tensor([[7.0], [8.0], [9.0]])}
    state = carry_over(old, new, {"car": 0, "dog": 1}, {"boat": 0, "car": 1, "dog": 2})
    assert state["token_embedding.weight"].tolist() == [[7.0], [1.0], [2.0]]


def test_positions_keep_their_place_and_other_tensors_are_copied():
    old = {"position_embeddings.weight": torch.ones(2, 1), "norm.bias": torch.ones(3)}
    new = {"position_embeddings.weight": torch.zeros(3, 1), "norm.bias": torch.zeros(3)}
    state = carry_over(old, new, {}, {})
    assert state["position_embeddings.weight"].flatten().tolist() == [1.0, 1.0, 0.0]
    assert state["norm.bias"].tolist() == [1.0, 1.0, 1.0]


def test_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"norm.bias was \(2,\), is \(3,\)"):
        carry_over({"norm.bias": torch.ones(2)}, {"norm.bias": torch.ones(3)}, {}, {})


def latent_variances(model: AutoencoderKL, images: torch.Tensor) -> torch.Tensor:
    means = model.encode(images).latent_dist.mean.movedim(1, -1).flatten(0, 2)
    return torch.linalg.eigvalsh(torch.cov(means.T))


@torch.no_grad()
def test_idle_latent_directions_carry_something_and_busy_ones_stay():
    torch.manual_seed(0)
    model, images = build_model().eval(), torch.rand(8, 3, 64, 64) * 2 - 1
    model.quant_conv.weight[1:4] = model.quant_conv.weight[:1]
    model.quant_conv.weight[:4] *= 20
    before = latent_variances(model, images)
    wake_idle_directions(model, images)
    after = latent_variances(model, images)
    assert before[:3].max() < 1e-3
    assert after[:3].min() > 0.5
    assert after[3] == pytest.approx(before[3], rel=0.5)
