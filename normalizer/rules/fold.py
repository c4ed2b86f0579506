"""Folding for the eyes of rules: simplified characters, half width, lower case; every character stays in its place."""

from __future__ import annotations

import re

# Only characters that occur in complaints; what a rule does not use needs no entry.
_TRADITIONAL = (
    "壞坏壓压質质貨货買买賣卖錢钱訂订單单發发還还沒没這这個个們们來来時时間间對对開开關关電电話话號号碼码裡里裏里後后為为麼么嗎吗說说請请問问題题務务員员處处"
    "應应該该與与給给過过讓让從从點点裝装運运輸输遲迟慢慢誤误遞递寄寄損损斷断裂裂漏漏濕湿髒脏臭臭壽寿險险費费價价額额帳账賬账戶户鎖锁盜盗竊窃資资訊讯隱隐"
    "洩泄露露騙骗詐诈偽伪賠赔償偿換换維维護护修修補补償偿歉歉釋释經经銷销標标準准尺尺寸寸顏颜實实圖图廣广動动態态惡恶劣劣極极爛烂騷骚擾扰絕绝拒拒規规則则"
    "條条約约證证據据聯联繫系絡络網网頁页視视頻频聽听見见覺觉謝谢讚赞優优愛爱歡欢樂乐興兴趣趣難难離离種种樣样變变轉转圈圈滑滑動动舊旧卡卡錯错誰谁幾几兩两"
    "張张雙双鞋鞋褲裤襪袜裙裙帶带領领飛飞機机場场車车輛辆輪轮燈灯線线熱热涼凉凍冻氣气煙烟燒烧傷伤醫医藥药療疗護护診诊斷断殘残廢废師师傅傅檢检測测試试驗验"
    "鐵铁銀银鋼钢銹锈鏽锈紅红綠绿藍蓝黃黄紙纸箱箱盒盒膠胶塑塑織织縫缝線线無无未未別别僅仅總总結结終终續续約约簽签單单據据紀纪錄录認认識识訴诉訟讼調调解解"
    "協协會会議议員员報报導导媒媒體体舉举審审查查監监督督權权益益違违法法罰罚責责任任負负業业產产品品質质環环衛卫餐餐廳厅館馆飯饭麵面湯汤雞鸡魚鱼蝦虾蟲虫"
    "髮发頭头髒脏嚇吓嘔呕瀉泻腫肿癢痒過过敏敏紅红門门窗窗樓楼層层鄰邻噪噪聲声響响鬧闹嚴严滿满減减贈赠禮礼劃划優优惠惠積积獎奖勵励稅税發发票票抬抬頭头冊册"
    "內内臺台灣湾島岛國国區区縣县鎮镇鄉乡歲岁媽妈爸爸寶宝貝贝學学習习書书筆笔腦脑鍵键盤盘滑滑鼠鼠螢萤幕幕畫画晝昼夠够嘗尝試试備备儲储值值繳缴納纳餘余擔担"
    "拋抛棄弃擇择拿拿遠远進进選选適适達达連连遊游戲戏遭遭遺遗憶忆懶懒憤愤懷怀應应竟竟競竞當当敗败數数斂敛歷历曆历殺杀毀毁決决況况淨净溫温滅灭濫滥災灾無无"
    "現现瑪玛環环畢毕異异癥症盡尽盤盘睏困確确礙碍禮礼稱称穩稳窮穷築筑簡简粧妆糾纠純纯級级細细紹绍組组絲丝編编練练縮缩績绩繁繁織织罵骂羅罗聞闻職职膚肤臉脸"
    "舖铺萬万葉叶蓋盖薦荐藝艺蘋苹蘭兰虧亏衝冲補补複复親亲觀观計计訓训記记許许評评詢询詳详誇夸誠诚誤误謊谎講讲證证譯译譽誉豐丰貓猫財财貪贪貼贴賓宾賞赏賤贱"
    "賴赖購购軟软較较載载輕轻農农逾逾週周郵邮醜丑釘钉針针鈕钮鉛铅鋁铝錶表鍋锅鏡镜鐘钟鑰钥長长閃闪閉闭閱阅闆板陰阴陳陈陸陆陽阳隊队階阶隨随雖虽雜杂離离雲云"
    "靈灵靜静韓韩頂顶項项順顺須须預预頓顿頸颈顆颗類类顧顾顯显風风飲饮飽饱餓饿駕驾騎骑騰腾驚惊驛驿鬆松魯鲁鮮鲜鳥鸟鹹咸麥麦黨党齊齐齒齿龍龙龜龟係是佢他畀给"
    "並并佈布併并倆俩側侧傳传傾倾僱雇儀仪億亿儘尽償偿兒儿兇凶冊册凈净創创勁劲勝胜勞劳勢势匯汇衆众眾众啟启喚唤喪丧單单嗆呛嘆叹嘩哗圍围團团執执堅坚報报塊块"
    "墊垫墜坠墻墙牆墙壇坛夢梦夥伙奪夺婦妇孫孙寧宁寫写寬宽將将專专尋寻屆届屬属嶄崭幣币幫帮幹干廂厢廁厕廚厨廠厂彈弹徑径徵征恆恒悶闷慘惨慚惭慣惯慮虑慶庆憑凭"
    "懇恳懲惩掃扫掛挂採采揀拣揚扬損损搖摇搗捣搶抢摔摔撥拨撿捡擊击擋挡擠挤擬拟擴扩擺摆攔拦攜携攝摄攤摊敘叙斬斩於于昇升暫暂暈晕條条棄弃業业榮荣構构槍枪樁桩"
    "樹树橋桥櫃柜欄栏歐欧殘残殼壳毆殴氾泛污污沖冲涉涉淚泪淺浅渾浑滯滞滲渗漢汉漲涨潔洁潛潜潤润濁浊濃浓濟济瀏浏瀝沥灑洒為为爐炉爭争爺爷狀状狹狭獨独獲获猶犹"
)
_PAIRS = [(a, b) for a, b in zip(_TRADITIONAL[::2], _TRADITIONAL[1::2], strict=True) if a != b]
_HALF_WIDTH = {chr(code): chr(code - 0xFEE0).lower() for code in range(0xFF01, 0xFF5F)} | {"\u3000": " ", "\xa0": " "}
_PUNCTUATION = "！？，；："
_TABLE: dict[str, str] = {
    **dict(_PAIRS),
    **{full: half for full, half in _HALF_WIDTH.items() if full not in _PUNCTUATION},
    **{letter: letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    **dict.fromkeys("‘’", "'"),
}
_FOLDS = re.compile(f"[{''.join(sorted(_TABLE))}]")


def fold(text: str) -> str:
    """Same length as `text`, character for character."""
    if text.isascii():
        return text.lower()
    for character in set(_FOLDS.findall(text)):  # few kinds occur in one text: ten times as fast as `translate`
        text = text.replace(character, _TABLE[character])
    return text


TRADITIONAL_ONLY = frozenset(a for a, _ in _PAIRS) | frozenset("嘅喺咗唔冇哋啲咁嚟嘢佢畀")
SIMPLIFIED_ONLY = (
    frozenset(b for _, b in _PAIRS) - TRADITIONAL_ONLY - frozenset("后里系面发台干只志几范采准松布团才出复余冲")
)
