"""Encoders: what is frozen, what is trained, whose names they read."""

from dataclasses import replace

import pytest
import torch
from cmcseg.core.card import NetworkSpec
from cmcseg.core.errors import BadInput
from cmcseg.nets.build import build_network
from cmcseg.nets.encoders.sam_med3d import SamMed3dEncoder
from cmcseg.nets.encoders.universal_unet import UniversalUnetEncoder
from cmcseg.nets.encoders.vit3d import VitSize
from cmcseg.nets.official import official_weights
from tiny import tiny_card

VIT = VitSize(patch=4, grid=4, width=12, depth=3, heads=2, window=3, everywhere=(2,), out=6)
SAM = NetworkSpec(encoder="sam_med3d", widths=(4, 8), patch=(2, 2, 2), strides=((2, 2, 2),))
UNET = NetworkSpec(
    encoder="universal_unet", widths=(4, 6, 8), patch=(1, 1, 1), strides=2 * ((2, 2, 2),)
)


def an_image(size=16, cases=1):
    shape = (cases, 1, size, size, size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def a_sam(modalities=2):
    torch.manual_seed(0)
    encoder = SamMed3dEncoder(SAM, modalities, VIT)
    for parameter in encoder.vit.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return encoder


class TestSamMed3d:
    def test_the_pyramid_has_the_widths_and_steps_of_the_card(self):
        features = a_sam()(an_image(), 0)
        assert [tuple(x.shape) for x in features] == [(1, 4, 8, 8, 8), (1, 8, 4, 4, 4)]

    def test_at_the_start_the_side_paths_change_nothing(self):
        encoder = a_sam().eval()
        with torch.inference_mode():
            plain = encoder.bottleneck(encoder.vit(an_image()))
            assert torch.equal(encoder(an_image(), 1)[-1], plain)

    def test_the_transformer_is_frozen_and_all_else_is_trained(self):
        encoder = a_sam(modalities=1)
        before = {name: value.clone() for name, value in encoder.state_dict().items()}
        optimizer = torch.optim.SGD([p for p in encoder.parameters() if p.requires_grad], lr=0.1)
        for _ in range(2):  # the first step opens the side paths, the second moves what is behind
            optimizer.zero_grad()
            sum((x**2).sum() + x.sum() for x in encoder(an_image(), 0)).backward()
            optimizer.step()
        still = {k for k, v in encoder.state_dict().items() if torch.equal(v, before[k])}
        assert still == {k for k in before if k.startswith("vit.") and ".neck." not in k}

    def test_each_modality_has_its_own_side_paths(self):
        encoder = a_sam()
        sum(x.sum() for x in encoder(an_image(), 1)).backward()
        assert all(p.grad is None for p in encoder.adapters[0].parameters())
        assert encoder.adapters[1][0].up.weight.grad.abs().max() > 0

    def test_the_official_names_are_read_and_the_decoders_are_left(self):
        encoder = a_sam()
        official = {f"image_encoder.{k}": v for k, v in encoder.vit.state_dict().items()}
        beside = {"mask_decoder.iou_token.weight": torch.zeros(1, 384)}
        found = official_weights(encoder, {**official, **beside})
        assert set(found) == {f"vit.{k}" for k in encoder.vit.state_dict()}
        assert torch.equal(found["vit.pos_embed"], encoder.vit.pos_embed)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda s: s.pop("image_encoder.neck.3.bias"), "image_encoder.neck.3.bias is missing"),
            (
                lambda s: s.update({"image_encoder.blocks.3.norm1.bias": torch.zeros(12)}),
                "image_encoder.blocks.3.norm1.bias is not expected",
            ),
            (
                lambda s: s.update({"image_encoder.pos_embed": torch.zeros(1, 8, 8, 8, 12)}),
                "image_encoder.pos_embed has shape (1, 8, 8, 8, 12) instead of (1, 4, 4, 4, 12)",
            ),
        ],
    )
    def test_a_partial_match_is_refused(self, change, words):
        encoder = a_sam()
        official = {f"image_encoder.{k}": v for k, v in encoder.vit.state_dict().items()}
        change(official)
        with pytest.raises(BadInput) as refusal:
            official_weights(encoder, official)
        assert str(refusal.value) == f"The checkpoint does not fit the encoder: {words}."

    def test_a_pyramid_that_does_not_end_in_tokens_is_refused(self):
        card = replace(tiny_card(), network=SAM)
        with pytest.raises(BadInput) as refusal:
            build_network(card)
        assert str(refusal.value) == (
            "The encoder sam_med3d has tokens of 16 voxels: patch and strides must multiply to 16 "
            "along each axis, not to (4, 4, 4)."
        )

    def test_a_whole_network_can_be_built_around_it(self):
        spec = replace(SAM, widths=(8, 16, 32, 64), strides=3 * ((2, 2, 2),))
        with torch.device("meta"):
            network = build_network(replace(tiny_card(), network=spec))
            out = network({0: torch.zeros(1, 1, 96, 96, 64)}, torch.zeros(1))[0]
        assert out.logits_BKDHW.shape == (1, 5, 96, 96, 64)
        assert out.bottleneck_BCDHW.shape == (1, 64, 6, 6, 4)


