// Words of reports and documents.

export const WORDS = {
  ja: {
    reportPdfOpen: "PDF を開く", reportPdfWhy: "PDF は新しいタブで開きます。", reportPdfTitleMissing: "PDF 文書", reportPdfFailed: "PDF を取り出せません。{reason}",
    reportTitle: "構造化レポート", reportEmpty: "このレポートには内容がありません。", reportCut: "長いため、ここまでを表示しています（{n} 項目）。",
    reportImageRef: "参照画像", reportImageRefs: "{n} 件", reportRegion: "領域 {type}、{n} 点", reportPlace: "シリーズ {series}・画像 {image}", reportElsewhere: "…{uid}（この検査の画像ではありません）",
    reportComplete: "記載完了", reportPartial: "記載途中", reportVerified: "確定", reportUnverified: "未確定", reportCodes: "コードを表示",
    reportMeasure: "項目", reportValue: "値", reportUnit: "単位", reportOn: "画像",
    reportCdaTitle: "CDA 文書", reportCdaFailed: "この文書を読めません。{reason}", reportCdaXml: "XML として読めません。", reportCdaOther: "本文は XML ではありません（{type}）。ファイルを保存して開いてください。", reportCdaLarge: "文書が大きすぎます。ファイルを保存して開いてください。",
  },
  en: {
    reportPdfOpen: "Open PDF", reportPdfWhy: "The PDF opens in a new tab.", reportPdfTitleMissing: "PDF document", reportPdfFailed: "The PDF cannot be taken out. {reason}",
    reportTitle: "Structured report", reportEmpty: "This report has no content.", reportCut: "The report is long; shown up to here ({n} items).",
    reportImageRef: "Referenced image", reportImageRefs: "{n} objects", reportRegion: "Region {type}, {n} points", reportPlace: "Series {series}, image {image}", reportElsewhere: "…{uid} (not an image of this study)",
    reportComplete: "complete", reportPartial: "partial", reportVerified: "verified", reportUnverified: "not verified", reportCodes: "Show codes",
    reportMeasure: "Measurement", reportValue: "Value", reportUnit: "Unit", reportOn: "Image",
    reportCdaTitle: "CDA document", reportCdaFailed: "This document cannot be read. {reason}", reportCdaXml: "It is not readable as XML.", reportCdaOther: "Its body is not XML ({type}). Save the file and open it.", reportCdaLarge: "The document is too large. Save the file and open it.",
  },
};
