"""What `allears forget` says, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

HELP: Mapping[str, Mapping[str, str]] = {
    "en": {
        "forget": "Erase all that is kept of a customer.\n\nCUSTOMER is a mail address, a phone number, a customer's "
        "id or a reference (ALE-…): whoever opened it. Shows what there is; with --yes it goes. Without CUSTOMER: what "
        "was forgotten before, and with --yes what of it had to wait. The daemon may be up or down.",
        "forget --yes": "Erase it. What is not asked for by --yes is only shown.",
        "forget --except": "Leave out this reference, or the letter of this number; repeatable.",
        "forget --compact": "Write the journal's file anew at the end, however long it takes; nothing is accepted "
        "meanwhile. By default where it takes a few seconds, or no daemon runs.",
    },
    "zh": {
        "forget": "彻底删除一位客户的全部数据。\n\nCUSTOMER 可以是邮箱、手机号、客户标识，或其投诉的编号（ALE-…）。"
        "默认只显示会删除什么，加 --yes 才删除。不写 CUSTOMER：列出以往的删除记录；加 --yes 则继续当时未能完成的部分。"
        "守护进程是否运行都可以。",
        "forget --yes": "真正删除；不加则只显示。",
        "forget --except": "不删除此编号的投诉，或此号码的信件；可重复。",
        "forget --compact": "最后重写日志库文件，不论多久；其间无法接收消息。默认仅在几秒内可完成，"
        "或守护进程未运行时才做。",
    },
}

TEXTS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "forget_nobody": "nothing is kept of {customer}",
        "forget_found": "conversations: {conversations}, messages: {messages}",
        "forget_others": "{count} messages of other customers stand in these conversations and go with them",
        "forget_in": "theirs",
        "forget_among": "another's: only their messages go",
        "forget_tickets": "tickets, to be erased there by you:",
        "forget_doubtful": "(may exist: an answer was lost)",
        "forget_sources": "the channels themselves still have what was read from them ({channels}): erase it there "
        "too; allears will not read it again",
        "forget_files": "files they were read from, yours to delete: {files}",
        "forget_letters": "letters that name them and go too: {numbers}",
        "forget_mentions": "named by others, and left alone: {references}",
        "forget_unread": "{count} messages are not read yet and may be theirs: run this again afterwards",
        "forget_sending": "a delivery of {references} is on its way: the rest of it goes once the store has answered",
        "forget_backups": "backups made before keep a copy: erase them, or run this again after restoring one",
        "forget_dry": "nothing was erased; with --yes it is",
        "forget_done": "forgotten: conversations {conversations}, messages {messages}, called off: {cancelled}",
        "forget_left": "{count} things have to wait (a delivery on its way, a backup being made); a running daemon "
        "goes on by itself, or run `allears forget --yes`",
        "forget_traces": "the journal's file was not written anew, and unused places in it may hold traces: run "
        "`allears forget --compact` at a quiet hour",
        "forget_compact": "the journal's file was written anew",
        "forget_none": "nobody has been forgotten yet",
        "retention_line": "thrown away for their age: {originals} originals, {payloads} payloads, {files} files",
        "to_forget": "still to be erased at a customer's wish: {count}",
        "forget_number": "NO.",
        "forget_begun": "BEGUN",
        "forget_finished": "FINISHED",
        "forget_by": "BY",
        "forget_conversations": "CONVERSATIONS",
        "forget_messages": "MESSAGES",
        "forget_open": "LEFT",
        "reference": "REFERENCE",
        "channel": "CHANNEL",
        "customer": "CUSTOMER",
        "destination": "DESTINATION",
        "ticket": "TICKET",
    },
    "zh": {
        "forget_nobody": "没有保存 {customer} 的任何数据",
        "forget_found": "会话 {conversations} 个，消息 {messages} 条",
        "forget_others": "这些会话里还有其他客户的 {count} 条消息，将一并删除",
        "forget_in": "本人的",
        "forget_among": "他人的：只删除其消息",
        "forget_tickets": "以下工单请自行在工单系统中删除：",
        "forget_doubtful": "（可能存在：当时没有收到应答）",
        "forget_sources": "渠道一侧仍保存着读取过的内容（{channels}），请在那里一并删除；allears 不会再次读取",
        "forget_files": "读自以下文件，请自行删除：{files}",
        "forget_letters": "提到该客户、将一并删除的信件：{numbers}",
        "forget_mentions": "他人提到该客户、不作改动的投诉：{references}",
        "forget_unread": "还有 {count} 条未读取的消息可能属于该客户：读取后请再运行一次",
        "forget_sending": "{references} 有投递正在进行：待工单系统应答后再删除其余部分",
        "forget_backups": "此前的备份中仍有副本：请删除备份，或在恢复备份后再运行一次",
        "forget_dry": "尚未删除任何内容；加 --yes 才删除",
        "forget_done": "已删除：会话 {conversations} 个，消息 {messages} 条，取消投递 {cancelled} 个",
        "forget_left": "还有 {count} 项须等待（投递正在进行，或正在备份）；运行中的守护进程会自动继续，"
        "或运行 `allears forget --yes`",
        "forget_traces": "日志库文件未重写，其空闲处可能仍有痕迹：请在空闲时运行 `allears forget --compact`",
        "forget_compact": "日志库文件已重写",
        "forget_none": "尚未删除过任何客户",
        "retention_line": "已到期清除：原文 {originals}，投递内容 {payloads}，文件 {files}",
        "to_forget": "应客户要求、尚待删除：{count}",
        "forget_number": "编号",
        "forget_begun": "开始",
        "forget_finished": "完成",
        "forget_by": "操作者",
        "forget_conversations": "会话",
        "forget_messages": "消息",
        "forget_open": "剩余",
        "reference": "编号",
        "channel": "渠道",
        "customer": "客户",
        "destination": "目的地",
        "ticket": "工单",
    },
}
