"""What the pages say, in Chinese and English."""

from __future__ import annotations

from typing import Final

WORDS: Final[dict[str, dict[str, str]]] = {
    "zh": {
        "lang": "zh-CN",
        "other": "en",
        "switch": "English",
        "heading": "哪里没做好，请告诉我们",
        "intro": "写下发生了什么就可以，其他都可以不填。提交后您会得到一个受理编号，再联系我们时报上它即可。",
        "text": "发生了什么？",
        "text_hint": "什么时候、哪家店或哪件商品、遇到了什么问题、希望我们怎么处理。",
        "product": "商品或服务",
        "order": "订单号",
        "files": "照片或文件",
        "pick": "＋ 添加照片或文件",
        "files_hint": "最多 {count} 个，合计不超过 {megabytes} MB。",
        "files_again": "浏览器不会保留所选的文件，请重新选择。",
        "contact": "怎么联系您",
        "contact_hint": "电话、邮箱、微信号，留下任意一种，我们才能答复您。",
        "name": "称呼",
        "phone": "电话",
        "email": "邮箱",
        "wechat": "微信号",
        "subject": "标题",
        "required": "必填",
        "submit": "提交",
        "sending": "正在提交…",
        "privacy": "隐私说明",
        "trap": "请不要填写这一栏",
        "check": "还差一点",
        "kept": "您写的内容都还在，改好后再点一次“提交”即可。",
        "failed": "还没有提交成功。您写的内容都还在，请稍后再点一次“提交”；不会重复受理。",
        "too_big": "所选文件合计超过 {megabytes} MB，请减少一些。",
        "remove": "移除",
        "done": "已经收到，谢谢您告诉我们",
        "reference": "您的受理编号",
        "keep": "请截图或抄下来。再联系我们时报上这个编号，我们马上就能找到您的反馈。",
        "copy_it": "复制编号",
        "copied": "已复制",
        "another": "再写一件",
        "poster_heading": "哪里没做好，请告诉我们",
        "poster_line": "扫一扫，写下来，一分钟就好",
        "poster_alt": "投诉表单的二维码",
        "print": "打印",
    },
    "en": {
        "lang": "en",
        "other": "zh",
        "switch": "中文",
        "heading": "Tell us what went wrong",
        "intro": "Just describe what happened; everything else is optional. You will get a reference number to quote "
        "whenever you contact us again.",
        "text": "What happened?",
        "text_hint": "When, which shop or product, what went wrong, and what you would like us to do.",
        "product": "Product or service",
        "order": "Order number",
        "files": "Photos or files",
        "pick": "＋ Add photos or files",
        "files_hint": "Up to {count} files, {megabytes} MB together.",
        "files_again": "Browsers do not keep chosen files: please choose them again.",
        "contact": "How can we reach you?",
        "contact_hint": "A phone number, an e-mail address or a WeChat ID: any one of them lets us answer.",
        "name": "Name",
        "phone": "Phone",
        "email": "E-mail",
        "wechat": "WeChat ID",
        "subject": "Subject",
        "required": "required",
        "submit": "Send",
        "sending": "Sending…",
        "privacy": "Privacy notice",
        "trap": "Please leave this field empty",
        "check": "Almost there",
        "kept": "Everything you wrote is still here. Mend this, then press “Send” again.",
        "failed": "This has not been sent yet. Everything you wrote is still here: please press “Send” again in a "
        "moment. It will not be filed twice.",
        "too_big": "The chosen files are more than {megabytes} MB together: please leave some out.",
        "remove": "Remove",
        "done": "We have it. Thank you for telling us",
        "reference": "Your reference number",
        "keep": "Take a screenshot or write it down. Quote it when you contact us again and we will find your "
        "report at once.",
        "copy_it": "Copy number",
        "copied": "Copied",
        "another": "Report something else",
        "poster_heading": "Something not right? Tell us",
        "poster_line": "Scan, write it down, done in a minute",
        "poster_alt": "QR code of the complaint form",
        "print": "Print",
    },
}

FAULTS: Final[dict[str, dict[str, str]]] = {
    "zh": {
        "text_missing": "请写下发生了什么。",
        "too_long": "“{label}”最多 {limit} 个字，现在有 {actual} 个。",
        "too_many_files": "最多可以附 {limit} 个文件，现在有 {actual} 个。",
        "broken": "内容没有完整传到，请再提交一次。",
        "unsupported": "不支持这种提交方式，请打开表单页面填写。",
    },
    "en": {
        "text_missing": "Please tell us what happened.",
        "too_long": "“{label}” can have {limit} characters; there are {actual}.",
        "too_many_files": "You can attach {limit} files; there are {actual}.",
        "broken": "Part of the form got lost on the way: please send it again.",
        "unsupported": "This way of sending is not supported: please open the form and fill it in.",
    },
}


def choose(asked: str, accept_language: str, default: str) -> str:
    """ "zh" or "en": the one asked for by the link, else the browser's first choice of the two, else `default`."""
    if asked in WORDS:
        return asked
    ranked = sorted(_preferences(accept_language), key=lambda choice: -choice[1])
    return next((language for language, weight in ranked if language in WORDS and weight > 0), default)


def _preferences(accept_language: str) -> list[tuple[str, float]]:
    return [_preference(part) for part in accept_language[:200].split(",")]


def _preference(part: str) -> tuple[str, float]:
    tag, _, weight = part.partition(";")
    try:
        value = float(weight.strip().removeprefix("q=") or 1)
    except ValueError:
        value = 0.0
    return tag.strip().lower().split("-")[0], value
