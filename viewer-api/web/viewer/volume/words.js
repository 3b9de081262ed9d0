// Words of MPR.

export const WORDS = {
  ja: {
    volumeLoading: "断面を作るため読み込み中… {n}/{total}", volumeAxial: "横断", volumeSagittal: "矢状断", volumeCoronal: "冠状断",
    volumeSlab: "厚み", volumeSlabMm: "厚み {mm} mm", volumeSlabKind: "重ね方", volumeSlabMean: "平均", volumeSlabMax: "最大値（MIP）", volumeCross: "十字線（クリックで移動）",
    volumeRefused: "このシリーズからは MPR を作れません。{reason}", volumeReduced: "この端末の記憶容量に収めるため、面内を 1/{n} に縮小して作りました（{mb} MB）。",
    volumeTooLarge: "この端末では大きすぎます（{mb} MB、上限 {most} MB）。", volumeFailed: "画像を読み込めないため MPR を作れません。{reason}", volumeNothing: "画像のシリーズを選んでください。",
    volumeFew: "画像が {n} 枚しかありません（{least} 枚以上必要）。", volumeColour: "カラー画像です。", volumeSamples: "画素値が 16 ビットを超えるか、符号の有無が揃っていません。", volumeUnplaced: "位置・向き・画素間隔の記載がない画像があります。",
    volumeNoFrameOfReference: "基準座標系（Frame of Reference）の記載がありません。", volumeFramesOfReference: "基準座標系の異なる画像が混ざっています。",
    volumeMatrix: "画像の大きさが揃っていません。", volumeSpacing: "画素間隔が揃っていません。", volumeOrientation: "断面の向きが揃っていません。", volumeRescale: "画素値の換算（Rescale）が画像ごとに異なります。",
    volumeSamePlace: "同じ位置の画像が {n} 組あります。", volumeGap: "画像が抜けています（{n} か所、最大 {mm} mm、間隔は {step} mm）。", volumeUneven: "間隔が一定ではありません（{least}〜{most} mm）。",
    volumeTilt: "ガントリー傾斜があります（{degrees}°）。", volumeThick: "スライス間隔（{step} mm）が画素（{pixel} mm）に比べて粗すぎます。",
  },
  en: {
    volumeLoading: "Loading for new planes… {n}/{total}", volumeAxial: "Axial", volumeSagittal: "Sagittal", volumeCoronal: "Coronal",
    volumeSlab: "Slab", volumeSlabMm: "Slab {mm} mm", volumeSlabKind: "Projection", volumeSlabMean: "Mean", volumeSlabMax: "Maximum (MIP)", volumeCross: "Crosshair (a click moves it)",
    volumeRefused: "No MPR can be made of this series. {reason}", volumeReduced: "To fit the memory of this machine, it was made at 1/{n} in plane ({mb} MB).",
    volumeTooLarge: "It is too large for this machine ({mb} MB, at most {most} MB).", volumeFailed: "No MPR: images cannot be loaded. {reason}", volumeNothing: "Choose a series of images first.",
    volumeFew: "There are only {n} images ({least} are needed).", volumeColour: "Its images are in colour.", volumeSamples: "Its samples have more than 16 bits, or are signed in some images only.", volumeUnplaced: "Some images do not state position, orientation and pixel spacing.",
    volumeNoFrameOfReference: "No Frame of Reference is stated.", volumeFramesOfReference: "Its images lie in different Frames of Reference.",
    volumeMatrix: "Its images differ in size.", volumeSpacing: "Its images differ in pixel spacing.", volumeOrientation: "Its images differ in orientation.", volumeRescale: "Its images differ in how values are rescaled.",
    volumeSamePlace: "{n} pairs of images lie in the same place.", volumeGap: "Images are missing ({n} gaps, up to {mm} mm, where the step is {step} mm).", volumeUneven: "The distance from image to image is not even ({least} to {most} mm).",
    volumeTilt: "The gantry was tilted ({degrees}°).", volumeThick: "The step from image to image ({step} mm) is too coarse for its pixels ({pixel} mm).",
  },
};
