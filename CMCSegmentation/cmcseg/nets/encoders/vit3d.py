"""SAM-Med3D's image encoder: a vision transformer whose tokens are cubes of 16 voxels.

Wang et al., *SAM-Med3D*, ECCV BIC 2024, after Kirillov et al., *Segment Anything*, ICCV 2023, and
Li et al., *ViTDet*, ECCV 2022. Parameters carry the official names, so that the official
checkpoint fits as it is. One thing is done otherwise, with the same result: where 8 x 8 x 8 tokens
lie in a window of 14, nothing is scored for the empty tokens that fill it, since nobody reads it;
that is four fifths of the work.

Shapes: B batch, T P Q tokens along the axes, C channels, F those of the perceptron, G heads,
E channels of a head, N queries, L keys; W is an axis filled up to the window.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

EPS = 1e-6  # of the norms
Triple = tuple[int, int, int]


@dataclass(frozen=True, kw_only=True)
class VitSize:
    """How large the transformer is; the defaults are the official ``vit_b_ori``.

    Attributes:
        patch: edge of a token in voxels.
        grid: tokens along each axis of the window that the position encodings were trained on.
        width: channels of a token.
        depth: number of blocks.
        heads: of the attention.
        window: edge in tokens of the windows that attention stays in.
        everywhere: blocks whose attention sees all tokens.
        out: channels of the result.
    """

    patch: int = 16
    grid: int = 8
    width: int = 768
    depth: int = 12
    heads: int = 12
    window: int = 14
    everywhere: tuple[int, ...] = (2, 5, 8, 11)
    out: int = 384


VIT_B_ORI = VitSize()


class Vit3d(nn.Module):
    """The transformer and its neck."""

    def __init__(self, size: VitSize = VIT_B_ORI) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv3d(1, size.width, size.patch, size.patch)})
        self.pos_embed = nn.Parameter(torch.zeros(1, *3 * [size.grid], size.width))
        self.blocks = nn.ModuleList(
            _Block(size, 0 if i in size.everywhere else size.window) for i in range(size.depth)
        )
        self.neck = nn.Sequential(
            nn.Conv3d(size.width, size.out, 1, bias=False),
            _ChannelNorm(size.out),
            nn.Conv3d(size.out, size.out, 3, padding=1, bias=False),
            _ChannelNorm(size.out),
        )

    def forward(
        self, image_B1DHW: Tensor, beside: Callable[[int, Tensor], Tensor] | None = None
    ) -> Tensor:
        """``(B, 1, 16 T, 16 P, 16 Q)`` to ``(B, out, T, P, Q)``.

        Args:
            image_B1DHW: normalised voxels; any multiple of the patch.
            beside: given a block's number and its normed tokens, what a side path adds to the
                result of the block.
        """
        x_BTPQC = self.patch_embed["proj"](image_B1DHW).movedim(1, -1)
        x_BTPQC = x_BTPQC + _resized(self.pos_embed, x_BTPQC.shape[1:4])
        for number, block in enumerate(self.blocks):
            x_BTPQC = block(x_BTPQC, beside and (lambda y, n=number: beside(n, y)))
        return self.neck(x_BTPQC.movedim(-1, 1))


class _Block(nn.Module):
    """Attention and two-layer perceptron, each behind a norm and beside a shortcut."""

    def __init__(self, size: VitSize, window: int) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(size.width, eps=EPS)
        self.attn = _Attention(size, window or size.grid)
        self.norm2 = nn.LayerNorm(size.width, eps=EPS)
        self.mlp = nn.ModuleDict(
            {
                "lin1": nn.Linear(size.width, 4 * size.width),
                "lin2": nn.Linear(4 * size.width, size.width),
            }
        )

    def forward(self, x_BTPQC: Tensor, beside: Callable[[Tensor], Tensor] | None) -> Tensor:
        x_BTPQC = x_BTPQC + self._attend(self.norm1(x_BTPQC))
        normed_BTPQC = self.norm2(x_BTPQC)
        hidden_BTPQF = nn.functional.gelu(self.mlp["lin1"](normed_BTPQC))
        x_BTPQC = x_BTPQC + self.mlp["lin2"](hidden_BTPQF)
        return x_BTPQC + beside(normed_BTPQC) if beside else x_BTPQC

    def _attend(self, x_BTPQC: Tensor) -> Tensor:
        if not self.window:
            return self.attn(x_BTPQC, max(x_BTPQC.shape[1:4]), filled=False)
        out_BTPQC = torch.empty_like(x_BTPQC)
        for corner in itertools.product(*(range(0, n, self.window) for n in x_BTPQC.shape[1:4])):
            place = (slice(None), *(slice(c, c + self.window) for c in corner))
            out_BTPQC[place] = self.attn(x_BTPQC[place], self.window, filled=True)
        return out_BTPQC


class _Attention(nn.Module):
    """Attention with relative positions, decomposed along the axes (Li et al., MViTv2, 2022)."""

    def __init__(self, size: VitSize, extent: int) -> None:
        super().__init__()
        self.heads = size.heads
        table = (2 * extent - 1, size.width // size.heads)
        self.qkv = nn.Linear(size.width, 3 * size.width)
        self.proj = nn.Linear(size.width, size.width)
        self.rel_pos_d = nn.Parameter(torch.zeros(table))
        self.rel_pos_h = nn.Parameter(torch.zeros(table))
        self.rel_pos_w = nn.Parameter(torch.zeros(table))

    def forward(self, x_BTPQC: Tensor, extent: int, *, filled: bool) -> Tensor:
        """Attend from every token to every token.

        Args:
            x_BTPQC: tokens, at most ``extent`` along each axis.
            extent: edge of the cube that the encodings of relative positions describe.
            filled: whether empty tokens that fill up the cube are attended to as well.
        """
        here = x_BTPQC.shape[1:4]
        room = 3 * (extent,) if filled else here
        (query_w, rest_w), (query_b, rest_b) = (
            x.tensor_split([x_BTPQC.shape[-1]]) for x in (self.qkv.weight, self.qkv.bias)
        )
        rows = _filled(x_BTPQC, (*here[:2], extent))
        query_BGTPWE = self._split(nn.functional.linear(rows, query_w, query_b))
        rest = self._split(nn.functional.linear(_filled(x_BTPQC, room), rest_w, rest_b), 2)
        key_BGLE, value_BGLE = rest.flatten(2, 4).chunk(2, dim=1)
        found_BGNE = nn.functional.scaled_dot_product_attention(
            query_BGTPWE[..., : here[2], :].flatten(2, 4),
            key_BGLE,
            value_BGLE,
            attn_mask=self._bias(query_BGTPWE, here[2], room),
        )
        return self.proj(found_BGNE.transpose(1, 2).flatten(2)).view_as(x_BTPQC)

    def _split(self, x_BTPQC: Tensor, parts: int = 1) -> Tensor:
        return x_BTPQC.unflatten(-1, (parts * self.heads, -1)).movedim(-2, 1)

    def _bias(self, query_BGTPWE: Tensor, width: int, room: Triple) -> Tensor:
        """``(B, G, N, L)``: what relative positions add to the scores.

        For a query at (t, p, q) and a key at (i, j, k) it is

            query[t, p, q] . d[t - k] + query[t, p, i] . h[p - k] + query[t, p, j] . w[j - k]

        Only the first term is what its name says. The official code adds the other two along
        other axes than it means to; its weights were trained with that, so they need it.
        """
        deep, high, extent = query_BGTPWE.shape[2:5]
        d, h, w = (_ways(x, extent) for x in (self.rel_pos_d, self.rel_pos_h, self.rel_pos_w))
        own = query_BGTPWE[..., :width, :]
        by_d = torch.einsum("bgtpqe,tke->bgtpqk", own, d[:deep, : room[2]])
        by_h = torch.einsum("bgtpie,pke->bgtpik", query_BGTPWE, h[:high, : room[2]])
        by_w = torch.einsum("bgtpje,jke->bgtpjk", query_BGTPWE, w[:, : room[2]])
        by_h, by_w = by_h[..., : room[0], :], by_w[..., : room[1], :]
        bias = (
            by_d[..., None, None, :]
            + by_h[:, :, :, :, None, :, None]
            + by_w[:, :, :, :, None, None]
        )
        return bias.flatten(5, 7).flatten(2, 4)


class _ChannelNorm(nn.Module):
    """Layer norm over the channels of each position."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x_BCDHW: Tensor) -> Tensor:
        x = x_BCDHW.movedim(1, -1)
        x = nn.functional.layer_norm(x, x.shape[-1:], self.weight, self.bias, EPS)
        return x.movedim(-1, 1)


