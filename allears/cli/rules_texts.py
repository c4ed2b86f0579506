"""What `allears rules` and `allears rederive` say."""

from __future__ import annotations

from collections.abc import Mapping

HELP: Mapping[str, Mapping[str, str]] = {
    "en": {
        "rules": "Rules: list, show, test.",
        "rules list": "All rules and shapes, packaged ones and your own, and which are replaced or off.",
        "rules list --own": "Only what your own files speak of.",
        "rules show": "One rule or shape: what it looks for, where it stands, what it replaces.",
        "rules test": "Run all rules on examples, and say which fail and which of your rules never count.\n\n"
        "FILE is TOML with [[example]] tables, or JSONL: a text, and what must come of it (nature, category, priority, "
        "expectation, entities). Ends with 1 when one fails. Nothing is stored.",
        "rules test --strict": "Fail too when one of your rules never fires, or never has a say.",
        "rules test --all": "Show packaged rules that fired, too.",
        "rederive": "Read filed complaints again by today's rules, and show what would change.\n\nNothing is written "
        "and nothing is sent unless --apply says so. The daemon may be up or down.",
        "rederive --channel": "Only complaints of this channel.",
        "rederive --since": "Only complaints opened since then: 2026-03-01, or 2026-03-01T08:30:00 (UTC).",
        "rederive --dry-run": "Only show what would change (this is the default).",
        "rederive --apply": "File a follow-up for each complaint whose template fields change: it is SENT to every "
        "destination that has the ticket. Customers are not answered.",
        "rederive --after": "Go on after this number, where an interrupted run says so.",
    },
    "zh": {
        "rules": "规则：列出、查看、试用。",
        "rules list": "全部规则和形状，包括自带的和您自己的，以及哪些被替换或停用。",
        "rules list --own": "只列出您的文件涉及的。",
        "rules show": "一条规则或形状：它找什么、写在哪里、替换了什么。",
        "rules test": "用样例试用全部规则，说明哪些样例不符、您的哪些规则从不起作用。\n\n"
        "FILE 为含 [[example]] 表的 TOML，或 JSONL：一段文字，以及应得的结果（nature、category、priority、"
        "expectation、entities）。有样例不符时以 1 退出。不保存任何内容。",
        "rules test --strict": "您的规则从不触发或从不起作用时也算失败。",
        "rules test --all": "同时列出触发过的自带规则。",
        "rederive": "用当前规则重新解读已建单的投诉，显示会有哪些变化。\n\n"
        "除非使用 --apply，否则不写入、不发送任何内容。守护进程是否运行都可以。",
        "rederive --channel": "只处理这个渠道的投诉。",
        "rederive --since": "只处理此后开启的投诉：2026-03-01 或 2026-03-01T08:30:00（UTC）。",
        "rederive --dry-run": "只显示会有哪些变化（默认）。",
        "rederive --apply": "为模板字段有变化的每条投诉写入一次跟进，并发送到已有该工单的每个目的地。不会回复客户。",
        "rederive --after": "从这个编号之后继续；中断时会给出编号。",
    },
}

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "rules_version": "rules {version}; own files: {files}",
        "rules_none": "none",
        "rule": "RULE",
        "rule_says": "SAYS",
        "rule_weight": "WEIGHT",
        "rule_words": "WORDS",
        "rule_state": "STATE",
        "rule_fired": "FIRED",
        "rule_counted": "COUNTED",
        "rule_packaged": "packaged",
        "rule_own": "own",
        "rule_replaces": "replaces a packaged one",
        "rule_extended": "extended",
        "rule_off": "off",
        "rule_never": "never fires on these examples",
        "rule_shadowed": "has no say in any of these examples: {by} goes before it",
        "no_such_rule": 'there is no rule "{name}"{hint}',
        "several_rules": '"{name}" may be any of {names}',
        "example_failed": "FAILED",
        "example_miss": "{field}: expected {expected}, found {found} ({source})",
        "examples_summary": "{passed} of {count} examples as expected; of {own} rules of your own {silent} never "
        "fired and {shadowed} had no say",
        "examples_none": "no examples in {path}",
        "example_bad": "{place}: {reason}",
        "example_key": "unknown key {name}; valid: {valid}",
        "example_text": "text is missing",
        "example_value": "{name} cannot be {value}",
        "rederive_change": "{complaint}: {changes}",
        "rederive_field": "{field}: {before} → {after}",
        "rederive_sum": "{done} complaints read again by rules {version}: {changed} change, {same} stay as they are, "
        "{skipped} are about to be read by the daemon anyway, {failed} failed",
        "rederive_fields": "by field: {fields}",
        "rederive_dry": "nothing was written and nothing was sent; with --apply these changes are filed, and sent to "
        "every destination that has the ticket",
        "rederive_applied": "{count} follow-ups were filed; a running daemon sends them now, else the next start does",
        "rederive_go_on": "stopped; go on with --after {after}",
        "rederive_both": "--apply and --dry-run exclude each other",
        "rederive_bad_since": "{value} is no moment: write 2026-03-01 or 2026-03-01T08:30:00",
    },
    "zh": {
        "rules_version": "规则版本 {version}；自有文件：{files}",
        "rules_none": "无",
        "rule": "规则",
        "rule_says": "含义",
        "rule_weight": "权重",
        "rule_words": "词数",
        "rule_state": "状态",
        "rule_fired": "触发",
        "rule_counted": "起作用",
        "rule_packaged": "自带",
        "rule_own": "自有",
        "rule_replaces": "替换自带规则",
        "rule_extended": "已扩充",
        "rule_off": "已停用",
        "rule_never": "在这些样例中从未触发",
        "rule_shadowed": "在这些样例中从未起作用：被 {by} 抢先",
        "no_such_rule": "没有规则“{name}”{hint}",
        "several_rules": "“{name}”可能是 {names} 中的任何一个",
        "example_failed": "不符",
        "example_miss": "{field}：应为 {expected}，实为 {found}（{source}）",
        "examples_summary": "{count} 个样例中 {passed} 个符合；"
        "{own} 条自有规则中 {silent} 条从未触发，{shadowed} 条从未起作用",
        "examples_none": "{path} 中没有样例",
        "example_bad": "{place}：{reason}",
        "example_key": "未知的键 {name}；可用：{valid}",
        "example_text": "缺少 text",
        "example_value": "{name} 不能是 {value}",
        "rederive_change": "{complaint}：{changes}",
        "rederive_field": "{field}：{before} → {after}",
        "rederive_sum": "已用规则 {version} 重新解读 {done} 条投诉：{changed} 条有变化，{same} 条不变，"
        "{skipped} 条守护进程即将自行解读，{failed} 条失败",
        "rederive_fields": "按字段：{fields}",
        "rederive_dry": "没有写入、也没有发送任何内容；加 --apply 会写入这些变化，并发送到已有该工单的每个目的地",
        "rederive_applied": "已写入 {count} 次跟进；运行中的守护进程会立即发送，否则在下次启动时发送",
        "rederive_go_on": "已停止；可用 --after {after} 继续",
        "rederive_both": "--apply 与 --dry-run 不能同时使用",
        "rederive_bad_since": "{value} 不是时间：请写 2026-03-01 或 2026-03-01T08:30:00",
    },
}
