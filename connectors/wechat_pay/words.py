"""What WeChat Pay's codes mean to people, and who acts in a step of the history.

WeChat Pay, "查询投诉单协商历史", "查询投诉单详情".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from allears_sdk.message import Role

if TYPE_CHECKING:
    from connectors.wechat_pay.parse import Complaint

ACTS = {
    "USER_CREATE_COMPLAINT": "用户提交投诉",
    "USER_CONTINUE_COMPLAINT": "用户继续投诉",
    "USER_RESPONSE": "用户留言",
    "USER_APPLY_PLATFORM_HELP": "用户申请平台协助",
    "USER_APPLY_PLATFORM_SERVICE": "用户申请平台协助",
    "USER_CANCEL_PLATFORM_SERVICE": "用户取消平台协助",
    "USER_REVOKE_COMPLAINT": "用户撤销投诉",
    "USER_COMFIRM_COMPLAINT": "用户确认投诉解决",
    "USER_SUBMIT_SATISFACTION": "用户提交满意度调查",
    "USER_CLICK_RESPONSE": "用户点击回复",
    "USER_CREATE_COMPLAINT_SYSTEM_MESSAGE": "系统通知：用户提交投诉",
    "USER_CONTINUE_COMPLAINT_SYSTEM_MESSAGE": "系统通知：用户继续投诉",
    "MERCHANT_RESPONSE": "商户留言",
    "MERCHANT_CONFIRM_COMPLETE": "商户反馈处理完成",
    "MERCHANT_APPROVE_REFUND": "商户同意退款",
    "MERCHANT_REFUSE_RERUND": "商户驳回退款",
    "MERCHANT_REFUSE_REFUND": "商户驳回退款",
    "PLATFORM_RESPONSE": "平台留言",
    "PLATFORM_HELP_APPLICATION": "平台催办",
    "PLATFORM_SERVICE_FINISHED": "平台协助结束",
    "COMPLAINT_FULL_REFUNDED_SYSTEM_MESSAGE": "系统通知：已发起全额退款",
    "COMPLAINT_PARTIAL_REFUNDED_SYSTEM_MESSAGE": "系统通知：已发起部分退款",
    "COMPLAINT_REFUND_RECEIVED_SYSTEM_MESSAGE": "系统通知：退款已到账",
    "COMPLAINT_ENTRUSTED_REFUND_SYSTEM_MESSAGE": "系统通知：委托退款",
    "SERVICE_ORDER_CANCEL": "服务单取消",
    "SERVICE_ORDER_COMPLETE": "服务单完结",
}
"""The documented types, spelled as WeChat Pay spells them; others will come, and are told in their own words."""

_STATES = {"PENDING": "待处理", "PROCESSING": "处理中", "PROCESSED": "已处理完成"}
_PROBLEMS = {"REFUND": "申请退款", "SERVICE_NOT_WORK": "服务权益未生效", "OTHERS": "其他类型"}


_TAGS = {"TRUSTED": "可信用户"}


def role_of(operate_type: str, sender_identity: str) -> Role:
    if operate_type.endswith("_SYSTEM_MESSAGE") or sender_identity == "MACHINE":
        return Role.BOT
    if operate_type.startswith("USER_"):
        return Role.CUSTOMER
    return Role.COMPANY if operate_type.startswith("MERCHANT_") else Role.BOT


def facts_of(complaint: Complaint) -> str:
    """A line for each fact that is there."""
    return "\n".join(f"{name}：{value}" for name, value in _facts(complaint) if value)


def _facts(complaint: Complaint) -> Iterator[tuple[str, str]]:
    state, problem = complaint.complaint_state or "", complaint.problem_type or ""
    yield "投诉单号", complaint.complaint_id
    yield "投诉单状态", _STATES.get(state, state)
    yield "问题类型", _PROBLEMS.get(problem, problem)
    for order in complaint.complaint_order_info or []:
        yield "微信支付订单号", order.transaction_id or ""
        yield "商户订单号", order.out_trade_no or ""
        yield "订单金额", _yuan(order.amount)
    for service in complaint.service_order_info or []:
        yield "支付分服务单号", service.order_id or ""
        yield "商户服务单号", service.out_order_no or ""
    yield "申请退款金额", _yuan(complaint.apply_refund_amount)
    yield "用户投诉次数", str(complaint.user_complaint_times or "")
    yield "已全额退款", "是" if complaint.complaint_full_refunded else ""
    yield "平台协助中", "是" if complaint.in_platform_service else ""
    yield "需即时服务用户", "是" if complaint.need_immediate_service else ""
    yield "用户标签", "、".join(_TAGS[tag] for tag in complaint.user_tag_list or [] if tag in _TAGS)


def _yuan(fen: int | None) -> str:
    return f"{fen / 100:.2f} 元" if fen is not None else ""
