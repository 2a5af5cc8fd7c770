"""The transformer gives what the official one gives; the twin below does it by plain loops."""

import itertools
import math

import pytest
import torch
from cmcseg.nets.encoders.vit3d import VIT_B_ORI, Vit3d, VitSize, _resized

TINY = VitSize(patch=2, grid=4, width=6, depth=2, heads=2, window=3, everywhere=(1,), out=4)


def a_vit(size=TINY, seed=0):
    """A transformer whose every weight matters, position encodings included."""
    vit = Vit3d(size).eval()
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in vit.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=chance))
    return vit


def an_image(*shape, seed=1):
    return torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(seed))


def slow_norm(vector, weight, bias):
    return (vector - vector.mean()) / torch.sqrt(vector.var(correction=0) + 1e-6) * weight + bias


def slow_attention(tokens, w, prefix, heads):
    """Every query and every key of a cube of tokens, one by one.

    The bias is the published one: its second and third terms read the query and the encodings at
    other places than their names suggest.
    """
    n, width = tokens.shape[0], tokens.shape[-1]
    size = width // heads
    places = list(itertools.product(range(n), repeat=3))
    projected = {p: w[f"{prefix}.qkv.weight"] @ tokens[p] + w[f"{prefix}.qkv.bias"] for p in places}
    table = {axis: w[f"{prefix}.rel_pos_{axis}"] for axis in "dhw"}
    out = torch.zeros_like(tokens)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        q, k, v = (
            {p: projected[p][m * width : (m + 1) * width][part] for p in places} for m in range(3)
        )
        for d, h, x in places:
            scores = []
            for i, j, g in places:
                score = float(q[d, h, x] @ k[i, j, g]) / math.sqrt(size)
                score += float(q[d, h, x] @ table["d"][d - g + n - 1])
                score += float(q[d, h, i] @ table["h"][h - g + n - 1])
                score += float(q[d, h, j] @ table["w"][j - g + n - 1])
                scores.append(score)
            weights = torch.tensor(scores, dtype=tokens.dtype).softmax(0)
            found = sum(weight * v[p] for weight, p in zip(weights, places, strict=True))
            out[d, h, x, part] = found
    proj_w, proj_b = w[f"{prefix}.proj.weight"], w[f"{prefix}.proj.bias"]
    return torch.stack([proj_w @ row + proj_b for row in out.view(-1, width)]).view_as(out)


def slow_windows(tokens, w, prefix, size):
    n = tokens.shape[0]
    whole = math.ceil(n / size.window) * size.window
    filled = torch.zeros(whole, whole, whole, tokens.shape[-1], dtype=tokens.dtype)
    filled[:n, :n, :n] = tokens
    for corner in itertools.product(range(0, whole, size.window), repeat=3):
        place = tuple(slice(c, c + size.window) for c in corner)
        filled[place] = slow_attention(filled[place].clone(), w, prefix, size.heads)
    return filled[:n, :n, :n]


def slow_vit(image, vit, size):
    """The official encoder in double precision, a token at a time."""
    w = {name: value.double() for name, value in vit.state_dict().items()}
    n = size.grid
    tokens = torch.zeros(n, n, n, size.width, dtype=torch.float64)
    for place in itertools.product(range(n), repeat=3):
        cube = image[0, 0][tuple(slice(size.patch * p, size.patch * (p + 1)) for p in place)]
        tokens[place] = (w["patch_embed.proj.weight"][:, 0] * cube).sum((1, 2, 3))
    x = tokens + w["patch_embed.proj.bias"] + w["pos_embed"][0]
    for number in range(size.depth):
        b = f"blocks.{number}"
        normed = slow_norm_all(x, w[f"{b}.norm1.weight"], w[f"{b}.norm1.bias"])
        if number in size.everywhere:
            x = x + slow_attention(normed, w, f"{b}.attn", size.heads)
        else:
            x = x + slow_windows(normed, w, f"{b}.attn", size)
        normed = slow_norm_all(x, w[f"{b}.norm2.weight"], w[f"{b}.norm2.bias"])
        hidden = normed @ w[f"{b}.mlp.lin1.weight"].T + w[f"{b}.mlp.lin1.bias"]
        hidden = 0.5 * hidden * (1 + torch.erf(hidden / math.sqrt(2)))
        x = x + hidden @ w[f"{b}.mlp.lin2.weight"].T + w[f"{b}.mlp.lin2.bias"]
    x = x @ w["neck.0.weight"][:, :, 0, 0, 0].T
    x = slow_norm_all(x, w["neck.1.weight"], w["neck.1.bias"])
    x = torch.nn.functional.conv3d(x.movedim(-1, 0)[None], w["neck.2.weight"], padding=1)
    return slow_norm_all(x[0].movedim(0, -1), w["neck.3.weight"], w["neck.3.bias"]).movedim(-1, 0)


