"""What an admin says about an API that takes JSON."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, JsonValue, SecretStr, StringConstraints, field_validator, model_validator

from allears_sdk.settings import Settings
from allears_sdk.signing import standard_key
from allears_sdk.tickets import LinkSettings, MappingSettings, StoreValue, TextSettings, WhenInDoubt
from sink.json_post.template import check_body, secrets_in

_OURS = frozenset({"content-type", "content-length", "host", "webhook-id", "webhook-timestamp", "webhook-signature"})
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def _is_template(body: dict[str, Any]) -> dict[str, Any]:
    check_body(body)
    return body


Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s]+$")]
Path = Annotated[str, StringConstraints(pattern=r"^$|^[^.\s]+(\.[^.\s]+)*$", max_length=200)]
"""Names, and numbers of places in a list, parted by dots."""
Body = Annotated[dict[str, JsonValue], AfterValidator(_is_template)]


class CallSettings(Settings):
    """One POST."""

    url: Url = Field(description="Address.", examples=["https://api.example.com/v1/rows"])
    body: Body = Field(
        description="The JSON body; its texts are templates (Jinja2). Beside a record's facts they may name `subject`, "
        "`text`, `key`, `ticket_key`, `field` (what `fields` maps, by its name there) and `urgency` (the priority as "
        '`values.priority` says). "$ticket" alone is the ticket\'s id there, "$secret:NAME" alone a secret, '
        '{"$json" = …} JSON as a text.',
        examples=[{"table": "complaints", "row": {"no": "{{ id }}", "title": "{{ subject }}", "key": "{{ key }}"}}],
    )


class LookUpSettings(CallSettings):
    """A POST that finds rows; it changes nothing."""

    rows: Path = Field(description="Where the rows stand in the answer.", examples=["data.rows"])
    key: Path = Field(
        description="Where the key stands in a row: it is compared, for a filter that is not understood finds all.",
        examples=["key"],
    )
    id: Path = Field(default="", description="Where the id stands in a row; needed to find tickets.", examples=["id"])
    text: Path = Field(
        default="", description="Where the text stands in a row; needed to find follow-ups.", examples=["text"]
    )


class AnswerSettings(Settings):
    """What answers with a 2xx say. Other statuses are understood as with any webhook."""

    id: Path = Field(default="", description="Where the new row's id stands; empty: our key is the id.")
    ok: Path = Field(default="", description="Where it says whether it was done; empty: any 2xx is.")
    ok_values: tuple[StoreValue, ...] = Field(default=(True,), description="What stands there when it was.")
    busy_values: tuple[StoreValue, ...] = Field(default=(), description="What stands there for: not done, come again.")
    login_values: tuple[StoreValue, ...] = Field(default=(), description="What stands there for: who are you?")
    gone_values: tuple[StoreValue, ...] = Field(default=(), description="What stands there for: no such ticket.")


class JsonPostSettings(MappingSettings, TextSettings):
    """Which calls to make, and how to read their answers."""

    example_name: ClassVar[str] = "no-code"
    has_json_constants: ClassVar[bool] = True

    sink: Literal["json_post"] = Field(default="json_post", description="Which kind of ticket store this is.")
    create: CallSettings = Field(description="The call that makes a ticket.")
    add: CallSettings = Field(description="The call that adds a follow-up.")
    find: LookUpSettings | None = Field(
        default=None, description="The call that finds a ticket by `key`. Without it a doubt waits for a person."
    )
    find_notes: LookUpSettings | None = Field(
        default=None, description="The call that finds a ticket's follow-ups by `ticket_key`; goes with `find`."
    )
    answer: AnswerSettings = Field(default_factory=AnswerSettings, description="How answers are read.")
    headers: dict[str, SecretStr] = Field(
        default_factory=dict,
        description="Extra headers, such as an Authorization.",
        examples=[{"X-Key": "env:API_KEY"}],
    )
    secrets: dict[str, SecretStr] = Field(
        default_factory=dict, description='Secrets for bodies, where they stand as "$secret:NAME".'
    )
    signing_secret: SecretStr | None = Field(
        default=None, description="Standard Webhooks secret (`whsec_…`): signs every call as `webhook` does."
    )
    allow_private_network: bool = Field(
        default=False, description="True lets addresses lie in a private network or on this machine."
    )
    files: LinkSettings = Field(default_factory=LinkSettings, description="What becomes of attachments.")
    when_in_doubt: WhenInDoubt = "hold"

    @field_validator("headers")
    @classmethod
    def _are_extra(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        taken = sorted(name for name in headers if name.lower() in _OURS)
        if taken:
            raise ValueError(f"{', '.join(taken)}: set by allears itself")
        if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(headers[name].get_secret_value()) for name in headers):
            raise ValueError("a header is a name of letters, digits and hyphens, and a value of printable ASCII")
        return headers

    @field_validator("signing_secret")
    @classmethod
    def _is_key(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            standard_key(secret.get_secret_value())
        return secret

    @model_validator(mode="after")
    def _agree(self) -> JsonPostSettings:
        calls = [one for one in (self.create, self.add, self.find, self.find_notes) if one is not None]
        if unknown := sorted(set().union(*(secrets_in(one.body) for one in calls)) - set(self.secrets)):
            raise ValueError(f"$secret:{unknown[0]}: secrets has no such name")
        if (self.find is None) != (self.find_notes is None):
            raise ValueError("find and find_notes go together")
        if self.find is not None and not self.find.id:
            raise ValueError("find.id is missing: where the id stands in a row")
        if self.find_notes is not None and not self.find_notes.text:
            raise ValueError("find_notes.text is missing: where the text stands in a row")
        return self
