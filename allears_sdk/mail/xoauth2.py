"""XOAUTH2, by which mail servers take access tokens in place of passwords, and the permissions to ask for.

Google: "OAuth 2.0 Mechanism" of Gmail; Microsoft: "Authenticate an IMAP, POP or SMTP connection using OAuth".
"""

from __future__ import annotations

from typing import Literal

from allears_sdk.oauth import OAuthSettings

_GOOGLE = ("https://mail.google.com/",)
_MICROSOFT = {
    "imap": "https://outlook.office.com/IMAP.AccessAsUser.All",
    "pop": "https://outlook.office.com/POP.AccessAsUser.All",
    "smtp": "https://outlook.office.com/SMTP.Send",
}
_MICROSOFT_APPLICATION = ("https://outlook.office365.com/.default",)


class Xoauth2:
    """The client's side of one log-in, called with each challenge."""

    def __init__(self, username: str, token: str) -> None:
        self._response = f"user={username}\1auth=Bearer {token}\1\1".encode()
        self.refusal = b""
        """What the server said against the token: JSON with status, schemes and scope."""

    def __call__(self, challenge: bytes) -> bytes:
        """The token first. A second challenge is a refusal, and wants an empty line before the server says NO."""
        response, self._response = self._response, b""
        self.refusal = b"" if response else challenge
        return response


def mail_scopes(settings: OAuthSettings, *protocols: Literal["imap", "pop", "smtp"]) -> tuple[str, ...]:
    """What has to be granted; nothing for a provider that only its admin knows."""
    if settings.provider == "google":
        return _GOOGLE
    if settings.provider != "microsoft":
        return ()
    return tuple(_MICROSOFT[one] for one in protocols) if settings.is_personal else _MICROSOFT_APPLICATION
