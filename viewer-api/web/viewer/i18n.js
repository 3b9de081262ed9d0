// Japanese and English. Both tables hold the same keys (a test compares them); `{name}` marks a value put in.

export const TEXT = {
  ja: {
    title: "つなぐ", studies: "検査一覧", language: "言語", theme: "表示", themeAuto: "自動", themeLight: "明", themeDark: "暗",
    loading: "読み込み中…", retry: "再試行", close: "閉じる", back: "一覧へ戻る", download: "DICOM を保存", original: "受信原本を保存",
    originalRefused: "受信原本の保存は許可されていません。", skip: "本文へ移動",
    signInTitle: "サインイン", signInWhy: "この画面を見るにはサインインが必要です。ワンタイムのリンクを開くか、発行されたトークンを貼り付けてください。",
    signInToken: "トークン", signInSend: "サインイン", signInRefused: "このトークンでは入れません。期限切れでないか確かめて、もう一度貼り付けてください。",
    signInBroken: "サーバーに接続できません。回線を確かめて、もう一度押してください。",
    sexM: "男", sexF: "女", sexO: "その他", years: "{n}歳", noName: "（氏名なし）", noDate: "（日付なし）",
    errorOffline: "サーバーに接続できません。回線を確かめて再試行してください。", errorRefused: "この検査を見る権限がありません。管理者に確認してください。",
    errorMissing: "見つかりません。削除または移動された可能性があります。", errorBusy: "サーバーが混み合っています。少し待って再試行してください。",
    errorServer: "サーバーがエラーを返しました（{status}）。{detail}", errorPage: "画面の処理に失敗しました：{detail}",
    series: "シリーズ", seriesNumber: "シリーズ {n}", images: "{n} 枚", objects: "{n} 件", item: "項目", toolbar: "画像の操作",
    slider: "画像の位置", preset: "階調", presetManual: "手動",
 invert: "白黒反転", reset: "元に戻す", fit: "全体", oneToOne: "等倍", play: "再生", pause: "停止", frameRate: "コマ/秒",
    overlay: "文字", tool: "ドラッグ",
    qualityPreview: "プレビュー 1/{n}", qualityLossless: "可逆", qualityLossy: "非可逆", qualityLossyRatio: "非可逆 {ratio}:1",
    qualityRendered: "サーバー描画（8 bit、階調は固定）",
    linkSlow: "回線が遅いため、受信に時間がかかっています。", linkBroken: "回線が切れています。つながりしだい続きから受信します。",
    cannotRender: "この画像は表示できません。{reason} ファイルはそのまま保管されています。", cannotFrame: "（フレーム {n}）",
    cannotKind: "{kind}はこの画面では表示できません。ファイルを保存して専用のソフトで開いてください。",
    reasonNotImage: "サーバーがこの形式を描画できません（{status}）。", reasonServer: "サーバーがこの画像を描画できません（{status}：{detail}）。", reasonNetwork: "サーバーに接続できません。", reasonNoFrame: "このファイルにはこのフレームの画素がありません。", reasonCode: "画像データを復号できません（{detail}）。",
    kindPresentation: "表示条件（GSPS）", kindSegmentation: "セグメンテーション", kindRadiotherapy: "放射線治療の情報", kindCda: "CDA 文書",
    kindWaveform: "この種類の波形", kindRegistration: "位置合わせ・換算の情報", kindOther: "この種類のオブジェクト（{uid}）",
 tabEcg: "波形", tabReport: "レポート", tabPdf: "PDF", tabOther: "その他",
    emptySeries: "このシリーズには何もありません。",
    pdfOpen: "PDF を開く", pdfWhy: "PDF は新しいタブで開きます。", pdfTitleMissing: "PDF 文書", pdfFailed: "PDF を取り出せません。{reason}",
    reportTitle: "構造化レポート", reportEmpty: "このレポートには内容がありません。", reportCut: "長いため、ここまでを表示しています（{n} 項目）。",
    reportImageRef: "参照画像", reportImageRefs: "{n} 件", reportRegion: "領域 {type}、{n} 点",
    reportComplete: "記載完了", reportPartial: "記載途中", reportVerified: "確定", reportUnverified: "未確定",
    ecgTitle: "心電図", ecgLayout: "配置", ecgLayout3x4: "3×4＋リズム", ecgLayout6x2: "6×2", ecgLayout12x1: "12×1", ecgLayoutAll: "全チャネル",
    ecgSpeed: "紙送り", ecgGain: "感度", ecgSize: "寸法", ecgSizeTrue: "実寸", ecgSizeFit: "幅に合わせる", ecgRhythm: "リズム誘導", ecgSource: "記録",
    ecgMedian: "中央値波形", ecgRecorded: "記録波形", ecgUnlabelled: "グループ {n}",
    ecgFilters: "表示フィルター：なし", ecgFiltersStored: "記録時：{filter}", ecgFiltersMixed: "記録時：誘導により異なる", ecgFiltersUnknown: "記録時：記載なし", ecgNotch: "ノッチ {n} Hz",
    ecgUncalibrated: "画面は未校正（96 dpi と仮定）", ecgCalibrated: "画面は校正済み（{n} px/mm）", ecgFitted: "幅に合わせた表示（実寸の {n}%）", ecgNoUnits: "感度の記載がないため mV 目盛はありません（任意単位）。",
    ecgComputed: "※ 他の誘導から計算した波形：{leads}", ecgMissing: "欠測を含む誘導：{leads}", ecgSkipped: "読めない記録：{reason}",
    ecgCalibrate: "画面を校正", ecgCalibrateHow: "カード（免許証・交通系カードなど、幅 85.6 mm）を画面に当て、帯の幅が同じになるまで動かしてください。",
    ecgCalibrateWidth: "帯の幅", ecgCalibrateSave: "この値を使う", ecgCalibrateForget: "校正を消す",
    ecgMeasurements: "計測値", ecgFindings: "装置の所見", ecgFiducials: "波形の区切り点 {n} 点", ecgNoAnnotations: "計測値・所見の記載はありません。",
    ecgDeviceNote: "装置の自動判定です。医師の判断ではありません。", ecgComputedQtc: "計算値（記載の QT と RR から）",
    ecgPaper: "心電図の波形。{leads}。{speed} mm/s、{gain} mm/mV。", ecgEarlier: "前へ", ecgLater: "次へ", ecgTime: "{from}–{to} 秒 / 全 {total} 秒",
    ecgFailed: "この波形は表示できません。{reason}", ecgErrorLength: "波形データの長さが記載と合いません（必要 {expected} バイト、実際 {actual} バイト）。",
    ecgErrorFormat: "標本の形式 {format} には対応していません。", ecgErrorEmpty: "波形が入っていません。", ecgErrorRate: "標本化周波数の記載がありません。",
    ecgErrorSize: "波形が大きすぎます（{n} 標本）。", ecgHz: "{n} Hz", ecgSampling: "{rate} Hz・{seconds} 秒",
  },
  en: {
    title: "Tsunagu", studies: "Studies", language: "Language", theme: "Theme", themeAuto: "Auto", themeLight: "Light", themeDark: "Dark",
    loading: "Loading…", retry: "Try again", close: "Close", back: "Back to the list", download: "Save DICOM", original: "Save received original",
    originalRefused: "You are not allowed to save the received original.", skip: "Skip to content",
    signInTitle: "Sign in", signInWhy: "You need to sign in to see this page. Open your one-time link, or paste the token you were given.",
    signInToken: "Token", signInSend: "Sign in", signInRefused: "This token is not accepted. Check that it has not expired, then paste it again.",
    signInBroken: "The server cannot be reached. Check the connection and press the button again.",
    sexM: "M", sexF: "F", sexO: "Other", years: "{n} y", noName: "(no name)", noDate: "(no date)",
    errorOffline: "The server cannot be reached. Check the connection and try again.", errorRefused: "You are not allowed to see this. Ask the administrator.",
    errorMissing: "Not found. It may have been deleted or moved.", errorBusy: "The server is busy. Wait a moment and try again.",
    errorServer: "The server answered with an error ({status}). {detail}", errorPage: "This page failed: {detail}",
    series: "Series", seriesNumber: "Series {n}", images: "{n} images", objects: "{n} objects", item: "Item", toolbar: "Image tools",
    slider: "Position in the stack", preset: "Window", presetManual: "Manual",
 invert: "Invert", reset: "Reset", fit: "Fit", oneToOne: "1:1", play: "Play", pause: "Stop", frameRate: "Frames/s",
    overlay: "Text", tool: "Drag",
    qualityPreview: "preview 1/{n}", qualityLossless: "lossless", qualityLossy: "lossy", qualityLossyRatio: "lossy {ratio}:1",
    qualityRendered: "rendered by the server (8 bit, fixed window)",
    linkSlow: "The link is slow; the image is still on its way.", linkBroken: "The link is broken. What is left will be fetched as soon as it is back.",
    cannotRender: "This image cannot be shown. {reason} The file is kept unchanged.", cannotFrame: "(frame {n})",
    cannotKind: "{kind} cannot be shown on this page. Save the file and open it with a program made for it.",
    reasonNotImage: "The server cannot render this format ({status}).", reasonServer: "The server cannot render this image ({status}: {detail}).", reasonNetwork: "The server cannot be reached.", reasonNoFrame: "The file holds no pixels for this frame.", reasonCode: "The image data cannot be decoded ({detail}).",
    kindPresentation: "A presentation state", kindSegmentation: "A segmentation", kindRadiotherapy: "A radiotherapy object", kindCda: "A CDA document",
    kindWaveform: "This kind of waveform", kindRegistration: "A registration or value mapping", kindOther: "This kind of object ({uid})",
 tabEcg: "Waveform", tabReport: "Report", tabPdf: "PDF", tabOther: "Other",
    emptySeries: "There is nothing in this series.",
    pdfOpen: "Open PDF", pdfWhy: "The PDF opens in a new tab.", pdfTitleMissing: "PDF document", pdfFailed: "The PDF cannot be taken out. {reason}",
    reportTitle: "Structured report", reportEmpty: "This report has no content.", reportCut: "The report is long; shown up to here ({n} items).",
    reportImageRef: "Referenced image", reportImageRefs: "{n} objects", reportRegion: "Region {type}, {n} points",
    reportComplete: "complete", reportPartial: "partial", reportVerified: "verified", reportUnverified: "not verified",
    ecgTitle: "ECG", ecgLayout: "Layout", ecgLayout3x4: "3×4 + rhythm", ecgLayout6x2: "6×2", ecgLayout12x1: "12×1", ecgLayoutAll: "All channels",
    ecgSpeed: "Speed", ecgGain: "Gain", ecgSize: "Size", ecgSizeTrue: "True size", ecgSizeFit: "Fit width", ecgRhythm: "Rhythm lead", ecgSource: "Recording",
    ecgMedian: "Median beat", ecgRecorded: "As recorded", ecgUnlabelled: "Group {n}",
    ecgFilters: "Filters: off", ecgFiltersStored: "as recorded: {filter}", ecgFiltersMixed: "as recorded: differs by lead", ecgFiltersUnknown: "as recorded: not stated", ecgNotch: "notch {n} Hz",
    ecgUncalibrated: "Screen uncalibrated (96 dpi assumed)", ecgCalibrated: "Screen calibrated ({n} px/mm)", ecgFitted: "Fitted to width ({n}% of true size)", ecgNoUnits: "No sensitivity is stated, so there is no mV scale (arbitrary units).",
    ecgComputed: "※ computed from other leads: {leads}", ecgMissing: "Leads with missing samples: {leads}", ecgSkipped: "Cannot be read: {reason}",
    ecgCalibrate: "Calibrate screen", ecgCalibrateHow: "Hold a bank card or driving licence (85.6 mm wide) against the screen and move the slider until the bar is as wide as the card.",
    ecgCalibrateWidth: "Width of the bar", ecgCalibrateSave: "Use this", ecgCalibrateForget: "Forget calibration",
    ecgMeasurements: "Measurements", ecgFindings: "Device statements", ecgFiducials: "{n} fiducial points", ecgNoAnnotations: "No measurements or statements are recorded.",
    ecgDeviceNote: "Automatic statements of the device, not a doctor's reading.", ecgComputedQtc: "computed from the stated QT and RR",
    ecgPaper: "ECG trace. {leads}. {speed} mm/s, {gain} mm/mV.", ecgEarlier: "Earlier", ecgLater: "Later", ecgTime: "{from}–{to} s of {total} s",
    ecgFailed: "This waveform cannot be shown. {reason}", ecgErrorLength: "The length of the waveform data does not agree with the header (needed {expected} bytes, found {actual}).",
    ecgErrorFormat: "Sample format {format} is not supported.", ecgErrorEmpty: "It holds no waveform.", ecgErrorRate: "No sampling frequency is stated.",
    ecgErrorSize: "The waveform is too large ({n} samples).", ecgHz: "{n} Hz", ecgSampling: "{rate} Hz, {seconds} s",
  },
};

let current = "ja";

/**
 * Adds the words of a part of the page that is loaded when first used. `words` is `{ja: {…}, en: {…}}` with the same keys in both; a part
 * begins its keys with its own name. A key that is there already is our own mistake and throws.
 */
export function addWords(words) {
  for (const [name, table] of Object.entries(words)) {
    for (const key of Object.keys(table)) if (Object.hasOwn(TEXT[name], key) && TEXT[name][key] !== table[key]) throw new Error(`two texts for ${key}`);
    Object.assign(TEXT[name], table);
  }
}

/** The language now shown: `"ja"` or `"en"`. */
export function language() {
  return current;
}

/** Switches the language; anything unknown becomes Japanese. */
export function setLanguage(wanted) {
  current = Object.hasOwn(TEXT, wanted) ? wanted : "ja";
}

/** The sentence of `key` with `{…}` filled in. An unknown key is our own mistake and throws. */
export function t(key, parts = {}) {
  const pattern = TEXT[current][key];
  if (pattern === undefined) throw new Error(`no text for ${key}`);
  return pattern.replace(/\{(\w+)\}/g, (_, name) => String(parts[name] ?? "")).trim();
}
