// Words of the header viewer.

export const WORDS = {
  ja: {
    headerTitle: "DICOM ヘッダー", headerHint: "名前・タグ・値で探す", headerTag: "タグ", headerName: "名前", headerVr: "VR", headerValue: "値", headerPrivate: "（プライベート）",
    headerBulk: "バイナリー（ここには表示しません）", headerItems: "{n} 項目", headerCount: "{n} / {total} 行", headerCut: "{n} / {total} 行（先頭の {shown} 行を表示。語を足して絞り込めます）",
    headerMore: "続きを表示（全 {n} 文字）", headerCopy: "値をコピー", headerCopied: "コピーしました。", headerNotCopied: "コピーできませんでした。値を選択してコピーしてください。", headerNothing: "ヘッダーのある画像を選んでください。",
  },
  en: {
    headerTitle: "DICOM header", headerHint: "Search names, tags, values", headerTag: "Tag", headerName: "Name", headerVr: "VR", headerValue: "Value", headerPrivate: "(private)",
    headerBulk: "binary, not shown here", headerItems: "{n} items", headerCount: "{n} of {total} rows", headerCut: "{n} of {total} rows (the first {shown} are shown; add a word to narrow it down)",
    headerMore: "Show the rest ({n} characters)", headerCopy: "Copy value", headerCopied: "Copied.", headerNotCopied: "It could not be copied. Select the value and copy it.", headerNothing: "Choose an image that has a header.",
  },
};
