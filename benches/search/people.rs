//! Made-up studies, the same ones for a seed: 600 family and 400 given names, put together of syllables.

use archive::{Description, InstanceAttributes, Origin, Patient, SeriesAttributes, StudyAttributes};

/// Days that the studies are spread over: ten years, of which the last comes first.
pub const DAYS: u64 = 3650;
/// Take-in numbers a study, as if it had as many instances.
const INSTANCES: u64 = 40;

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// Small numbers more often, as names of people are.
    fn often_small(&mut self, bound: u64) -> u64 {
        self.below(bound).min(self.below(bound))
    }
}

const SYLLABLES: [(&str, &str, &str); 24] = [
    ("yama", "山", "やま"),
    ("kawa", "川", "かわ"),
    ("ta", "田", "た"),
    ("mori", "森", "もり"),
    ("ishi", "石", "いし"),
    ("hara", "原", "はら"),
    ("mura", "村", "むら"),
    ("sato", "里", "さと"),
    ("fuji", "藤", "ふじ"),
    ("naka", "中", "なか"),
    ("taka", "高", "たか"),
    ("hashi", "橋", "はし"),
    ("matsu", "松", "まつ"),
    ("moto", "本", "もと"),
    ("kita", "北", "きた"),
    ("minami", "南", "みなみ"),
    ("oka", "岡", "おか"),
    ("shima", "島", "しま"),
    ("saki", "崎", "さき"),
    ("ue", "上", "うえ"),
    ("shita", "下", "した"),
    ("ki", "木", "き"),
    ("hayashi", "林", "はやし"),
    ("no", "野", "の"),
];
const GIVEN: [(&str, &str, &str); 20] = [
    ("haru", "春", "はる"),
    ("natsu", "夏", "なつ"),
    ("aki", "秋", "あき"),
    ("yuki", "雪", "ゆき"),
    ("kazu", "和", "かず"),
    ("yoshi", "義", "よし"),
    ("hiro", "広", "ひろ"),
    ("masa", "正", "まさ"),
    ("nobu", "信", "のぶ"),
    ("tomo", "友", "とも"),
    ("ko", "子", "こ"),
    ("mi", "美", "み"),
    ("e", "恵", "え"),
    ("rou", "郎", "ろう"),
    ("suke", "介", "すけ"),
    ("ya", "也", "や"),
    ("ta", "太", "た"),
    ("to", "人", "と"),
    ("o", "夫", "お"),
    ("ka", "香", "か"),
];
const MODALITIES: [&str; 8] = ["DX", "DX", "DX", "US", "US", "CT", "MG", "ES"];

type Word = (String, String, String);

fn word(table: &[(&str, &str, &str)], n: u64) -> Word {
    let length = table.len() as u64;
    let pick = |n: u64| table.get((n % length) as usize).copied().unwrap_or_default();
    let (a, b) = (pick(n), pick(n / length + n * 7));
    (format!("{}{}", a.0, b.0), format!("{}{}", a.1, b.1), format!("{}{}", a.2, b.2))
}

pub fn family(random: &mut Random) -> Word {
    word(&SYLLABLES, random.often_small(600))
}

pub fn given(random: &mut Random) -> Word {
    word(&GIVEN, random.often_small(400))
}

pub fn kanji(random: &mut Random) -> String {
    format!("{}^{}", family(random).1, given(random).1)
}

/// As somebody types it who is not sure.
pub fn backwards(random: &mut Random) -> String {
    let family = family(random).0;
    format!("{} {family}", given(random).2)
}

pub fn modality(random: &mut Random) -> &'static str {
    MODALITIES.get(random.below(8) as usize).copied().unwrap_or("OT")
}

pub fn study_uid(study: u64) -> String {
    format!("1.2.392.200036.9.{}.{study}", study % 97)
}

/// Two studies a person.
pub fn patient_id(study: u64) -> String {
    format!("P{:08}", study / 2)
}

pub fn accession(study: u64) -> String {
    format!("A{study:010}")
}

pub fn date(day: u64) -> String {
    // Months of 28 days are dates enough.
    let (year, rest) = (2017 + day / 336, day % 336);
    format!("{year}{:02}{:02}", rest / 28 + 1, rest % 28 + 1)
}

/// One instance that stands for the study, with its take-in number.
pub fn study(random: &mut Random, study: u64, studies: u64) -> (u64, Description, Origin) {
    let (family, given, modality) = (family(random), given(random), modality(random));
    let uid = study_uid(study);
    let description = Description {
        study: StudyAttributes {
            study_instance_uid: uid.clone(),
            patient: Patient {
                patient_id: patient_id(study),
                issuer_of_patient_id: "kita".into(),
                patient_name: format!("{}^{}={}^{}={}^{}", family.0, given.0, family.1, given.1, family.2, given.2),
                patient_birth_date: format!("{}0{}1{}", 1940 + random.below(50), 1 + random.below(9), random.below(10)),
                patient_sex: if random.below(2) == 0 { "F" } else { "M" }.into(),
            },
            study_date: date(study * DAYS / studies),
            study_time: format!("{:02}{:02}00", 8 + random.below(10), random.below(60)),
            accession_number: accession(study),
            study_id: study.to_string(),
            study_description: "Screening".into(),
            ..StudyAttributes::default()
        },
        series: SeriesAttributes {
            series_instance_uid: format!("{uid}.1"),
            modality: modality.into(),
            series_number: Some(1),
            ..SeriesAttributes::default()
        },
        instance: InstanceAttributes { sop_instance_uid: format!("{uid}.1.1"), ..InstanceAttributes::default() },
    };
    let origin = Origin { centre: "kita".into(), received_at: "2026-11-22T20:00:00Z".into(), ..Origin::default() };
    (study * INSTANCES + 1, description, origin)
}
