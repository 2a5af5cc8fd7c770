"""Formulas written so plainly that they are obviously right, and slow."""

import math

import torch


def slow_info_nce(a, b, temperature):
    """The formula, one similarity at a time, in double precision."""
    cases, n, _ = a.shape
    out = torch.zeros(cases, n, dtype=torch.float64)
    for case in range(cases):
        s = [[0.0] * n for _ in range(n)]
        for i in range(n):
            for j in range(n):
                u, v = a[case, i].double(), b[case, j].double()
                s[i][j] = float((u * v).sum() / u.norm() / v.norm()) / temperature
        for i in range(n):
            row = sum(math.exp(s[i][j]) for j in range(n))
            column = sum(math.exp(s[j][i]) for j in range(n))
            there, back = math.exp(s[i][i]) / row, math.exp(s[i][i]) / column
            out[case, i] = -(math.log(there) + math.log(back)) / 2
    return out