class TestUniversalUnet:
    def test_the_pyramid_has_the_widths_of_the_card(self):
        features = UniversalUnetEncoder(UNET, 1)(an_image(), 0)
        assert [tuple(x.shape[1:]) for x in features] == [
            (4, 16, 16, 16),
            (6, 8, 8, 8),
            (8, 4, 4, 4),
        ]

    def test_one_case_gives_what_batch_statistics_give(self):
        """The published code: convolution with bias, batch norm of the batch, rectifier, pool."""
        encoder = UniversalUnetEncoder(UNET, 1)
        official = an_official_checkpoint(UNET.widths)
        encoder.load_state_dict(official_weights(encoder, official))
        expected = slow_unet(an_image(), official)
        with torch.inference_mode():
            found = encoder(an_image(), 0)
        for x, y in zip(found, expected, strict=True):
            torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-5)

    def test_a_case_does_not_depend_on_its_neighbours_in_the_batch(self):
        encoder, images = UniversalUnetEncoder(UNET, 1), an_image(cases=2)
        with torch.inference_mode():
            together, apart = encoder(images, 0)[-1][:1], encoder(images[:1], 0)[-1]
        torch.testing.assert_close(together, apart, atol=1e-5, rtol=1e-5)

    def test_every_modality_starts_from_the_official_norms(self):
        encoder = UniversalUnetEncoder(UNET, 2)
        weights = official_weights(encoder, an_official_checkpoint(UNET.widths))
        assert set(weights) == set(encoder.state_dict())
        first, second = (weights[f"levels.0.0.norm.norms.{m}.weight"] for m in (0, 1))
        assert torch.equal(first, second)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (
                {"patch": (2, 2, 2)},
                "The encoder universal_unet takes the patch (1, 1, 1) and at most three strides "
                "(2, 2, 2), not (2, 2, 2) and (2, 2, 2), (2, 2, 2).",
            ),
            (
                {"widths": (4, 6, 7)},
                "The encoder universal_unet takes even widths, not (4, 6, 7).",
            ),
        ],
    )
    def test_another_shape_is_refused(self, change, words):
        with pytest.raises(BadInput) as refusal:
            UniversalUnetEncoder(replace(UNET, **change), 1)
        assert str(refusal.value) == words


def an_official_checkpoint(widths):
    """Names and shapes of the published checkpoint, narrow, with a decoder beside the encoder."""
    chance = torch.Generator().manual_seed(3)
    state, into = {}, 1
    for stage, width in zip(("64", "128", "256", "512"), widths, strict=False):
        for number, (a, b) in enumerate(((into, width // 2), (width // 2, width))):
            name = f"module.backbone.down_tr{stage}.ops.{number}"
            state[f"{name}.conv1.weight"] = torch.randn(b, a, 3, 3, 3, generator=chance)
            state[f"{name}.conv1.bias"] = torch.randn(b, generator=chance)
            state[f"{name}.bn1.weight"] = 1 + 0.1 * torch.randn(b, generator=chance)
            state[f"{name}.bn1.bias"] = torch.randn(b, generator=chance)
            state[f"{name}.bn1.running_mean"] = torch.randn(b, generator=chance)
            state[f"{name}.bn1.running_var"] = torch.ones(b)
            state[f"{name}.bn1.num_batches_tracked"] = torch.tensor(7)
        into = width
    state["module.backbone.up_tr256.up_conv.weight"] = torch.zeros(1)
    state["module.organ_embedding"] = torch.zeros(1)
    return state


def slow_unet(x, state):
    out = []
    for stage in ("64", "128", "256"):
        if out:
            x = torch.nn.functional.max_pool3d(x, 2)
        for number in (0, 1):
            name = f"module.backbone.down_tr{stage}.ops.{number}"
            x = torch.nn.functional.conv3d(
                x, state[f"{name}.conv1.weight"], state[f"{name}.conv1.bias"], padding=1
            )
            mean = x.mean((0, 2, 3, 4), keepdim=True)
            deviation = (x.var((0, 2, 3, 4), correction=0, keepdim=True) + 1e-5).sqrt()
            scale, shift = (
                state[f"{name}.bn1.{k}"].view(1, -1, 1, 1, 1) for k in ("weight", "bias")
            )
            x = ((x - mean) / deviation * scale + shift).clamp_min(0)
        out.append(x)
    return out
