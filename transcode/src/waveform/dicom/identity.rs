//! Patient, study, series, equipment and identification of the waveform (PS3.3 C.7.1.1, C.7.2.1, C.7.3.1, C.7.5.1, C.10.8,
//! C.12.1). What the file does not say stays empty: nothing is made up but the UIDs.

use super::set::Set;
use super::{GENERAL_32_BIT_ECG, UID_NAMESPACE};
use crate::data_set::{Tag, VR};
use crate::uid;
use crate::waveform::{Maker, PersonName, Recording, Sex, Time};

/// All but waveform and annotations.
pub(super) fn set(recording: &Recording, class: &str, digest: &[u8; 32]) -> Set {
    let mut set = Set::default();
    set.text(Tag(0x0008, 0x0005), VR::CS, "ISO_IR 192");
    set.text(Tag(0x0008, 0x0016), VR::UI, class);
    let uids = [(Tag(0x0008, 0x0018), "instance"), (Tag(0x0020, 0x000D), "study"), (Tag(0x0020, 0x000E), "series")];
    for (tag, role) in uids {
        set.text(tag, VR::UI, &uid(digest, role));
    }
    set.text(Tag(0x0008, 0x0060), VR::CS, "ECG");
    // Type 2: empty where nobody knows.
    for (tag, vr) in [(Tag(0x0008, 0x0050), VR::SH), (Tag(0x0008, 0x0090), VR::PN), (Tag(0x0020, 0x0010), VR::SH)] {
        set.text(tag, vr, "");
    }
    set.text(Tag(0x0020, 0x0011), VR::IS, "1").text(Tag(0x0020, 0x0013), VR::IS, "1");
    set.text_if_any(Tag(0x0008, 0x1030), VR::LO, &recording.title);
    set.text_if_any(Tag(0x0008, 0x103E), VR::LO, &recording.title);
    set.items(Tag(0x0040, 0x0555), Vec::new());
    equipment(&mut set, &recording.maker, class);
    patient(&mut set, recording);
    time(&mut set, recording.time);
    set
}

/// A UID that follows from the digest of the MFER file.
pub(super) fn uid(digest: &[u8; 32], role: &str) -> String {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    uid::of(UID_NAMESPACE, &[&hex, role])
}

fn equipment(set: &mut Set, maker: &Maker, class: &str) {
    // Type 1 in the Enhanced General Equipment Module (PS3.3 C.7.5.2), which only the 32-bit object has.
    let unknown = if class == GENERAL_32_BIT_ECG { "UNKNOWN" } else { "" };
    let or_unknown = |text: &str| if text.is_empty() { unknown.to_owned() } else { text.to_owned() };
    set.text(Tag(0x0008, 0x0070), VR::LO, &or_unknown(&maker.name));
    for (tag, text) in [
        (Tag(0x0008, 0x1090), &maker.model),
        (Tag(0x0018, 0x1020), &maker.version),
        (Tag(0x0018, 0x1000), &maker.serial),
    ] {
        set.text_if_any(tag, VR::LO, &or_unknown(text));
    }
}

fn patient(set: &mut Set, recording: &Recording) {
    let patient = &recording.patient;
    set.text(Tag(0x0010, 0x0010), VR::PN, &name(&patient.name));
    set.text(Tag(0x0010, 0x0020), VR::LO, &patient.id);
    let birth = patient.birth.map(|(year, month, day)| format!("{year:04}{month:02}{day:02}"));
    set.text(Tag(0x0010, 0x0030), VR::DA, &birth.unwrap_or_default());
    let sex = match patient.sex {
        Sex::Male => "M",
        Sex::Female => "F",
        Sex::Other => "O",
        Sex::Unknown => "",
    };
    set.text(Tag(0x0010, 0x0040), VR::CS, sex);
    let years = patient.years.map(|years| format!("{years:03}Y"));
    set.text_if_any(Tag(0x0010, 0x1010), VR::AS, &years.unwrap_or_default());
}

/// `alphabetic=ideographic=phonetic`, each `family^given^middle` (PS3.5 §6.2.1, Annex H). A name of ASCII is alphabetic, any
/// other ideographic; kana are phonetic.
fn name(name: &PersonName) -> String {
    let clean = |part: &str| part.replace(['^', '=', '\\'], " ");
    let join = |parts: [&str; 3]| parts.map(clean).join("^").trim_end_matches('^').to_owned();
    let written = join([&name.family, &name.given, &name.middle]);
    let kana = join([&name.family_kana, &name.given_kana, &name.middle_kana]);
    match (written.is_ascii(), kana.is_empty()) {
        (true, true) => written,
        (true, false) => format!("{written}=={kana}"),
        (false, true) => format!("={written}"),
        (false, false) => format!("={written}={kana}"),
    }
}

/// Local time without an offset: the file has none.
fn time(set: &mut Set, time: Option<Time>) {
    let date = time.map(|time| format!("{:04}{:02}{:02}", time.year, time.month, time.day)).unwrap_or_default();
    let clock = time.and_then(|time| {
        let (hour, minute, second) = time.clock?;
        let fraction = time.microsecond.map(|microsecond| format!(".{microsecond:06}")).unwrap_or_default();
        Some(format!("{hour:02}{minute:02}{second:02}{fraction}"))
    });
    let clock = clock.unwrap_or_default();
    for tag in [Tag(0x0008, 0x0020), Tag(0x0008, 0x0021), Tag(0x0008, 0x0023)] {
        set.text(tag, VR::DA, &date);
    }
    for tag in [Tag(0x0008, 0x0030), Tag(0x0008, 0x0031), Tag(0x0008, 0x0033)] {
        set.text(tag, VR::TM, &clock);
    }
    set.text(Tag(0x0008, 0x002A), VR::DT, &format!("{date}{clock}"));
}
