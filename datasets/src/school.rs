//! A school year's heart screening: the first-years of some schools, each with an ECG as DICOM or MFER, some with an
//! earlier one, some with something to be found, which the device may have missed.
//!
//! Grades 1, 7 and 10 are examined between April and June (ordinance on school health, articles 5 and 6). Who was
//! examined in an earlier grade may have that ECG too.

use crate::ecg;
use crate::heart::{Finding, Heart};
use crate::mfer::{self, Habits};
use crate::names::Person;
use crate::noise::{Random, mix};
use crate::study::{File, Kind, Scale, Study};

/// The school year of the examinations.
const YEAR: u32 = 2026;

/// Share of children with something to be found.
const ABNORMAL: f32 = 0.08;
/// Share of these of which the device says "normal" (automatic analysis missed 17 % of WPW patterns in Kagoshima).
const MISSED: f32 = 0.17;
/// Share of normal ECGs that the device calls abnormal.
const OVERCALLED: f32 = 0.03;

/// Kinds of school: name of the programme, age at the beginning of the year, years since the examination before.
const GRADES: [(&str, u32, Option<u32>); 3] = [("小1", 6, None), ("中1", 12, Some(6)), ("高1", 15, Some(3))];

/// Schools by grade. None exists.
#[rustfmt::skip]
const SCHOOLS: [[&str; 3]; 3] = [
    ["つなぐ市立青葉小学校", "つなぐ市立北山小学校", "つなぐ市立港小学校"],
    ["つなぐ市立青葉中学校", "つなぐ市立北山中学校", "つなぐ市立港中学校"],
    ["県立つなぐ高等学校", "県立つなぐ北高等学校", "私立ひかり高等学校"],
];

/// The files of one child, the earlier examination first.
#[derive(Clone, Debug)]
pub struct Child {
    /// Who it is.
    pub person: Person,
    /// Its ECGs: `.dcm` or `.mwf`.
    pub files: Vec<File>,
}

/// So many first-years. The same seed gives the same bytes.
pub fn school(children: usize, seed: u64) -> impl Iterator<Item = Child> + Send {
    (1..=children).map(move |index| child(index, mix(seed, 0x7363_686F_6F6C + index as u64)))
}

fn child(index: usize, seed: u64) -> Child {
    let mut random = Random::new(seed);
    let grade = random.below(3) as usize;
    let (_, age, before) = GRADES[grade];
    let mut person = Person::new(&mut random, None);
    let school = random.below(3) as usize;
    person.patient_id = format!("S{:02}{}{}-{index:05}", YEAR % 100, grade + 1, school + 1);
    person.birth_date = born(&mut random, age);
    let finding = if random.chance(ABNORMAL) { *random.pick(&Finding::ABNORMAL) } else { Finding::Normal };
    let mut files = Vec::new();
    if let Some(years) = before.filter(|_| random.chance(0.4)) {
        let earlier = grade - 1;
        // What is found now was seldom there before.
        let finding = if random.chance(0.3) { finding } else { Finding::Normal };
        files.push(file(&mut random, &person, index, YEAR - years, earlier, school, finding));
    }
    files.push(file(&mut random, &person, index, YEAR, grade, school, finding));
    Child { person, files }
}

/// A birth date of a child that is `age` on 2 April of the year (a school year's children are born from 2 April on).
fn born(random: &mut Random, age: u32) -> String {
    let month = 1 + random.below(12);
    let year = YEAR - age - u32::from(month >= 4);
    let day = if month == 4 { random.between(2, 28) } else { random.between(1, 28) };
    format!("{year}{month:02}{day:02}")
}

fn file(
    random: &mut Random,
    person: &Person,
    index: usize,
    year: u32,
    grade: usize,
    school: usize,
    finding: Finding,
) -> File {
    let seed = random.next();
    let mut study = Study::new(Kind::Ecg, seed, Scale::Full, index);
    study.patient = person.clone();
    study.study_date = format!("{year}{:02}{:02}", random.between(4, 6), random.between(1, 28));
    study.directory = format!("child-{index:06}");
    let rate = match grade {
        0 => random.range(78.0, 110.0),
        1 => random.range(64.0, 98.0),
        _ => random.range(54.0, 92.0),
    };
    let said = match finding {
        Finding::Normal if random.chance(OVERCALLED) => *random.pick(&[Finding::InvertedT, Finding::FirstDegreeBlock]),
        Finding::Normal => Finding::Normal,
        _ if random.chance(MISSED) => Finding::Normal,
        found => found,
    };
    let heart = Heart { rate, finding, seed: mix(seed, 51) };
    let (is_mfer, four_leads, murmur) = (random.chance(0.4), grade == 0 && random.chance(0.6), random.chance(0.05));
    let habits = Habits::some(random);
    if !is_mfer {
        let microvolts = *random.pick(&[1.25, 2.5, 5.0]);
        let recording = ecg::Recording { hertz: 500, microvolts, heart, said };
        let programme = format!("学校心臓検診 {}", GRADES[grade].0);
        let job = ecg::school_job(recording, programme, SCHOOLS[grade][school]);
        return File { path: format!("{}/{year}.dcm", study.directory), ..study.file(&job) };
    }
    let at = (study.study_date.as_str(), study.study_time.as_str());
    let recording = mfer::Recording { person, at, heart, said, murmur, habits };
    File {
        path: format!("{}/{year}.mwf", study.directory),
        sop_instance_uid: String::new(),
        bytes: if four_leads { recording.school() } else { recording.twelve_lead() },
        broken: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two hundred children: both formats, the reduced set, earlier ECGs of the same child, ages that fit.
    #[test]
    fn a_school_year_has_everything_a_reader_must_cope_with() {
        let children: Vec<Child> = school(200, 5).collect();
        let files = || children.iter().flat_map(|child| &child.files);
        let share =
            |of: &dyn Fn(&File) -> bool| files().filter(|file| of(file)).count() as f64 / files().count() as f64;
        let is_mfer = |file: &File| file.path.ends_with(".mwf");
        assert!((0.3..0.5).contains(&share(&is_mfer)));
        let has = |file: &File, words: &str| file.bytes.windows(words.len()).any(|window| window == words.as_bytes());
        assert!((0.04..0.2).contains(&share(&|file| has(file, "Abnormal ECG"))));
        assert!(share(&|file| is_mfer(file) && has(file, "TM School 4")) > 0.04);
        assert!(children.iter().filter(|child| child.files.len() == 2).count() > 30);
        for Child { person, files } in &children {
            assert!(files.iter().all(|file| has(file, &person.patient_id)));
            let born: u32 = person.birth_date.parse().unwrap();
            assert!((2010_0402..=2020_0401).contains(&born), "{born}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        let bytes = |seed| school(8, seed).flat_map(|child| child.files).collect::<Vec<_>>();
        assert_eq!(bytes(3), bytes(3));
        assert_ne!(bytes(3), bytes(4));
    }
}
