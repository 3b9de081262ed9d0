// Words of the study list.

export const WORDS = {
  ja: {
    listSearch: "検索", listHint: "氏名・ID・生年月日・受付番号・モダリティ・検査日・施設", listClear: "条件を消す", listRemove: "{what} を外す",
    listUnderstood: "検索条件", listKindName: "氏名・施設", listKindId: "ID・受付番号", listKindAccession: "受付番号", listKindCentre: "施設", listKindBirth: "生年月日",
    listKindStudy: "検査日", listKindDay: "生年月日・検査日", listKindModality: "モダリティ", listKindNew: "前回以降に届いた検査",
    listToday: "今日", listYesterday: "昨日", listWeek: "今週", listModality: "モダリティ", listAny: "すべて", listOnlyNew: "新着のみ",
    listColumnName: "患者氏名", listColumnId: "患者ID", listColumnBirth: "生年月日", listColumnSex: "性別", listColumnDate: "検査日", listColumnModality: "種別",
    listColumnDescription: "検査内容", listColumnAccession: "受付番号", listColumnCentre: "施設", listColumnImages: "画像", listColumnState: "状態",
    listSort: "{column}で並べ替え", listTable: "検査一覧",
    listRange: "{from}–{to} / {total} 件", listRangeCut: "{from}–{to} / 新しい {total} 件（条件に合う検査はさらにあります。条件を足してください）", listNone: "該当する検査はありません。",
    listNewCount: "新着のみ（{n}）", listArrived: "検査が {n} 件届きました。表示する", listNew: "新着", listMore: "追加", listWaits: "整理前", listWaitsWhy: "受信済み。まだパックされていません（表示はできます）", listPriors: "過去 {n}", listPriorsWhy: "同じ患者の以前の検査 {n} 件",
    listSeries: "{n} シリーズ", listKeys: "↑↓ 選ぶ　Enter 開く　/ 検索",
  },
  en: {
    listSearch: "Search", listHint: "name, ID, birth date, accession, modality, date, centre", listClear: "Clear", listRemove: "Remove {what}",
    listUnderstood: "Searched for", listKindName: "Name or centre", listKindId: "ID or accession", listKindAccession: "Accession", listKindCentre: "Centre", listKindBirth: "Birth date",
    listKindStudy: "Study date", listKindDay: "Birth or study date", listKindModality: "Modality", listKindNew: "Come in since the last visit",
    listToday: "Today", listYesterday: "Yesterday", listWeek: "This week", listModality: "Modality", listAny: "Any", listOnlyNew: "New only",
    listColumnName: "Patient", listColumnId: "Patient ID", listColumnBirth: "Born", listColumnSex: "Sex", listColumnDate: "Study date", listColumnModality: "Modality",
    listColumnDescription: "Description", listColumnAccession: "Accession", listColumnCentre: "Centre", listColumnImages: "Images", listColumnState: "State",
    listSort: "Sort by {column}", listTable: "Studies",
    listRange: "{from}–{to} of {total}", listRangeCut: "{from}–{to} of the newest {total} (more studies match: add a condition)", listNone: "No study matches.",
    listNewCount: "New only ({n})", listArrived: "{n} studies have come in. Show them", listNew: "New", listMore: "Added to", listWaits: "Unpacked", listWaitsWhy: "Received, and not yet packed (it can be opened)", listPriors: "{n} prior", listPriorsWhy: "{n} earlier studies of the same patient",
    listSeries: "{n} series", listKeys: "↑↓ choose   Enter open   / search",
  },
};
