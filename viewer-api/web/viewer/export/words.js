// Words of exporting and printing.

export const WORDS = {
  ja: {
    exportTitle: "書き出し・印刷", exportOverlays: "計測と注記を入れる", exportPatient: "患者情報を画像に書き込む（氏名・ID・生年月日・検査日）", exportPreview: "書き出す画像", exportNoPatient: "患者情報は入りません。",
    exportWithPatient: "画像に患者情報が入ります。扱いに注意してください。", exportSave: "PNG を保存", exportPrint: "印刷", exportSaved: "保存しました。診断用ではありません。", exportNothing: "書き出す画像がありません。画像を表示してからもう一度押してください。",
  },
  en: {
    exportTitle: "Export, print", exportOverlays: "With measurements and notes", exportPatient: "Write the patient into the picture (name, ID, date of birth, study date)", exportPreview: "The picture to export", exportNoPatient: "Nothing says who the patient is.",
    exportWithPatient: "The picture names the patient. Handle it with care.", exportSave: "Save PNG", exportPrint: "Print", exportSaved: "Saved. Not for diagnosis.", exportNothing: "There is no picture to export. Show one and press again.",
  },
};
