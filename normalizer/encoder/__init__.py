"""An optional third voice: a small pretrained encoder, tuned by scripts/train_encoder.py. Needs the `encoder` extra."""

from __future__ import annotations

from normalizer.encoder.network import Encoder, Heard, load

__all__ = ["Encoder", "Heard", "load"]
