"""What learns and what runs are the same network. Needs jax, which only those who train have."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from normalizer.encoder import Encoder
from normalizer.encoder.pieces import MOST

pytest.importorskip("jax", reason="jax is not installed: it is needed for training only")

WIDTH, WIDE, HEADS, LAYERS = 96, 192, 12, 3
MARKS = ("<s>", "<pad>", "</s>", "<unk>")
WORDS = ("\u2581query", ":", "\u2581", "快递", "没到", "\u2581the", "\u2581box", "a", "b", "o", "x")


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "scripts"))
    names = ("encoder_base", "encoder_file", "encoder_network")
    yield tuple(import_module(name) for name in names)
    for name in names:
        sys.modules.pop(name, None)


def tensors() -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    found = {"emb.pos": random.normal(0, 0.1, 512 * WIDTH), "emb.type": random.normal(0, 0.1, 2 * WIDTH)}
    shapes = dict.fromkeys("qkv", (WIDTH, WIDTH)) | {"ao": (WIDTH, WIDTH), "fi": (WIDE, WIDTH), "fo": (WIDTH, WIDE)}
    for layer in range(LAYERS):
        for name, (rows, columns) in shapes.items():
            found[f"l{layer}.{name}.w"] = random.normal(0, 0.1, (rows, columns))
            found[f"l{layer}.{name}.b"] = random.normal(0, 0.1, rows)
    for norm in ("emb.ln", *[f"l{layer}.{name}" for layer in range(LAYERS) for name in ("aln", "oln")]):
        found |= {f"{norm}.w": random.normal(1, 0.1, WIDTH), f"{norm}.b": random.normal(0, 0.1, WIDTH)}
    return {name: one.astype(np.float32) for name, one in found.items()}


@pytest.mark.parametrize("paired", [1, 2, 99])
@pytest.mark.parametrize("text", ["", "the box", "快递没到", "the box 没到 " * 60])
def test_what_runs_says_what_learns(scripts: Any, tmp_path: Path, text: str, paired: int) -> None:
    base_of, file_of, network = scripts
    random, count = np.random.default_rng(5), len(MARKS) + len(WORDS)
    levels = random.integers(0, 256, (count, WIDTH // 2)).astype(np.uint8)
    scales = random.uniform(0.01, 0.1, (count, WIDTH // 32)).astype(np.float16)
    halves = levels.reshape(count, -1, 16)
    words = np.concatenate([halves & 15, halves >> 4], axis=2).astype(np.float32) - 8
    word = (words * scales.astype(np.float32)[:, :, None]).reshape(count, WIDTH)
    base = base_of.Base(
        (*MARKS, *WORDS), [0.0] * 4 + [-1.0] * len(WORDS), tensors() | {"emb.word": word}, (levels, scales)
    )
    shape = network.Shape(layers=LAYERS, frozen=1, paired=paired)
    numbers: list[list[int]] = []
    known = network.Known(numbers, *[np.zeros((0, 1))] * 4)
    trainer = network.Trainer(base, known, np.zeros(0, np.int32), shape, 0)
    settings: dict[str, Any] = {"share": {}, "warmth": {}, "bars": {}}
    path = tmp_path / "weights.bin"
    file_of.write_encoder(path, base, trainer.tensors(base), set(range(count)), network.ANSWERS, paired, settings)
    encoder = Encoder(path.read_bytes())
    numbers.append(encoder._pieces.numbers(text))
    there = np.ones((1, len(numbers[0]) + len(numbers[0]) % 2), bool)
    there[0, len(numbers[0]) :] = False
    given = np.pad(np.array(numbers), [(0, 0), (0, there.sum(dtype=int) % 2)], constant_values=1)
    state = network.begun(trainer.first, given, there)
    odds = np.asarray(network.answered(trainer.tuned, state, there, None, shape=shape))[0]
    found = [one for field in encoder.hear(text).values() for one in field.values()]
    assert len(numbers[0]) <= MOST
    assert found == pytest.approx(odds.tolist(), abs=0.02)
