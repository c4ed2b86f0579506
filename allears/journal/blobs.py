"""Large bodies: files named by their SHA-256, on disk before the row that names them."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path


class Blobs:
    """A folder of content-addressed files, fanned out by the first two hex digits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256

    def read(self, sha256: str) -> bytes:
        """Raises FileNotFoundError when nobody wrote it."""
        return self.path(sha256).read_bytes()

    def write(self, content: bytes) -> str:
        """Store once, fsync file and folder; returns the SHA-256 in hex."""
        name = hashlib.sha256(content).hexdigest()
        target = self.path(name)
        if _is_young_again(target, len(content)):
            return name
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True, mode=0o700)
            sync_folder(self.folder)
        _write_whole(target, content)
        sync_folder(target.parent)
        return name


def _is_young_again(target: Path, size: int) -> bool:
    """Whether it is there: what is a day old and unnamed is removed, at any moment."""
    try:
        if target.stat().st_size != size:
            return False
        os.utime(target)
    except FileNotFoundError:
        return False
    return True


def _write_whole(target: Path, content: bytes) -> None:
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with partial.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """A new name is only durable once its folder is."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
