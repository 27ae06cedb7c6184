"""Functions and files stay small enough to be read at once."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from tests.laws.tree import EVERYTHING, PRODUCT, Function, modules

FUNCTION_MOST, FUNCTION_P90 = 60, 25
FILE_MOST, FILE_P90 = 500, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Lines of each function (docstring apart) and of each file, by place."""

    functions: dict[str, int]
    files: dict[str, int]


def measure(root: Path, *folders: str) -> Sizes:
    """The sizes of everything in these folders."""
    functions, files = {}, {}
    for module in modules(root, *folders):
        files[str(module.path)] = module.text.count("\n")
        for function in module.functions:
            functions[f"{module.at(function)} {function.name}"] = lines(function)
    return Sizes(functions=functions, files=files)


def lines(function: Function) -> int:
    """Lines from `def` to the end, less those of the docstring."""
    whole = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is None:
        return whole
    return whole - ((first.end_lineno or first.lineno) - first.lineno + 1)


def p90(sizes: Sequence[int]) -> int:
    """The size that nine in ten do not exceed (nearest rank); 0 for none."""
    ranked = sorted(sizes)
    return ranked[ceil(len(ranked) * 0.9) - 1] if ranked else 0


def too_large(root: Path) -> list[str]:
    """What is over its most, and where a p90 is over its own."""
    every, product = measure(root, *EVERYTHING), measure(root, *PRODUCT)
    over = [
        f"{place}: {size} lines, most {most}. Find the noun inside it."
        for sizes, most in [
            (every.functions, FUNCTION_MOST),
            (every.files, FILE_MOST),
        ]
        for place, size in sizes.items()
        if size > most
    ]
    for what, sizes, most in [
        ("functions", product.functions, FUNCTION_P90),
        ("files", product.files, FILE_P90),
    ]:
        if (found := p90(list(sizes.values()))) > most:
            over.append(f"{what}: p90 is {found} lines, most {most}.")
    return over