def slow_norm_all(tokens, weight, bias):
    rows = [slow_norm(row, weight, bias) for row in tokens.view(-1, tokens.shape[-1])]
    return torch.stack(rows).view_as(tokens)


def test_the_transformer_equals_its_slow_twin():
    vit, image = a_vit().double(), an_image(8, 8, 8).double()
    with torch.inference_mode():
        found = vit(image)[0]
    torch.testing.assert_close(found, slow_vit(image, vit, TINY), atol=1e-9, rtol=0)


def test_single_precision_stays_within_1e_4():
    vit, image = a_vit(), an_image(8, 8, 8)
    with torch.inference_mode():
        found = vit(image)
        exact = vit.double()(image.double())
    assert (found - exact).abs().max() < 1e-4


def test_the_official_size_has_the_official_names_and_shapes():
    with torch.device("meta"):
        state = Vit3d().state_dict()
    assert len(state) == 189
    assert state["pos_embed"].shape == (1, 8, 8, 8, 768)
    assert state["patch_embed.proj.weight"].shape == (768, 1, 16, 16, 16)
    assert state["blocks.0.attn.rel_pos_d"].shape == (27, 64)
    assert state["blocks.2.attn.rel_pos_w"].shape == (15, 64)
    assert state["blocks.11.mlp.lin1.weight"].shape == (3072, 768)
    assert state["blocks.11.attn.qkv.bias"].shape == (2304,)
    assert state["neck.2.weight"].shape == (384, 384, 3, 3, 3)
    assert VIT_B_ORI.everywhere == (2, 5, 8, 11)


@pytest.mark.parametrize("shape", [(4, 6, 10), (2, 2, 2), (14, 8, 4)])
def test_other_grids_of_tokens_work(shape):
    with torch.inference_mode():
        found = a_vit()(an_image(*shape))
    assert found.shape == (1, 4, *(n // 2 for n in shape))
    assert torch.isfinite(found).all()


def test_a_finer_grid_sees_the_same_positions_in_between():
    """A ramp of encodings stays a ramp."""
    vit = a_vit()
    with torch.no_grad():
        vit.pos_embed.copy_(torch.linspace(-1, 1, 4).view(1, 4, 1, 1, 1).expand(1, 4, 4, 4, 6))
    fine = _resized(vit.pos_embed, (8, 4, 4))[0, :, 0, 0, 0]
    torch.testing.assert_close(fine[1:-1].diff(), torch.full((5,), 1 / 3))


def test_a_side_path_is_added_to_its_block():
    vit, image = a_vit(), an_image(8, 8, 8)
    seen = []

    def nothing(number, tokens):
        seen.append(number)
        return torch.zeros_like(tokens)

    with torch.inference_mode():
        assert torch.equal(vit(image, nothing), vit(image))
        assert not torch.equal(vit(image, lambda _, tokens: 0.1 * tokens), vit(image))
    assert seen == [0, 1]


def test_half_precision_around_it_gives_nearly_the_same():
    vit, image = a_vit(), an_image(8, 8, 8)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        rough = vit(image)
    with torch.inference_mode():
        exact = vit(image)
    assert torch.nn.functional.cosine_similarity(rough.flatten(), exact.flatten(), dim=0) > 0.98
