"""What `allears model` says."""

from __future__ import annotations

from collections.abc import Mapping

HELP: Mapping[str, Mapping[str, str]] = {
    "en": {
        "model": "The optional model step: try.",
        "model try": "Ask the model about a text, and show what would leave and what would be believed.\n\n"
        "TEXT is the words themselves, a text or mail file, a .json file with one message or an array of them, or - "
        "for stdin. Nothing is stored; works while [model] is not enabled yet, too.",
        "model try --all": "Also about fields that the rules are sure of.",
    },
    "zh": {
        "model": "可选的模型步骤：试问。",
        "model try": "就一段文字询问模型，显示会发出什么、会采信什么。\n\n"
        "TEXT 可以是文字本身、文本或邮件文件、含一条消息或消息数组的 .json 文件，或 -（从 stdin 读）。"
        "不保存任何内容；[model] 尚未启用时也可以试。",
        "model try --all": "规则已有把握的字段也问。",
    },
}

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "model": "model",
        "model_incomplete": "[model] needs a base_url and a model before anybody can be asked",
        "model_closed": "nothing is asked: the rules are sure of every field that [model] may fill (--all asks all the "
        "same)",
        "model_sent": "sent to {place} ({model}), answered in {seconds:g} s:",
        "model_field": "field",
        "model_rules": "rules",
        "model_says": "model",
        "model_words": "words",
        "model_not_taken": "(not taken)",
        "model_ignored": "not believed: {reasons}",
    },
    "zh": {
        "model": "模型",
        "model_incomplete": "[model] 需要先填写 base_url 和 model",
        "model_closed": "不会去问：[model] 可填的字段规则都有把握（加 --all 仍可询问）",
        "model_sent": "已发往 {place}（{model}），{seconds:g} 秒后应答：",
        "model_field": "字段",
        "model_rules": "规则",
        "model_says": "模型",
        "model_words": "依据",
        "model_not_taken": "（未采用）",
        "model_ignored": "未被采信：{reasons}",
    },
}
