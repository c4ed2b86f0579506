"""What customers say."""

from __future__ import annotations

TEXTS = (
    "收到的空气炸锅插上电不加热，订单号3384756201948857231，要求退款，电话13812345678",
    "快递显示已签收，但我没有收到，运单号 SF1234567890123，请尽快处理",
    "The kettle stopped working after two days; order 114-3941689-8772232. I want my money back.",
    "I was charged twice ($49.90) and nobody answers my mails.",
)
