// Japanese and English. Both tables hold the same keys (a test compares them); `{name}` marks a value put in.

export const TEXT = {
  ja: {
    title: "つなぐ", studies: "検査一覧", reading: "読影", language: "言語", theme: "表示", themeAuto: "自動", themeLight: "明", themeDark: "暗",
    loading: "読み込み中…", retry: "再試行", close: "閉じる", back: "一覧へ戻る", download: "DICOM を保存", original: "受信原本を保存",
    originalRefused: "受信原本の保存は許可されていません。", skip: "本文へ移動",
    signInTitle: "サインイン", signInWhy: "この画面を見るにはサインインが必要です。ワンタイムのリンクを開くか、発行されたトークンを貼り付けてください。",
    signInToken: "トークン", signInSend: "サインイン", signInRefused: "このトークンでは入れません。期限切れでないか確かめて、もう一度貼り付けてください。",
    signInLinkOver: "このリンクは使用済みか、期限切れです。新しいリンクを発行してもらうか、トークンを貼り付けてください。",
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
    imageWithoutPixels: "この画像のファイルには画素が入っていません。送信元に画像が残っているか確かめてください。ファイルはそのまま保管されています。",
    cannotKind: "{kind}はこの画面では表示できません。ファイルを保存して専用のソフトで開いてください。",
    reasonNotImage: "サーバーがこの形式を描画できません（{status}）。", reasonServer: "サーバーがこの画像を描画できません（{status}：{detail}）。", reasonNetwork: "サーバーに接続できません。", reasonNoFrame: "このファイルにはこのフレームの画素がありません。", reasonNoPalette: "色の表（パレット）がファイルにありません。", reasonCode: "画像データを復号できません（{detail}）。",
    kindSegmentation: "セグメンテーション", kindRadiotherapy: "放射線治療の情報",
    kindWaveform: "この種類の波形", kindRegistration: "位置合わせ・換算の情報", kindOther: "この種類のオブジェクト（{uid}）",
    tabEcg: "波形", tabReport: "レポート", tabPdf: "PDF", tabCda: "CDA 文書", tabOther: "その他",
    presentationOver: "表示条件は画像に重ねて表示します。画像を開き、「計測と注記」（Shift+V）で選んでください。", emptySeries: "このシリーズには何もありません。",
  },
  en: {
    title: "Tsunagu", studies: "Studies", reading: "Reading", language: "Language", theme: "Theme", themeAuto: "Auto", themeLight: "Light", themeDark: "Dark",
    loading: "Loading…", retry: "Try again", close: "Close", back: "Back to the list", download: "Save DICOM", original: "Save received original",
    originalRefused: "You are not allowed to save the received original.", skip: "Skip to content",
    signInTitle: "Sign in", signInWhy: "You need to sign in to see this page. Open your one-time link, or paste the token you were given.",
    signInToken: "Token", signInSend: "Sign in", signInRefused: "This token is not accepted. Check that it has not expired, then paste it again.",
    signInLinkOver: "This link has been used already, or is too old. Ask for a new one, or paste a token.",
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
    imageWithoutPixels: "This image came without its pixels. Ask the sender whether they are there. The file is kept unchanged.",
    cannotKind: "{kind} cannot be shown on this page. Save the file and open it with a program made for it.",
    reasonNotImage: "The server cannot render this format ({status}).", reasonServer: "The server cannot render this image ({status}: {detail}).", reasonNetwork: "The server cannot be reached.", reasonNoFrame: "The file holds no pixels for this frame.", reasonNoPalette: "The file has no palette of its colours.", reasonCode: "The image data cannot be decoded ({detail}).",
    kindSegmentation: "A segmentation", kindRadiotherapy: "A radiotherapy object",
    kindWaveform: "This kind of waveform", kindRegistration: "A registration or value mapping", kindOther: "This kind of object ({uid})",
    tabEcg: "Waveform", tabReport: "Report", tabPdf: "PDF", tabCda: "CDA", tabOther: "Other",
    presentationOver: "A presentation state is drawn over its images. Open an image and choose it under “Measurements” (Shift+V).", emptySeries: "There is nothing in this series.",
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
