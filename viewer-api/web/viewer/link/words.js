// Words of the line that says how the link to the server is.

export const WORDS = {
  ja: {
    linkName: "回線の状態", linkIsSlow: "回線が遅くなっています：{rate} Mbit/s。画像の表示に時間がかかります。", linkIsBroken: "サーバーにつながりません。つながり次第、自動で続けます（次の確認まで {s} 秒）。",
    linkOffline: "この端末はネットワークにつながっていません。つながり次第、自動で続けます。", linkBack: "サーバーにつながりました。", linkNow: "今すぐ確認",
  },
  en: {
    linkName: "State of the link", linkIsSlow: "The link is slow: {rate} Mbit/s. Images will take a while.", linkIsBroken: "The server cannot be reached. The page goes on by itself as soon as it can be (next look in {s} s).",
    linkOffline: "This device is offline. The page goes on by itself as soon as it is not.", linkBack: "The server can be reached again.", linkNow: "Look now",
  },
};
