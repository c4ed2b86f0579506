"""Labels by the names people see."""

from __future__ import annotations

from allears_sdk.errors import ConfigError
from allears_sdk.settings import nearest
from connectors._mail.source import Gone
from connectors.gmail.api import GmailApi


class Labels:
    """Looked up once; `forget` what may have changed."""

    def __init__(self, api: GmailApi) -> None:
        self._api = api
        self._ids: dict[str, str] = {}

    async def find(self, name: str) -> str:
        """The label's id. Raises ConfigError where there is none, with the nearest name."""
        if not self._ids:
            labels = (await self._api.read("labels")).get("labels", ())
            self._ids = {str(label["name"]): str(label["id"]) for label in labels if "name" in label and "id" in label}
        for known, label_id in self._ids.items():
            if name.casefold() in (known.casefold(), label_id.casefold()):
                return label_id
        names = list(self._ids)
        self._ids = {}
        raise ConfigError(f'there is no label "{name}" in {self._api.settings.mailbox}{nearest(name, names)}')

    def forget(self) -> None:
        self._ids = {}

    async def count(self, name: str) -> str:
        """For people: how many mails carry it."""
        try:
            label = await self._api.read(f"labels/{await self.find(name)}")
        except Gone:
            self.forget()
            raise ConfigError(f'the label "{name}" is gone') from None
        return f"{name}: {label.get('messagesTotal', 0)} mails, {label.get('messagesUnread', 0)} unread"
