//! The receipt as a page people can read, print and file: Japanese and English, one file without assets.

use archive::Receipt;
use transcode::data_set::markup_escaped as escape;

const STYLE: &str = "body{font:16px/1.6 sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#111}\
    table{border-collapse:collapse;width:100%}th,td{border:1px solid #888;padding:.3rem .6rem;text-align:left;\
    vertical-align:top;overflow-wrap:anywhere}td.n{text-align:right;font-variant-numeric:tabular-nums}\
    .bad{border:2px solid #a00;padding:.5rem 1rem}.good{border:2px solid #060;padding:.5rem 1rem}\
    @media print{body{margin:0;max-width:none}thead{display:table-header-group}tr{break-inside:avoid}}";

/// The page for `receipt`. Everything a sender chose is escaped.
pub fn receipt_page(receipt: &Receipt) -> String {
    let batch = &receipt.batch;
    let title = format!("受領書 Receipt {}", escape(&batch.id));
    let facts = [
        ("バッチ Batch", batch.id.as_str()),
        ("施設 Centre", &batch.centre),
        ("健診種別 Programme", programme(&batch.programme)),
        ("開始 Opened (UTC)", &batch.opened_at),
    ];
    [
        "<!doctype html><html lang=\"ja\"><head><meta charset=\"utf-8\">",
        "<meta name=\"viewport\" content=\"width=device-width\"><title>",
        &title,
        "</title><style>",
        STYLE,
        "</style></head><body><h1>",
        &title,
        "</h1><table>",
        &facts.map(|(name, value)| row(name, "", value)).concat(),
        "</table><h2>件数 Counts</h2><table>",
        &counts(receipt),
        "</table>",
        &verdict(receipt),
        &quarantined(receipt),
        &variants(receipt),
        "</body></html>\n",
    ]
    .concat()
}

fn counts(receipt: &Receipt) -> String {
    let quarantined = receipt.quarantined.len() as u64;
    let expected = receipt.batch.expected.map(|expected| ("送信予定 Expected", expected));
    let counted = [
        ("受信 Sent", receipt.sent),
        ("新規保存 Stored", receipt.stored),
        ("保存済み Already held", receipt.already_held),
        ("隔離 Quarantined", quarantined),
    ];
    let counted = expected.into_iter().chain(counted);
    counted.map(|(name, count)| row(name, " class=\"n\"", &count.to_string())).collect()
}

/// Whether the receipt closes, and whether all that was announced has come.
fn verdict(receipt: &Receipt) -> String {
    let kept = receipt.stored + receipt.already_held + receipt.quarantined.len() as u64;
    let missing = receipt.batch.expected.map_or(0, |expected| expected.saturating_sub(receipt.sent));
    let (class, text) = if kept != receipt.sent {
        let text = "件数が一致しません。管理者に連絡してください。 The counts do not add up: tell the operator.";
        ("bad", text.to_owned())
    } else if missing > 0 {
        let text = format!(
            "未着 {missing} 件。同じバッチ番号で再送してください。 {missing} files have not come: send again under this batch id."
        );
        ("bad", text)
    } else if receipt.quarantined.is_empty() {
        ("good", "すべて保存されました。 Everything is stored.".to_owned())
    } else {
        let text = "隔離されたファイルの対応をお願いします。 See the quarantined files below for what to do.";
        ("bad", text.to_owned())
    };
    format!("<p class=\"{class}\">{text}</p>")
}

fn quarantined(receipt: &Receipt) -> String {
    if receipt.quarantined.is_empty() {
        return String::new();
    }
    let rows = receipt.quarantined.iter().map(|entry| {
        let cells = [&entry.file, &entry.reason, &entry.next_step].map(|text| format!("<td>{}</td>", escape(text)));
        format!("<tr>{}</tr>", cells.concat())
    });
    let head = "<thead><tr><th>ファイル File</th><th>理由 Reason</th><th>対応 What to do</th></tr></thead>";
    format!("<h2>隔離 Quarantined</h2><table>{head}{}</table>", rows.collect::<String>())
}

fn variants(receipt: &Receipt) -> String {
    if receipt.variants.is_empty() {
        return String::new();
    }
    let items = receipt.variants.iter().map(|file| format!("<li>{}</li>", escape(file)));
    let title = "別の転送構文で保存済みの画像 Held before in another transfer syntax; both are kept";
    format!("<h2>{title}</h2><ul>{}</ul>", items.collect::<String>())
}

fn programme(code: &str) -> &str {
    match code {
        "dock" => "人間ドック Health check-up (dock)",
        "occupational" => "職域健診 Occupational",
        "school" => "学校健診 School",
        "cancer" => "がん検診 Cancer screening",
        "specific" => "特定健診 Specific health check-up",
        other => other,
    }
}

fn row(name: &str, class: &str, value: &str) -> String {
    format!("<tr><th>{name}</th><td{class}>{}</td></tr>", escape(value))
}

#[cfg(test)]
mod tests {
    use archive::{Batch, ReceiptQuarantined};

    use super::*;

    fn receipt(sent: u64, expected: Option<u64>) -> Receipt {
        let batch = Batch { id: "night-1".into(), programme: "dock".into(), expected, ..Batch::default() };
        Receipt { batch, sent, stored: sent, ..Receipt::default() }
    }

    fn check(receipt: &Receipt, expected: &str) {
        let page = receipt_page(receipt);
        assert!(page.contains(expected), "{expected} is not in {page}");
    }

    /// The page says in both languages whether all is well, and what is missing if not.
    #[test]
    fn the_page_says_whether_all_is_well() {
        check(&receipt(3, Some(3)), "Everything is stored");
        check(&receipt(3, None), "すべて保存されました");
        check(&receipt(3, Some(5)), "未着 2 件");
        check(&Receipt { stored: 1, ..receipt(3, None) }, "do not add up");
    }

    /// Names and reasons come from senders: none of them becomes markup.
    #[test]
    fn what_senders_chose_is_escaped() {
        let hostile = "<script>\"'&".to_owned();
        let entry = ReceiptQuarantined { file: hostile.clone(), reason: hostile.clone(), next_step: hostile.clone() };
        let mut receipt =
            Receipt { quarantined: vec![entry], stored: 2, variants: vec![hostile.clone()], ..receipt(3, None) };
        receipt.batch = Batch { id: hostile.clone(), centre: hostile.clone(), programme: hostile, ..Batch::default() };
        let page = receipt_page(&receipt);
        assert!(!page.contains("<script"));
        assert_eq!(page.matches("&lt;script&gt;&quot;&#39;&amp;").count(), 9);
    }
}
