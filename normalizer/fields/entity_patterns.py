"""Shapes of numbers, addresses and names, over folded text. Order matters: what is claimed first is not read again.

Every repetition is bounded, so that no text makes them slow.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Shape(NamedTuple):
    kind: str
    """An entity kind, or "" for a decoy: a number that must be taken for nothing else."""
    name: str
    needs: str
    """What kind of character has to occur for the shape to be worth trying: `digit`, `@`, `han`, `latin`, ""."""
    pattern: re.Pattern[str]
    """Group 1 is the entity."""


SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林郑谢罗梁宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
    "温康施文牛樊葛邢安齐易乔伍庞颜倪庄聂章鲁岳翟殷詹申欧耿关兰焦俞左柳甘祝包宁尚符舒阮柯纪梅童凌毕单季裴霍涂成苗谷盛曲翁冉骆蓝路游辛靳管柴蒙鲍华喻祁蒲房滕屈饶解牟艾尤阳时穆农司卓古吉缪简车项连芦麦褚娄窦戚岑景党宫费卜冷晏席卫米柏宗瞿桂全佟应臧闵苟邬边卞姬师和仇栾隋商刁沙荣巫寇桑郎甄丛仲虞敖巩明佘池查麻苑迟邝怀"
)
_TITLES = (
    "先生|女士|小姐|太太|经理|师傅|老师|店长|主任|医生|大夫|护士|校长|总理|书记|局长|县长|市长|省长|州长|科长|处长|所长|院长|主管|专员|工程师|律师|警官|老板|总监|阿姨"
)
_ID = r"[a-z0-9](?:[a-z0-9]|[-/_](?=[a-z0-9])){2,31}"
_WITH_DIGIT = rf"(?=[a-z/_-]{{0,12}}\d){_ID}"
_IS = r"(?:[ \t]?(?:is|was|为|是|no\.?|number|num|id|nr\.?)\b)?[ \t]{0,2}[:：#是为(（\[]{0,2}[ \t]{0,2}"
_AMOUNT = r"\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,2})?|\d{1,9}(?:\.\d{1,2})?"


def _shape(kind: str, name: str, needs: str, pattern: str, flags: int = 0) -> Shape:
    return Shape(kind, name, needs, re.compile(pattern, flags))


SHAPES: tuple[Shape, ...] = (
    _shape("", "url", ":", r"(https?://[^\s\u4e00-\u9fff]{1,500})"),
    _shape(
        "email", "email", "@", r"(?<![\w.+-])([a-z0-9][\w.+-]{0,63}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,5})", re.ASCII
    ),
    _shape("", "handle", "@", r"(@[\w\u4e00-\u9fff-]{1,40})"),
    _shape(
        "wechat",
        "wechat",
        "latin",
        r"(?:微信号?|威信|v信|vx|v❤|wx|薇信|薇❤?|微❤|卫星|v:|wechat(?: id)?|weixin)(?:id|号|是|同号)?[\ufe0f\s:：是为=]{0,4}"
        r"((?!.{0,3}同号)[a-z][a-z0-9_-]{5,19})(?![a-z0-9@])",
    ),
    _shape(
        "tracking",
        "carrier",
        "digit",
        r"(?<![a-z0-9])((?:sf|yt|zto|sto|jt|jdv?[a-z]{0,2}|yd|ems|db|dpk|uc|yunda|ks)\d{10,16}|1z[0-9a-z]{16}|[a-z]{2}\d{9}[a-z]{2}"
        r"|h00[0-9a-z]{13}|tba\d{12}|rml?\d{9,12}[a-z]|9[2-5]\d{20})(?![a-z0-9])",
    ),
    _shape(
        "tracking",
        "led",
        "digit",
        r"(?:(?:快递|运|物流|包裹|追踪|跟踪|货运)(?:单号?|编号|号码?)|单号|运单|tracking(?: number| no\.?| #| code| id)?|awb|waybill"
        r"|parcel(?: number| no\.?)?|consignment|中通|圆通|申通|韵达|顺丰|极兔|百世|德邦|邮政|ems|京东快递|ups|fedex|dhl|usps)"
        rf"{_IS}((?=[a-z0-9]{{0,6}}\d{{6}})[a-z]{{2,4}}\d{{8,18}}[a-z]{{0,2}}|(?<!单号)(?<!单号[:： ])\d{{12,15}}|(?<=快递单号)\d{{9,18}}|(?<=运单号)\d{{9,18}}"
        r"|(?<=物流单号)\d{9,18}|(?<=快递单号[:： ])\d{9,18}|(?<=运单号[:： ])\d{9,18})(?![a-z0-9])",
    ),
    _shape(
        "",
        "decoy",
        "digit",
        r"((?:验证码|证件号码?|身份证号?码?|会员(?:卡)?号?|卡号|末四[码位]|尾号|流水号?|账号|发票(?:号码?)?|税号|桌号|工号|批[号次]|户号|房号|车牌号?|航班"
        r"|batch|incident|code|member(?:ship)?|account|acct|invoice|card|flight|flt|train|seat|room|version|android|ios|clause|passport|pin|vat)"
        r"(?: number| no\.?| #| id| code| elite)?[是为 :：#(]{0,3}(?=[a-z#]{0,12}\d)(?:[a-z0-9]{1,40}(?:[- ]\d{2,8}){0,4}))",
    ),
    _shape(
        "order",
        "led",
        "digit",
        r"(?:(?:订|定|工|采购|预订|预定|合同|保|工)单(?:编号|号码|号)?|(?:合同|预订|预约|工单|采购|案件|投诉|编)(?:编号|号码|号)|单号|(?<!\d)单子"
        r"|\border(?:s)?(?: number| no\.?| nr\.?| id| ref(?:erence)?| #|#)?|\bbooking(?: ref(?:erence)?| number| no\.?| code)?|\bpurchase(?: order| number)?"
        r"|\b(?:contract|policy|ticket|claim|case|reservation|confirmation|request|reference|ref|po)(?: number| no\.?| #| id| code)?)"
        rf"{_IS}(?![12]\d{{3}}年)(?!\d{{1,4}}(?:元|块|天|[- ]?(?:days?|weeks?|months?|hours?|items?|times?)|月|号|年))((?<=#)\d{{3,}}|{_WITH_DIGIT})",
    ),
    _shape(
        "order",
        "shape",
        "digit",
        r"(?<![a-z0-9-])(\d{3}-\d{7}-\d{7}|po\d{6,14}|\d{6}-\d{15})(?![a-z0-9-])",
    ),
    _shape(
        "phone",
        "mobile",
        "digit",
        r"(?<![a-z0-9.])((?:\+?86[- ]?)?1[3-9][\d*x][- ]?[\d*x]{4}[- ]?\d{4})(?![\d-])",
    ),
    _shape("phone", "international", "digit", r"(?<![a-z0-9])((?:\+|00(?=\d{2,3}[- ]))\d{1,3}(?:[- ]?\(?\d{1,4}\)?){2,5})(?!\d)"),
    _shape("phone", "hotline", "digit", r"(?<![a-z0-9-])([48]00[- ]\d{3}[- ]?\d{4}|[48]00\d{7}|1[- ]8\d\d[- ]\d{3}[- ]\d{4})(?![\d-])"),
    _shape("phone", "called", "digit", r"(?:打|拨|热线|电话)[^\d\n]{0,6}((?:95\d{3}|10\d{3}|12\d{3}|96\d{3,4}))(?!\d)"),
    _shape(
        "phone",
        "landline",
        "digit",
        r"(?<![a-z0-9-])(\(?0\d{2,3}\)?[- ]?\d{4}[- ]?\d{4}|\(?0\d{2,3}\)?[- ]\d{3}[- ]?\d{4}|0\d{3,4}[- ]\d{3}[- ]?\d{3,4}"
        r"|09\d\d-?\d{3}-?\d{3}|\(0\d\) ?\d{3,4}-\d{4})(?![\d-])",
    ),
    _shape("phone", "us", "digit", r"(?<![a-z0-9-])(\(\d{3}\) ?\d{3}-\d{4}|\d{3}[-.]\d{3}[-.]\d{4}|\d{3} \d{3} \d{4}|0\d{10})(?![\d-])"),
    _shape(
        "phone",
        "eight",
        "digit",
        r"(?:电话|whatsapp|致电|打|tel|phone|call|客户[：:])[^\d\n]{0,6}([2-9]\d{3}[- ]?\d{4})(?![\d-])",
    ),
    _shape(
        "amount",
        "sign",
        "digit",
        rf"((?:nt\$|hk\$|us\$|au?\$|ca?\$|s\$|[¥￥$£€₹]|\b(?:rmb|cny|usd|hkd|twd|eur|gbp|inr|rs\.?)) ?(?:{_AMOUNT})(?: ?(?:万|亿|k\b|million\b|bn\b))?)",
    ),
    _shape(
        "amount",
        "word",
        "",
        rf"(?<![\d.,-])((?:{_AMOUNT}) ?[多余]?[百千万亿]?(?:元|块钱|块(?!里|是|肉|的|[^\s\d多吧了啊呢,，。！？!?；;、…]|$(?!))|圆|人民币|美元|港币|港元|台币|欧元|英镑|澳元"
        r"|(?: ?(?:usd|rmb|cny|eur|euros?|gbp|pounds?|dollars?|bucks|quid|hkd|rupees|cents)\b)))",
    ),
    _shape("amount", "minus", "digit", rf"-((?:{_AMOUNT}) ?元)"),
    _shape("amount", "numeral", "han", r"(?<![几数十百千])([一二两三四五六七八九十百千万]{1,6}(?:块钱|块(?=多|钱|[,，。！？!?；;\s]|$)|元(?![旦素宵件])))"),
    _shape("person", "some", "han", rf"([{SURNAMES}]某{{1,2}})(?!某|人|些)"),
    _shape("person", "titled", "han", rf"((?:(?<![\u4e00-\u9fff])[{SURNAMES}][\u4e00-\u9fff]{{1,2}}|[{SURNAMES}])(?:{_TITLES}))"),
    _shape(
        "person",
        "led",
        "han",
        rf"(?:联系人|姓名|收件人|发件人|签收人|我叫|我是|本人|同事|会员|名叫|名字叫|叫做|客户经理|申请人|投诉人)[：: ]{{0,2}}([{SURNAMES}][\u4e00-\u9fff]{{1,2}})"
        r"(?![\u4e00-\u9fff])",
    ),
    _shape("person", "young", "han", rf"(?:销售|客服|店员|导购|员工|师傅|管家|中介|专员|顾问|快递员|骑手|服务员|司机|工作人员|叫)(小[{SURNAMES}]|老[{SURNAMES}])"),
    _shape("person", "badge", "han", r"(?:名牌|胸牌|工牌|名叫|叫)[^\s，。,「“\"]{0,3}[「“\"]([\u4e00-\u9fff]{2,4})[」”\"]"),
)

SIGNED_ZH = re.compile(rf"^[ \t]*(?:此致[ \t]*)?([{SURNAMES}][\u4e00-\u9fff]{{1,2}})[ \t]*(?:$|[|｜/].{{0,40}}$|敬上$|[（(])", re.MULTILINE)
PERSON_EN = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Sir|Madam)\.? ((?:[A-Z]\. ?){0,2}[A-Z][a-z]+(?:[-'][A-Z][a-z]+)?(?: [A-Z][a-z]+(?:-[A-Z][a-z]+)?)?)"
    r"|(?:[Mm]y name(?:'s|’s| is)|[Tt]his is|through to|I'm called|named|[Cc]ontact|[Ss]poke (?:to|with)|(?:agent|rep|colleague|advisor|manager|driver)) "
    r"((?!(?:The|Your|My|A|An|Our|Me|Us|Is|It)\b)[A-Z][a-z]+(?: [A-Z][a-z]+(?:-[A-Z][a-z]+)?)?)(?= (?:on|at|or|who|how|from|in|and|told|said)\b|[,.;\n]|$)"
    r"|(?:\b(?:[Tt]hanks?|[Tt]hank you|[Tt]hx|[Cc]heers|[Bb]est|[Rr]egards|[Ss]incerely)[, ]{1,2})"
    r"((?!(?:For|In|To|So|Again|And|But|Regards|You|Team|All|God|Very|Much|A|The)\b)[A-Z][a-z]+(?: [A-Z][a-z]+)?)(?=[.!]?[ \t]*(?:$|\n))"
    r"|^(?:[Hh]i|[Hh]ello|[Hh]ey|[Dd]ear) ((?!(?:There|All|Team|Sir|Sirs|Madam|General|Customer|Guys|Everyone|Folks|Support|I|The|My|Can|Do|What|How)\b)[A-Z][a-z]+)(?=[, ])"
    r"|\b([A-Z][a-z]+) (?:on|at|in|from) the (?:[a-z]+ ){0,2}(?:counter|desk|till|checkout|team|store|shop)\b",
    re.MULTILINE,
)
SIGNED_EN = re.compile(
    r"^(?:Dr |Mr |Mrs |Ms |Miss |Prof )?((?:[A-Z]\. ?){0,2}(?:[A-Z][a-z]+|[A-Z]\.)(?:[-'’][A-Z][a-z]+)?(?: (?:[A-Z]\.|[a-z]{2,3} [A-Z][a-z]+|Mc[A-Z][a-z]+|[A-Z][a-z]+(?:[-'’][A-Z][a-z]+)?)){0,2})[ \t]*$",
    re.MULTILINE,
)
NOT_NAMES = frozenset(
    "ltd limited inc llc plc manager director executive team officer support department sales regards thanks cheers best sincerely "
    "faithfully yours kind hello hi dear sir sirs madam order refund please sent from invoice warm many thank studio company service "
    "services customer care road street lane ok yes no hotel group bank january february march april may june july august september "
    "october november december monday tuesday wednesday thursday friday saturday sunday help shop store cancel returns test subject".split()
)
MODEL = re.compile(
    r"(?<![A-Za-z0-9/#-])(?:(?P<zh>(?<![\u4e00-\u9fff])[\u4e00-\u9fff]{2,4}|(?<=那个|这个|这款|那款|一台|一个|你们|买的)[\u4e00-\u9fff]{2,4})?"
    r"|(?P<en>[A-Z][a-z]{2,15} ))(?P<model>[A-Z]{1,5}-[A-Z]?\d{2,5}[A-Z]{0,3}(?:-[A-Z0-9]{1,4})?|[A-Z]{1,4}\d{2,5}[A-Z]{0,3}|[A-Z]\d(?![\d年月]))"
    r"(?![A-Za-z0-9-])"
)
MODEL_LED = re.compile(
    r"(?:型号|料号|货号|款号|序列号|机型|SKU|ASIN|VIN|[Mm]odel(?: number| no\.?)?|[Ss]erial(?: number| no\.?)?|S/N|P/N|[Pp]art(?: number| no\.?))"
    r"[ \t]{0,2}(?:[:：#]|is|是|为)?[ \t]{0,2}([A-Z0-9](?:[A-Z0-9]|[-/.](?=[A-Za-z0-9])){2,24})"
)
NAMED_EN = re.compile(
    r"(?:\bthe|\bmy|\bits? the|\bit's the) ((?:[A-Z][a-z]+ (?:& |and )?){1,4}(?:[a-z]+ )?(?:train set|set|kit|bites|headset|blender|mixer|kettle))\b|"
    r"^((?:[A-Z][a-z]+ ){1,3}(?:& )?(?:[A-Z][a-z]+ ?){1,3})(?= lists? )",
    re.MULTILINE,
)
