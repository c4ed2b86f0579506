"""Errors of the platforms, whose numbers are not documented to us: their own words decide what is to be done."""

from __future__ import annotations

from allears_sdk.errors import AllearsError, AuthError, ConfigError, RetryLater, Unavailable

MAX_DETAIL = 300
_SIGNATURE = ("签名", "sign", "sig ", "sig错误")
_SESSION = ("session", "token", "授权过期", "登录")
_BUSY = ("频繁", "频率", "限流", "限制次数", "too many", "rate limit", "qps")
_CLOCK = ("时间戳", "timestamp")
_SHOP = ("门店", "poi", "shop")
_GRANT = ("权限", "授权", "permission", "scope")


class Expired(AuthError):
    """The platform refuses the session: get another one."""


def error_of(platform: str, code: object, message: str) -> AllearsError:
    """The first that fits, from what is told most exactly to what is told most loosely."""
    told, words = f"{platform}: {str(code)[:40]}", message.lower()
    detail = message[:MAX_DETAIL]
    if _says(words, _BUSY):
        return RetryLater(f"{told}: asks us to slow down", detail=detail)
    if _says(words, _CLOCK):
        return ConfigError(f"{told}: refuses our time; is the clock right? (see timestamp_unit)", detail=detail)
    if _says(words, _SIGNATURE):
        return AuthError(f"{told}: refuses our signature; check the application's key and secret", detail=detail)
    if _says(words, _SESSION):
        return Expired(f"{told}: the session has expired or was withdrawn; get another one", detail=detail)
    if _says(words, _GRANT):
        return ConfigError(f"{told}: the application may not read reviews; ask for it in the console", detail=detail)
    if _says(words, _SHOP):
        return ConfigError(f"{told}: does not know this shop, or it is not bound to the application", detail=detail)
    return Unavailable(told, detail=detail)


def _says(words: str, signs: tuple[str, ...]) -> bool:
    return any(sign in words for sign in signs)
