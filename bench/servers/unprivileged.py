"""Who runs a server that refuses to run as root, and a folder that this user can get to."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
import weakref
from pathlib import Path


def account() -> pwd.struct_passwd | None:
    """Never root; None: whoever we are."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


class Home:
    """A folder of the server's own, gone with this object. Short: socket paths must stay below 108 bytes."""

    def __init__(self, name: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self.user = account()
        if self.user:
            os.chown(self.path, self.user.pw_uid, self.user.pw_gid)
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
