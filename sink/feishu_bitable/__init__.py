"""Feishu Bitable 飞书多维表格: a record for each complaint, a record of a second table for each follow-up."""

from sink.feishu_bitable.settings import FeishuBitableSettings
from sink.feishu_bitable.sink import FeishuBitableSink

__all__ = ["FeishuBitableSettings", "FeishuBitableSink"]
