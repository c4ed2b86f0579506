"""What the platform's codes mean to people, and who acts in a step of a dispute.

"获取售后单", "售后单更新通知", "纠纷单更新通知"; steps of a dispute (纠纷历史操作类型) as clients name them.
"""

from __future__ import annotations

from allears_sdk.message import Role

TYPES = {"REFUND": "仅退款", "RETURN": "退货退款", "EXCHANGE": "换货"}
STATUSES = {
    "USER_CANCELD": "用户取消申请",
    "MERCHANT_PROCESSING": "商家受理中",
    "MERCHANT_REJECT_REFUND": "商家拒绝退款",
    "MERCHANT_REJECT_RETURN": "商家拒绝退货退款",
    "MERCHANT_REJECT_EXCHANGE": "商家拒绝换货",
    "MERCHANT_REJECT_RESHIP": "商家拒绝发货",
    "USER_WAIT_RETURN": "待买家退货",
    "RETURN_CLOSED": "退货退款关闭",
    "MERCHANT_WAIT_RECEIPT": "待商家收货",
    "MERCHANT_OVERDUE_REFUND": "商家逾期未退款",
    "MERCHANT_REFUND_SUCCESS": "退款完成",
    "MERCHANT_RETURN_SUCCESS": "退货退款完成",
    "MERCHANT_EXCHANGE_SUCCESS": "换货完成",
    "MERCHANT_REFUND_RETRY_FAIL": "商家打款失败",
    "MERCHANT_FAIL": "售后关闭",
    "PLATFORM_REFUNDING": "平台退款中",
    "PLATFORM_REFUND_FAIL": "平台退款失败",
    "USER_WAIT_CONFIRM": "待用户确认",
    "USER_WAIT_CONFIRM_UPDATE": "待用户处理商家协商",
    "USER_WAIT_HANDLE_MERCHANT_AFTER_SALE": "待用户处理商家代发起的售后申请",
    "USER_WAIT_RECEIPT": "待用户收货",
    "WAIT_PACKAGE_INTERCEPT": "物流拦截中",
}
"""Those that are documented; others are told as they come."""
DISPUTES = {
    100: "待商家处理",
    101: "待客服处理",
    102: "已取消客服介入",
    103: "客服处理中",
    104: "待用户补充凭证",
    105: "用户已补充凭证",
    106: "待商家补充凭证",
    107: "商家已补充凭证",
    108: "待双方补充凭证",
    109: "双方补充凭证超时",
    110: "待商家确认",
    111: "商家申诉中",
    112: "调解完成",
    113: "待客服核实",
    114: "重新退款中",
    115: "退款核实完成",
    116: "调解关闭",
    305: "用户补充凭证超时",
    307: "商家补充凭证超时",
}
ASKS_PLATFORM = 1
STEPS = {
    1: "用户申请平台介入",
    2: "用户留言",
    3: "商家留言",
    4: "投诉已提交",
    5: "用户取消投诉",
    6: "商家超时",
    7: "用户补充凭证",
    8: "商家补充凭证",
    10: "待商家处理",
    11: "待平台处理",
    12: "用户取消平台介入",
    13: "平台处理中",
    14: "待用户补充凭证",
    16: "待商家补充凭证",
    18: "待双方补充凭证",
    20: "待商家确认",
    21: "商家申诉",
    22: "调解完成",
    23: "待平台核实",
    24: "重新退款中",
    26: "调解关闭",
    30: "平台判定：用户责任",
    31: "平台判定：商家责任",
    32: "平台判定：双方责任",
    33: "平台判定：无责任",
    34: "平台判定：申诉无效",
    35: "平台判定：申诉生效",
    36: "平台判定：退款有效",
    37: "平台判定：退款无效",
    50: "用户发起退款",
    51: "商家拒绝退款",
    52: "用户取消申请",
}
_CUSTOMERS = frozenset({ASKS_PLATFORM, 2, 5, 7, 12, 52})
_COMPANYS = frozenset({3, 8, 21, 51})


def role_of(step: int) -> Role:
    if step in _CUSTOMERS:
        return Role.CUSTOMER
    return Role.COMPANY if step in _COMPANYS else Role.BOT


def yuan(fen: int | None) -> str:
    return f"{fen / 100:.2f} 元" if fen is not None else ""
