"""Feishu's open platform (also Lark's): calls as an application, and what its answers mean."""

from allears_sdk.feishu.app import FeishuApp
from allears_sdk.feishu.codes import Codes, StaleToken, Told

__all__ = ["Codes", "FeishuApp", "StaleToken", "Told"]
