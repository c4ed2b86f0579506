"""Words by which machines' mails are known. Only what no customer writes where it is looked for: a parcel, too, is
undeliverable, returned, late or 未送达, and people complain of automatic replies."""

from __future__ import annotations

import re

from allears_sdk.reference import find_references
from normalizer.trim import trim_reply
from normalizer.trim_patterns import FORWARD_PREFIX, PUBLIC_DOMAINS

__all__ = ["FORWARD_PREFIX", "PUBLIC_DOMAINS", "own_words"]

_TAG = r"(?:\[[^\]]{0,40}\]|【[^】]{0,40}】|\(?ticket\s?\#?[\w-]{1,20}\)?:?)"
SUBJECT = re.compile(
    rf"""^\s*(?:{_TAG}\s*){{0,2}}(?:
    (?:auto(?:matic|mated|matisk[at]?)?[ -]?(?:reply|response|responder|antwort|svar|acknowledge?ment)
      |automatisch\w*\s(?:antwort|antwoord|svar|afwezigheidsbericht)
      |abwesenheit(?:snotiz|sassistent|sbenachrichtigung|smeldung)?|r[ée]ponse\sautomatique|respuesta\sautom[áa]tica
      |risposta\sautomatica|resposta\sautom[áa]tica|r[ěe]sposta\sautomatica|automatiskt?\s(?:svar|autosvar)|autosvar
      |automaattinen\svastaus|poissaoloilmoitus|fr[åa]nvaro(?:meddelande)?|frav[æa]r(?:smelding)?|ikke\stil\sstede
      |odpowied[źz]\sautomatyczna|automatyczna\sodpowied[źz]|nieobecno[śs][ćc]|automatick[áa]\sodpov[ěe][ďd]
      |automatikus\sv[áa]lasz|h[áa]zon\sk[íi]v[üu]l|r[ăa]spuns\sautomat|otomatik\s(?:yan[ıi]t|cevap)
      |автоответ(?:чик)?|автоматический\sответ|автоматична\sвідповідь|нет\sна\sмест[еу]|αυτόματη\sαπάντηση
      |fuori\ssede|fuori\sufficio|assente|afwezig(?:heid)?|niet\saanwezig|message\sd['’]absence|absence\sdu\sbureau
      |fuera\sde\s(?:la\s)?oficina|ausencia|fora\sdo\sescrit[óo]rio|out[\s-]of[\s-](?:the[\s-])?office(?:\sautoreply)?
      |ooo|oof|vacation\s(?:reply|response)|away\sfrom\s(?:my\s)?(?:mail|office|desk)|תשובה\sאוטומטית|מענה\sאוטומטי
      |رد\sتلقائي|balasan\sotomatis|ตอบกลับอัตโนมัติ|trả\slời\stự\sđộng)\s*(?:$|[:：;,!\-–—(/])
    |auto\s?re\s?[:：]|auto:
    |\[?(?:自动|自動)(?:回复|回覆|答复|答覆|返信|応答|应答|回信)\]?(?:\s*$|\s*[:：;,，!！\-–—(（/\]])
    |(?:外出|休假|假期|出差|离开)\s?自动(?:回复|答复)|不在办公室|不在辦公室|자동\s?(?:회신|응답|답장)|부재\s?중
    |不在通知|不在のお知らせ|不在応答
    |undelivered\smail\sreturned|(?:undeliver(?:ed|able)|unzustellbar|onbestelbaar|non\sremis|ikke\sleveret|ej\slevererat
      |no\sse\spuede\sentregar|non\srecapitabile|n[ãa]o\sentregue|niedostarczaln[ye]|не\sдоставлено)\s?[:：]
    |delivery\s(?:status\snotification|delayed\s?:|has\sfailed|(?:status\s)?notification\s\()
    |mail\sdelivery\s(?:failed|failure|system|subsystem)|mail\ssystem\serror|message\sdelivery\s(?:failure|delayed)
    |failure\snotice|returned\smail\s?[:：]|(?:warning:\s)?could\snot\ssend\smessage|undeliverable\smail\b
    |warning:\smessage\s\S+\sdelayed|rejected\smail\b|delivery\sfailure\s?(?:$|[:(])
    |系统退信|系統退信|退信(?:通知|提醒|报告|$|\s*[:：/])|邮件(?:投递|发送)失败(?:\s*$|通知|提醒|\s*[:：])
    |郵件(?:傳遞|投遞|寄送)失敗|无法投递的邮件|(?:无法|未能)(?:投递|传递)[:：]|未(?:传递|傳遞)[:：]|邮件被退回的?通知
    |配信不能|配信エラー|メール配信(?:失敗|エラー)|메일\s?전송\s?실패|반송된?\s?메일
    |已读回执|讀取回條|已讀回條|(?:邮件)?(?:阅读|收条)回执|return\sreceipt\s\(|開封確認
    |(?:calendar\s)?(?:new\sevent\s)?response\sto\sinvitation
    )""",
    re.IGNORECASE | re.VERBOSE,
)
CALENDAR_ANSWER = re.compile(
    r"^\s*(?:accepted|declined|tentative(?:ly\saccepted)?|zugesagt|abgesagt|mit vorbehalt|accepté|refusé|provisoire"
    r"|aceptad[oa]|rechazad[oa]|accettat[oa]|rifiutat[oa]|geaccepteerd|geweigerd|принято|отклонено|已接受|已拒绝|已谢绝"
    r"|暂定|接受|拒绝|承諾済み|辞退|수락됨|거절됨)\s?[:：]",
    re.IGNORECASE,
)
RECEIPT_SUBJECT = re.compile(
    r"^\s*(?:read|not read|deleted|gelesen|ungelesen|lu|non lu|le[ií]d[oa]|lett[oa]|gelezen|l[äa]st|læst|прочтено"
    r"|прочитано|已读|未读|已讀|开封|開封済み|既読|읽음)\s?[:：]",
    re.IGNORECASE,
)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_MAIL = r"(?:e-?mail|message|response|reply|notification)"
_MADE = r"(?:自动|自動|系统|系統|システム)"
RECEIPT_TEXT = _any(
    r"was (?:read|deleted|opened|displayed) on",
    r"has been (?:read|displayed|opened)",
    r"wurde (?:am|gelesen|gelöscht)|a été (?:lu|supprimé)|se ha leído|è stato letto|прочитано",
    r"(?:已(?:于|被|经)|于).{0,60}(?:阅读|打开|查看|讀取|删除)|阅读了您?的?(?:邮件|信)",
)
NOTICE = _any(
    rf"this {_MAIL} (?:was|is|has been) (?:sent |generated |created )?auto(?:matically|mated|-generated)",
    r"this is an? auto(?:mated|matic|matically[ -]generated|-?generated|-?reply)",
    rf"do not (?:reply|respond) (?:directly )?to this (?:auto\w+ )?{_MAIL}",
    rf"replies to this (?:{_MAIL}|mailbox|address) (?:are not|will not be|go un)",
    r"(?:type|write) your reply above this line",
    r"your (?:request|ticket|case|inquiry) (?:\(?#?[\w-]{2,20}\)? )?has been (?:received|created|logged|opened)",
    r"a (?:support )?(?:ticket|case|request) has been (?:created|opened|logged|generated) for",
    rf"(?:此|本)(?:邮件|郵件|信件?|信息|电邮|消息)(?:为|為|是|由)?.{{0,10}}{_MADE}.{{0,10}}(?:发送|發送|发出|發出|生成|回复|产生)",
    r"请?(?:勿|不要)(?:直接)?(?:回复|回覆)(?:此|本|该)(?:邮件|郵件|信)",
    r"(?:系统|系統)(?:自动|自動)(?:发送|發送|发出|發出|生成|回复)的?(?:邮件|郵件|信件|通知)?[,，。;；!！]?.{0,6}(?:勿|不要)(?:直接)?(?:回复|回覆)",
    r"diese (?:e-?mail|nachricht) wurde automatisch",
    r"ce (?:message|courriel|mail) (?:a été|est) (?:généré|envoyé) automatiquement",
    r"este (?:mensaje|correo) (?:ha sido|fue|es) (?:generado|enviado) autom[áa]ticamente",
    rf"このメールは{_MADE}",
)
AWAY = _any(
    r"\bI(?:'m|’m| am| will be)(?: currently| now| presently)? (?:out of (?:the )?office|away from (?:the )?"
    r"(?:office|my (?:desk|e-?mail))|on (?:\w+ )?(?:leave|vacation|holiday))",
    r"\bich bin (?:derzeit|zur zeit|bis|vom|momentan)[^.\n]{0,60}(?:nicht im (?:büro|haus)|abwesend|im urlaub)",
    r"je suis (?:actuellement )?(?:absente?|en congés?)|estoy fuera de la oficina|sono fuori ufficio",
    r"我(?:目前|现在|现|正)?(?:正?在|处于)?(?:休(?:年|产|病)?假|出差|外出|度假)(?:中|期间|，|,|。)|我(?:目前|现在)?不在办公室",
    r"您好[,，!！]?\s?(?:我|本人)?(?:最近|近期|目前)?(?:正在|在)?(?:休假|度假)(?:中)?[,，。]",
    r"私は.{0,20}(?:休暇|不在)",
)
BACK = _any(
    r"\b(?:will|shall) (?:return|be back|respond|reply|answer|get back|read)|limited access|no access|urgent",
    r"\bi return\b|returning on|zurück|dringend|retour|urgen|rientr|regres",
    r"尽快(?:给|与|和|向)?您?(?:回复|联系|处理)|(?:回来|返回|假期结束|上班|归来)后.{0,12}(?:回复|联系|处理)",
    r"(?:紧急|急事|要事).{0,12}(?:联系|请|致电|拨打)|戻り|至急",
)
UNSUBSCRIBE = _any(
    r"unsubscribe|opt[- ]?out|newsletter|abmelden|désabonner|darse de baja|disiscriv|退订|退訂|取消订阅|配信停止"
)
ANSWER_PREFIX = re.compile(r"^\s*(?:re|aw|sv|antw|res|odp|r|回复|回覆|答复|答覆)\s*[:：]", re.IGNORECASE)


_HINTS = (
    "auto", "this e", "this m", "reply above", "has been", "自动", "自動", "系统", "系統", "システム", "勿", "不要",
    "office", " leave", "vacation", "holiday", "假", "出差", "外出", "不在", "abwesend", "urlaub", "absent", "congé",
    "oficina", "ufficio", "休暇", "my desk", "my e",
)  # fmt: skip
"""One of them stands in whatever the two find; looking for them costs a tenth."""


def own_words(text: str) -> str:
    """Without what is quoted: an answer holds the notice it answers. Empty where nothing is to be looked for, and
    where our own number stands: then it may be our acknowledgement that it quotes."""
    folded = text.lower()
    if not any(hint in folded for hint in _HINTS) or not (NOTICE.search(text) or AWAY.search(text)):
        return ""
    return "" if find_references(text) else trim_reply(text)
