"""What `allears route` says."""

from __future__ import annotations

from collections.abc import Mapping

HELP: Mapping[str, Mapping[str, str]] = {
    "en": {
        "route": "Where a complaint goes, and who handles it.\n\nTARGET is a complaint's reference (ALE-…), a mail "
        "or .json file, or - for stdin; without one, all routes are listed. Nothing is stored or sent; the daemon may "
        "be up or down.",
        "route --explain": "Say of every route why it matches, or why not.",
        "route --channel": "Read the file as this channel would.",
    },
    "zh": {
        "route": "一条投诉会分派到哪里、由谁受理。\n\nTARGET 可以是投诉编号（ALE-…）、邮件或 .json 文件，或 -（从 "
        "stdin 读）；不给则列出全部规则。不保存、不发送任何内容；守护进程是否运行都可以。",
        "route --explain": "逐条说明每条规则为何匹配或不匹配。",
        "route --channel": "按此渠道的方式读取文件。",
    },
}

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "route_first": "the first route that matches decides",
        "route_all": "every route that matches counts",
        "route_none": "there are no routes: every complaint goes to {destinations}",
        "route_default": "default (when no route matches)",
        "route_no_default": "no route matches: the default decides",
        "route_matches": "✔ {name}: matches",
        "route_late": "· {name}: matches, but {first} comes before it",
        "route_not": "✘ {name}: does not match",
        "route_always": "no conditions: always",
        "route_met": "{field}: {found} meets {met}",
        "route_unmet": "{field}: {found} is none of {wanted}",
        "route_nothing": "nothing",
        "route_more": "{count} words",
        "route_team": "team",
        "route_assignee": "assignee",
        "route_destinations": "destinations",
        "route_cc": "cc",
        "route_tags": "tags",
        "route_by": "by",
        "route_facts": "{id}  {title}\n{nature}, {category}, {priority}; {channel}",
        "route_kept": "when it was opened it went to team {team}, assignee {assignee}; filed in {destinations}. That "
        "is kept",
        "route_shadowed": "the route {name} never decides: {by} comes before it and asks for less",
        "route_unread": "{file} is not used: {reason}",
        "route_no_such_word": "the route {route} asks for {field} {word}, which {file} never says",
        "no_such_complaint": "no complaint has the reference {reference}",
    },
    "zh": {
        "route_first": "第一条匹配的规则生效",
        "route_all": "所有匹配的规则都生效",
        "route_none": "没有规则：每条投诉都发往 {destinations}",
        "route_default": "default（没有规则匹配时）",
        "route_no_default": "没有规则匹配：按 default 处理",
        "route_matches": "✔ {name}：匹配",
        "route_late": "· {name}：匹配，但 {first} 排在它前面",
        "route_not": "✘ {name}：不匹配",
        "route_always": "没有条件：总是匹配",
        "route_met": "{field}：{found} 符合 {met}",
        "route_unmet": "{field}：{found} 不在 {wanted} 之中",
        "route_nothing": "空",
        "route_more": "{count} 个词",
        "route_team": "团队",
        "route_assignee": "受理人",
        "route_destinations": "目的地",
        "route_cc": "抄送",
        "route_tags": "标签",
        "route_by": "依据",
        "route_facts": "{id}  {title}\n{nature}，{category}，{priority}；{channel}",
        "route_kept": "受理时分派给：团队 {team}，受理人 {assignee}；已发往 {destinations}。此决定保持不变",
        "route_shadowed": "规则 {name} 永远不会生效：{by} 排在它前面，且条件更宽",
        "route_unread": "未使用 {file}：{reason}",
        "route_no_such_word": "规则 {route} 要求 {field} 为 {word}，但 {file} 中从未出现",
        "no_such_complaint": "没有编号为 {reference} 的投诉",
    },
}