def _filled(x_BTPQC: Tensor, room: Triple) -> Tensor:
    """Empty tokens behind the last ones until the room is full."""
    missing = [n - have for n, have in zip(room, x_BTPQC.shape[1:4], strict=True)]
    return nn.functional.pad(x_BTPQC, (0, 0, 0, missing[2], 0, missing[1], 0, missing[0]))


def _ways(table_RE: Tensor, extent: int) -> Tensor:
    """``(extent, extent, E)``: the encoding of the way from query i to key j.

    The table is stretched when it was trained for another extent.
    """
    if table_RE.shape[0] != 2 * extent - 1:
        table_RE = nn.functional.interpolate(
            table_RE.T[None], size=2 * extent - 1, mode="linear", align_corners=False
        )[0].T
    place = torch.arange(extent, device=table_RE.device)
    return table_RE[place[:, None] - place[None, :] + extent - 1]


def _resized(encoding_1TPQC: Tensor, shape: Triple) -> Tensor:
    """Position encodings for another grid of tokens, linearly in between."""
    if tuple(encoding_1TPQC.shape[1:4]) == tuple(shape):
        return encoding_1TPQC
    resized = nn.functional.interpolate(
        encoding_1TPQC.movedim(-1, 1), size=tuple(shape), mode="trilinear", align_corners=False
    )
    return resized.movedim(1, -1)
