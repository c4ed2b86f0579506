from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError

from allears_sdk.settings import DestinationSettings, Settings, explain, nearest


class Login(Settings):
    user: str = Field(description="Who logs in.")
    password: SecretStr = Field(description="How.")


class Helpdesk(DestinationSettings):
    login: Login = Field(description="How to log in.")
    port: int = Field(default=443, ge=1, description="Where.")


GOOD: dict[str, Any] = {"sink": "helpdesk", "login": {"user": "intake", "password": "geheim-密码"}}


def faults(**changed: Any) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        Helpdesk.model_validate({**GOOD, **changed})
    return explain(caught.value, Helpdesk, "destinations.crm")


def test_an_unknown_key_names_the_nearest_valid_one() -> None:
    assert faults(prot=1) == ['destinations.crm.prot: unknown key; did you mean "port"?']
    nested = {"user": "a", "pasword": "geheim-密码"}
    assert faults(login=nested) == [
        "destinations.crm.login.password: missing, and required",
        'destinations.crm.login.pasword: unknown key; did you mean "password"?',
    ]


def test_an_unknown_key_that_resembles_nothing_lists_the_valid_ones() -> None:
    (line,) = faults(login={**GOOD["login"], "工单": 1})
    assert line == "destinations.crm.login.工单: unknown key; valid keys: password, user"


def test_wrong_values_are_explained_but_never_shown() -> None:
    lines = faults(port="geheim", login={"user": 7, "password": ["geheim-密码"]})
    assert [line.partition(":")[0] for line in lines] == [
        "destinations.crm.login.user",
        "destinations.crm.login.password",
        "destinations.crm.port",
    ]
    assert not any("geheim" in line for line in lines)


def test_a_validation_error_itself_shows_no_values() -> None:
    with pytest.raises(ValidationError) as caught:
        Helpdesk.model_validate({**GOOD, "login": {"user": "a", "password": 5, "x": "geheim"}})
    assert "geheim" not in str(caught.value)


def test_settings_are_frozen_and_keep_secrets() -> None:
    settings = Helpdesk.model_validate(GOOD)
    assert "geheim" not in repr(settings) + settings.model_dump_json()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc] # frozen


def test_explain_without_a_place_and_nothing_to_suggest() -> None:
    class Plain(BaseModel):
        x: int

    with pytest.raises(ValidationError) as caught:
        Plain.model_validate({"x": "a"})
    assert explain(caught.value, Plain, "")[0].startswith("x: ")
    assert nearest("x", []) == ""
