"""What Meta delivers of WhatsApp ("messages webhook reference"): the fields that are used."""

from __future__ import annotations

import msgspec


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    name: str | None = None
    username: str | None = None


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    profile: Profile = Profile()
    wa_id: str | None = None
    """The number in digits; absent or empty where its owner hides it behind a username."""
    user_id: str | None = None
    """Business-scoped: `CN.` and digits. Another business knows the same person by another one."""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    id: str | None = None
    """Of the message that is answered."""
    forwarded: bool = False
    frequently_forwarded: bool = False
    referred_product: Product | None = None


class Product(msgspec.Struct, frozen=True, kw_only=True):
    product_retailer_id: str = ""
    quantity: int | float | str = 0


class Text(msgspec.Struct, frozen=True, kw_only=True):
    body: str = ""


class Media(msgspec.Struct, frozen=True, kw_only=True):
    id: str = ""
    mime_type: str = ""
    caption: str | None = None
    filename: str | None = None
    voice: bool = False


class Location(msgspec.Struct, frozen=True, kw_only=True):
    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None


class CardName(msgspec.Struct, frozen=True, kw_only=True):
    formatted_name: str = ""


class CardPhone(msgspec.Struct, frozen=True, kw_only=True):
    phone: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True):
    name: CardName = CardName()
    phones: list[CardPhone] = []


class Button(msgspec.Struct, frozen=True, kw_only=True):
    text: str = ""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    title: str = ""
    description: str | None = None


class Form(msgspec.Struct, frozen=True, kw_only=True):
    response_json: str = ""
    body: str | None = None


class Interactive(msgspec.Struct, frozen=True, kw_only=True):
    type: str = ""
    button_reply: Choice | None = None
    list_reply: Choice | None = None
    nfm_reply: Form | None = None


class Order(msgspec.Struct, frozen=True, kw_only=True):
    text: str | None = None
    product_items: list[Product] = []


class System(msgspec.Struct, frozen=True, kw_only=True):
    body: str = ""
    wa_id: str | None = None
    user_id: str | None = None
    """Both as they are from now on."""
    previous_user_id: str | None = None


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    code: int = 0
    title: str = ""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What is said, of whatever kind. Also what stands inside an edit."""

    type: str = ""
    context: Context | None = None
    text: Text | None = None
    image: Media | None = None
    video: Media | None = None
    audio: Media | None = None
    document: Media | None = None
    sticker: Media | None = None
    location: Location | None = None
    contacts: list[Card] = []
    button: Button | None = None
    interactive: Interactive | None = None
    order: Order | None = None
    errors: list[Reported] = []


class Edit(msgspec.Struct, frozen=True, kw_only=True):
    original_message_id: str
    message: Content = Content()


class Revoke(msgspec.Struct, frozen=True, kw_only=True):
    original_message_id: str


class Post(Content, frozen=True, kw_only=True):
    """A message, of a customer or (an echo) to one."""

    id: str
    timestamp: str | int = ""
    """Unix seconds."""
    group_id: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    from_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None
    edit: Edit | None = None
    revoke: Revoke | None = None
    system: System | None = None


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    display_phone_number: str = ""
    phone_number_id: str


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """Of one message: the raw holds it alone."""

    metadata: Metadata
    contacts: list[Contact] = []
    messages: list[Post] = []
    message_echoes: list[Post] = []


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The same before it is cut."""

    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    contacts: list[msgspec.Raw] = []
    messages: list[msgspec.Raw] = []
    message_echoes: list[msgspec.Raw] = []
    statuses: list[msgspec.Raw] = []
    errors: list[Reported] = []


class Ids(msgspec.Struct, frozen=True, kw_only=True):
    """As much of a message, or a contact, as says whose it is."""

    id: str = ""
    from_: str | None = msgspec.field(default=None, name="from")
    from_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None
    wa_id: str | None = None
    user_id: str | None = None

    @property
    def people(self) -> frozenset[str]:
        ids = (self.from_, self.from_user_id, self.to, self.to_user_id, self.wa_id, self.user_id)
        return frozenset(one for one in ids if one)
