//! Old and variant forms of kanji in names.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Forms that NFKC leaves apart, each before the form it is searched under. Most senders cannot write the first ones
/// (many are outside JIS X 0208), so both forms of one name are in use. Keys only: what was received stays as it is.
const VARIANTS: &str = "
    亞亜 來来 兒児 冨富 凉涼 劍剣 劒剣 劔剣 啟啓 單単 嚴厳 圀国
    國国 圍囲 圓円 埜野 增増 壯壮 壽寿 奧奥 孃嬢 學学 實実 寬寛
    將将 專専 尙尚 峯峰 嵜崎 嶋島 嶌島 嶽岳 巖巌 帶帯 廢廃 廣広
    弍弐 彌弥 彥彦 從従 德徳 悅悦 惠恵 愼慎 戶戸 拂払 拔抜 敍叙
    敎教 敕勅 敘叙 斉斎 晄晃 晉晋 晧皓 曉暁 曺曹 曻昇 曾曽 會会
    枡桝 栁柳 桒桑 桧檜 桺柳 條条 榮栄 槇槙 槗橋 樣様 橫横 檢検
    櫻桜 權権 步歩 歷歴 每毎 氣気 淨浄 淵渕 淸清 渊渕 溪渓 滿満
    澤沢 濤涛 濱浜 濵浜 瀧滝 瀨瀬 灣湾 煇輝 煕熙 熈熙 燈灯 爲為
    狹狭 獨独 獸獣 珎珍 瑤瑶 瓣弁 甁瓶 畧略 畫画 當当 疊畳 皥皞
    眞真 碕崎 礒磯 禮礼 禰祢 稻稲 穗穂 穰穣 竝並 籏旗 籔薮 籠篭
    粹粋 絋紘 絲糸 經経 綠緑 緖緒 縣県 縱縦 總総 繩縄 繪絵 續続
    羣群 聰聡 聲声 肅粛 臺台 與与 舊旧 舘館 舛桝 舩船 艷艶 莊荘
    莵菟 菴庵 萊莱 萬万 薗園 薰薫 藏蔵 藝芸 藪薮 蘆芦 處処 號号
    螢蛍 蟬蝉 裝装 覺覚 觀観 證証 讓譲 豐豊 賴頼 贊賛 輕軽 轉転
    辨弁 迹跡 遙遥 邉辺 邊辺 邨村 郞郎 鄉郷 鄕郷 鄰隣 醫医 釋釈
    釡釜 釼剣 鋪舗 錄録 鍊錬 鎭鎮 鐵鉄 鑛鉱 閒間 關関 隱隠 雜雑
    靈霊 靍鶴 靎鶴 靏鶴 靜静 頴穎 顯顕 餘余 驛駅 體体 髙高 鬪闘
    鰺鯵 鴈雁 鷄鶏 鷗鴎 鹽塩 麥麦 麴麹 麵麺 黃黄 黑黒 齊斎 齋斎
    齒歯 龍竜 龜亀 﨑崎 𠮷吉
";

static FORMS: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let pair = |pair: &str| {
        let mut of = pair.chars();
        Some((of.next()?, of.next()?))
    };
    VARIANTS.split_whitespace().filter_map(pair).collect()
});

/// The form a kanji is searched under.
pub(super) fn one_form(c: char) -> char {
    if c < '\u{3400}' { c } else { FORMS.get(&c).copied().unwrap_or(c) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that the table is of pairs, and that no form it names is a variant itself: one step is enough.
    #[test]
    fn every_variant_has_one_final_form() {
        for pair in VARIANTS.split_whitespace() {
            assert_eq!(pair.chars().count(), 2, "{pair}");
        }
        for form in FORMS.values() {
            assert!(!FORMS.contains_key(form), "{form}");
        }
        assert_eq!(one_form('髙'), '高');
        assert_eq!(one_form('邉'), one_form('邊'));
        assert_eq!(one_form('𠮷'), '吉');
    }
}
