//! Reports: an encapsulated PDF that any reader opens, and a Basic Text SR.

use std::sync::Arc;

use crate::study::{Job, Series, Study};
use crate::tags;
use crate::writer::{DataSet, Value};

const ENCAPSULATED_PDF: &str = "1.2.840.10008.5.1.4.1.1.104.1";
const BASIC_TEXT_SR: &str = "1.2.840.10008.5.1.4.1.1.88.11";

/// One PDF and one SR.
pub(crate) fn jobs(_study: &Study) -> Vec<Job> {
    let series = |number, modality, description| {
        let maker = ("Tsunagu", "Report 1");
        Arc::new(Series { number, modality, description, body_part: "", maker })
    };
    let printed = series(1, "DOC", ("結果報告書", "RESULT REPORT"));
    let structured = series(2, "SR", ("所見", "FINDINGS"));
    vec![
        Job { series: printed, sop_class: ENCAPSULATED_PDF, number: 1, make: Box::new(encapsulated_pdf) },
        Job { series: structured, sop_class: BASIC_TEXT_SR, number: 1, make: Box::new(basic_text_sr) },
    ]
}

/// Encapsulated Document module (PS3.3 C.24.2).
fn encapsulated_pdf(study: &Study, set: &mut DataSet) -> crate::writer::TransferSyntax {
    let japanese = study.habits().charset.is_japanese();
    set.text(tags::CONVERSION_TYPE, "WSD").text(tags::BURNED_IN_ANNOTATION, "YES");
    set.text(tags::ACQUISITION_DATE_TIME, format!("{}{}", study.study_date, study.study_time));
    set.text(tags::DOCUMENT_TITLE, if japanese { "健診結果報告書" } else { "Screening report" });
    set.code(tags::CONCEPT_NAME_CODE_SEQUENCE, "11528-7", "LN", "Radiology Report");
    set.text(tags::MIME_TYPE_OF_ENCAPSULATED_DOCUMENT, "application/pdf");
    set.put(tags::ENCAPSULATED_DOCUMENT, Value::Plain(1, pdf(study)));
    study.habits().syntax
}

/// One page: a title in Japanese (a font every reader has, not embedded) and a few lines in Latin letters.
fn pdf(study: &Study) -> Vec<u8> {
    let title: String = "健診結果報告書".encode_utf16().map(|unit| format!("{unit:04X}")).collect();
    let patient = &study.patient;
    let lines = [
        format!("Patient ID {}  born {}  sex {}", patient.patient_id, patient.birth_date, patient.sex),
        format!("Accession {}  date {}", study.accession_number, study.study_date),
        "Chest: no abnormal finding. Stomach: no abnormal finding.".to_owned(),
        "Next examination in one year. This report is synthetic.".to_owned(),
    ];
    let shown: String = lines.iter().map(|line| format!("0 -24 Td ({line}) Tj\n")).collect();
    let page = format!("BT /F2 20 Tf 60 760 Td <{title}> Tj /F1 11 Tf\n{shown}ET\n");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{page}endstream", page.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
        "<< /Type /Font /Subtype /Type0 /BaseFont /HeiseiKakuGo-W5 /Encoding /UniJIS-UCS2-H \
         /DescendantFonts [7 0 R] >>"
            .to_owned(),
        "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /HeiseiKakuGo-W5 /FontDescriptor 8 0 R /DW 1000 \
         /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> >>"
            .to_owned(),
        "<< /Type /FontDescriptor /FontName /HeiseiKakuGo-W5 /Flags 4 /FontBBox [-92 -250 1010 922] \
         /ItalicAngle 0 /Ascent 752 /Descent -271 /CapHeight 737 /StemV 114 >>"
            .to_owned(),
    ];
    assemble(&objects)
}

/// Objects, cross-reference table, trailer (ISO 32000-1 §7.5).
fn assemble(objects: &[String]) -> Vec<u8> {
    let mut bytes = b"%PDF-1.4\n".to_vec();
    let mut table = String::from("0000000000 65535 f \n");
    for (index, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", bytes.len()));
        bytes.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", index + 1).as_bytes());
    }
    let (count, start) = (objects.len() + 1, bytes.len());
    let tail = format!("xref\n0 {count}\n{table}trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    bytes.extend_from_slice(tail.as_bytes());
    bytes
}

/// SR Document General and Content modules (PS3.3 C.17.2, C.17.3).
fn basic_text_sr(study: &Study, set: &mut DataSet) -> crate::writer::TransferSyntax {
    let japanese = study.habits().charset.is_japanese();
    set.items(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, Vec::new());
    set.items(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, Vec::new());
    set.text(tags::COMPLETION_FLAG, "COMPLETE").text(tags::VERIFICATION_FLAG, "UNVERIFIED");
    set.text(tags::VALUE_TYPE, "CONTAINER").text(tags::CONTINUITY_OF_CONTENT, "SEPARATE");
    set.code(tags::CONCEPT_NAME_CODE_SEQUENCE, "18748-4", "LN", "Diagnostic imaging report");
    let texts = [
        (
            "121071",
            "Finding",
            "右肺野に陰影を認めません。心拡大なし。",
            "No opacity in either lung. Heart not enlarged.",
        ),
        ("121077", "Conclusion", "異常なし。一年後の検診をお勧めします。", "No abnormality. Next screening in a year."),
    ];
    let item = |(code, meaning, in_japanese, in_english): (&str, &str, &str, &str)| {
        let mut item = set.item();
        item.text(tags::RELATIONSHIP_TYPE, "CONTAINS").text(tags::VALUE_TYPE, "TEXT");
        item.code(tags::CONCEPT_NAME_CODE_SEQUENCE, code, "DCM", meaning);
        item.text(tags::TEXT_VALUE, if japanese { in_japanese } else { in_english });
        item
    };
    let items = texts.into_iter().map(item).collect();
    set.items(tags::CONTENT_SEQUENCE, items);
    study.habits().syntax
}
