"""What widget and demo page say, in Chinese and English."""

from __future__ import annotations

from typing import Final

from connectors._web.language import Language

HEADING: Final[dict[Language, str]] = {"zh": "有问题，请告诉我们", "en": "Tell us what went wrong"}
INTRO: Final[dict[Language, str]] = {
    "zh": "您好！请写下发生了什么，可以发照片。写完马上就有受理编号，我们会尽快联系您。",
    "en": "Hello! Please tell us what happened; photos help. You get a reference number at once, and we will "
    "get back to you.",
}

WORDS: Final[dict[Language, dict[str, str]]] = {
    "zh": {
        "tag": "zh-CN",
        "launch": "有问题？",
        "write": "请写在这里",
        "send": "发送",
        "attach": "添加照片或文件",
        "file": "文件",
        "close": "关闭",
        "again": "另说一件事",
        "waiting": "发送中…",
        "later": "还没发出去，会自动再发",
        "sent": "已收到",
        "failed": "没有被接收",
        "large": "没有发送：文件是空的，或超过 {size} MB",
        "retry": "再试一次",
        "reference": "您的受理编号",
        "keep": "再联系我们时，请报上它。",
        "copy": "复制",
        "copied": "已复制",
        "contact": "怎么联系您？留下任意一种即可。",
        "name": "称呼",
        "phone": "电话",
        "email": "邮箱",
        "order": "订单号",
        "colon": "：",
        "leave": "留下联系方式",
        "privacy": "隐私说明",
    },
    "en": {
        "tag": "en",
        "launch": "A problem?",
        "write": "Write here",
        "send": "Send",
        "attach": "Add photos or files",
        "file": "File",
        "close": "Close",
        "again": "Report something else",
        "waiting": "Sending…",
        "later": "Not sent yet; it will go out by itself",
        "sent": "Received",
        "failed": "Not accepted",
        "large": "Not sent: the file is empty or larger than {size} MB",
        "retry": "Try again",
        "reference": "Your reference number",
        "keep": "Quote it when you contact us again.",
        "copy": "Copy",
        "copied": "Copied",
        "contact": "How can we reach you? Any one will do.",
        "name": "Name",
        "phone": "Phone",
        "email": "E-mail",
        "order": "Order number",
        "colon": ": ",
        "leave": "Send contact details",
        "privacy": "Privacy notice",
    },
}
"""Of the widget: every word is sent to every visitor."""

DEMO: Final[dict[Language, dict[str, str]]] = {
    "zh": {
        "title": "网页聊天：试用与安装",
        "try": "右下角就是聊天按钮，请点开写一句。在这里发送的内容会真正受理。",
        "try_left": "左下角就是聊天按钮，请点开写一句。在这里发送的内容会真正受理。",
        "embed": "放到您的网站",
        "embed_hint": "把这一行放进网页，并在设置里把网站写进 allowed_origins：",
        "copy_it": "复制",
        "copied": "已复制",
        "policy": "网站若有内容安全策略（CSP），请在 script-src 和 connect-src 里加上 {origin}。样式不需要另外放行。",
        "switch": "English",
        "other": "en",
    },
    "en": {
        "title": "Web chat: try it and embed it",
        "try": "The chat button is in the lower right corner: open it and write a line. What is sent here is "
        "really filed.",
        "try_left": "The chat button is in the lower left corner: open it and write a line. What is sent here is "
        "really filed.",
        "embed": "On your website",
        "embed_hint": "Put this line into your pages, and name the site in allowed_origins:",
        "copy_it": "Copy",
        "copied": "Copied",
        "policy": "If the site has a Content Security Policy, add {origin} to its script-src and connect-src. Styles "
        "need nothing.",
        "switch": "中文",
        "other": "zh",
    },
}
