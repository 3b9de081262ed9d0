//! A study: who, when, what kind; its files are made one at a time, when they are asked for.

use std::sync::Arc;

use crate::names::{Charset, INSTITUTIONS, Person};
use crate::noise::{Random, mix};
use crate::tags;
use crate::writer::{DataSet, Layout, TransferSyntax};
use crate::{ct, document, ecg, endoscopy, fundus, mammogram, mr, pet, radiograph, ultrasound};

/// A file as a sender's folder holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Relative, `/` between its parts: `study-000001/series-1/00001.dcm`.
    pub path: String,
    /// Its SOP Instance UID; empty where a broken file has none, and of a file that is not DICOM.
    pub sop_instance_uid: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// What is broken, for a file that is broken on purpose.
    pub broken: Option<&'static str>,
}

/// The kinds of study a screening centre makes (datasets/STUDY-PROFILES.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Chest X-ray: one frontal DX or CR image, sometimes a lateral one.
    Chest,
    /// Upper gastrointestinal barium study: 8 to 20 RF images.
    Barium,
    /// Upper gastrointestinal endoscopy: about 40 JPEG stills.
    Endoscopy,
    /// Mammography: four views.
    Mammography,
    /// Breast tomosynthesis: one multi-frame image a view.
    Tomosynthesis,
    /// Abdominal ultrasound: about 25 stills.
    AbdominalUltrasound,
    /// Heart, carotid or breast ultrasound: stills and cines.
    CineUltrasound,
    /// Low-dose chest CT: 60–70 thick or 250–350 thin slices.
    ChestCt,
    /// Brain MR and MR angiography: 5–7 series.
    BrainMr,
    /// Whole-body PET/CT.
    PetCt,
    /// Resting 12-lead ECG.
    Ecg,
    /// Fundus photographs of both eyes.
    Fundus,
    /// A report: encapsulated PDF and structured report.
    Report,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 13] = [
        Kind::Chest,
        Kind::Barium,
        Kind::Endoscopy,
        Kind::Mammography,
        Kind::Tomosynthesis,
        Kind::AbdominalUltrasound,
        Kind::CineUltrasound,
        Kind::ChestCt,
        Kind::BrainMr,
        Kind::PetCt,
        Kind::Ecg,
        Kind::Fundus,
        Kind::Report,
    ];
}

/// How large the images are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Real matrix sizes and slice counts.
    #[default]
    Full,
    /// The same structure at an eighth of the matrix and few slices, for quick tests.
    Small,
}

/// One study of one person. Its files follow from its fields: the same study gives the same bytes.
///
/// With the same seed, machine and compiler the bytes are the same; `sin`, `exp` and their kin come from the platform,
/// so another platform may differ in a last bit here and there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Study {
    /// What it is.
    pub kind: Kind,
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// What all of it is derived from.
    pub seed: u64,
    /// How large its images are.
    pub scale: Scale,
    /// Whose it is.
    pub patient: Person,
    /// Accession Number.
    pub accession_number: String,
    /// Study Date, `YYYYMMDD`.
    pub study_date: String,
    /// Study Time, `HHMMSS`.
    pub study_time: String,
    /// The folder its files lie in.
    pub directory: String,
    /// At most so many slices a series; for demonstrations.
    pub(crate) slices_max: u32,
    /// One of those that viewers are timed with: a mammogram of one view on the largest panel, a CT of 300 thin slices.
    pub(crate) is_timed: bool,
}

/// A series while it is made.
pub(crate) struct Series {
    pub(crate) number: u32,
    pub(crate) modality: &'static str,
    /// In Japanese and in English.
    pub(crate) description: (&'static str, &'static str),
    pub(crate) body_part: &'static str,
    /// Manufacturer and model; none exists.
    pub(crate) maker: (&'static str, &'static str),
}

/// What fills a Data Set that has its general modules already, and answers how the file is to be encoded.
pub(crate) type Make = Box<dyn Fn(&Study, &mut DataSet) -> TransferSyntax + Send>;

/// One instance, not made yet.
pub(crate) struct Job {
    pub(crate) series: Arc<Series>,
    pub(crate) sop_class: &'static str,
    pub(crate) number: u32,
    pub(crate) make: Make,
}

/// What a centre does alike in all its studies of one kind.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    pub(crate) charset: Charset,
    pub(crate) syntax: TransferSyntax,
    layout: Layout,
    institution: (&'static str, &'static str),
    japanese_descriptions: bool,
    issuer: bool,
}

impl Study {
    /// A study of a kind, all else derived from the seed. `index` names its folder.
    pub fn new(kind: Kind, seed: u64, scale: Scale, index: usize) -> Study {
        let mut random = Random::new(mix(seed, 1));
        let sex = matches!(kind, Kind::Mammography | Kind::Tomosynthesis).then_some("F");
        let patient = Person::new(&mut random, sex);
        let (hour, minute, second) = (random.between(8, 12), random.below(60), random.below(60));
        Study {
            kind,
            study_instance_uid: uid(seed, 0),
            seed,
            scale,
            patient,
            accession_number: format!("{:010}", random.below(1_000_000_000)),
            study_date: format!("2026{:02}{:02}", random.between(4, 11), random.between(1, 28)),
            study_time: format!("{hour:02}{minute:02}{second:02}"),
            directory: format!("study-{index:06}"),
            slices_max: u32::MAX,
            is_timed: false,
        }
    }

    /// The same study, of the person and the day of a visit: a visit makes several studies.
    pub(crate) fn of_visit(mut self, visit: &Study) -> Study {
        self.patient = visit.patient.clone();
        self.study_date.clone_from(&visit.study_date);
        self
    }

    /// Its files, one at a time; one instance is in memory at a time.
    pub fn files(&self) -> impl Iterator<Item = File> + Send + '_ {
        self.jobs().into_iter().map(|job| self.file(&job))
    }

    /// How many files it has.
    pub fn file_count(&self) -> usize {
        self.jobs().len()
    }

    fn jobs(&self) -> Vec<Job> {
        match self.kind {
            Kind::Chest => radiograph::chest(self),
            Kind::Barium => radiograph::barium(self),
            Kind::Endoscopy => endoscopy::jobs(self),
            Kind::Mammography => mammogram::jobs(self),
            Kind::Tomosynthesis => mammogram::tomosynthesis(self),
            Kind::AbdominalUltrasound => ultrasound::abdominal(self),
            Kind::CineUltrasound => ultrasound::cine(self),
            Kind::ChestCt => ct::jobs(self),
            Kind::BrainMr => mr::jobs(self),
            Kind::PetCt => pet::jobs(self),
            Kind::Ecg => ecg::jobs(self),
            Kind::Fundus => fundus::jobs(self),
            Kind::Report => document::jobs(self),
        }
    }

    pub(crate) fn file(&self, job: &Job) -> File {
        let habits = self.habits();
        let mut set = self.general(job, &habits);
        let syntax = (job.make)(self, &mut set);
        File {
            path: format!("{}/series-{}/{:05}.dcm", self.directory, job.series.number, job.number),
            sop_instance_uid: self.instance_uid(job.series.number, job.number),
            bytes: set.to_file(syntax, habits.layout),
            broken: None,
        }
    }

    /// The Data Set of its first instance, and the SOP Instance UID; for files that are broken on purpose.
    pub(crate) fn first_data_set(&self) -> (DataSet, String) {
        let jobs = self.jobs();
        let job = &jobs[0];
        let mut set = self.general(job, &self.habits());
        (job.make)(self, &mut set);
        (set, self.instance_uid(job.series.number, job.number))
    }

    /// A source of numbers for one use within this study.
    pub(crate) fn random(&self, label: u64) -> Random {
        Random::new(mix(self.seed, label))
    }

    /// A length of a matrix at the study's scale.
    pub(crate) fn pixels(&self, full: usize) -> usize {
        match self.scale {
            Scale::Full => full,
            Scale::Small => (full / 8).max(16),
        }
    }

    /// A number of slices, stills or frames at the study's scale.
    pub(crate) fn count(&self, full: u32) -> u32 {
        match self.scale {
            Scale::Full => full.min(self.slices_max),
            Scale::Small => (full / 16).clamp(2, 6),
        }
    }

    /// Series Instance UID of a series.
    pub(crate) fn series_uid(&self, series: u32) -> String {
        uid(self.seed, 1_000 + u64::from(series))
    }

    /// SOP Instance UID of an instance.
    pub(crate) fn instance_uid(&self, series: u32, number: u32) -> String {
        uid(self.seed, (u64::from(series) << 32) + 1_000_000 + u64::from(number))
    }

    /// The sender's habits, which follow from the seed.
    pub(crate) fn habits(&self) -> Habits {
        let mut random = self.random(2);
        let charset = random.weighted(&[
            (Charset::Kanji, 0.45),
            (Charset::KanaKanji, 0.2),
            (Charset::Utf8, 0.28),
            (Charset::Ascii, 0.07),
        ]);
        let syntax = random.weighted(&[
            (TransferSyntax::ExplicitLittle, 0.78),
            (TransferSyntax::ImplicitLittle, 0.19),
            (TransferSyntax::ExplicitBig, 0.03),
        ]);
        let layout = Layout {
            undefined_lengths: random.chance(0.4),
            group_lengths: random.chance(0.08),
            preamble: random.chance(0.05),
            trailing_padding: if random.chance(0.06) { 64 } else { 0 },
        };
        // A person goes to one centre, which always or never names itself as issuer.
        let person = self.patient.patient_id.bytes().fold(3, |seed, byte| mix(seed, u64::from(byte)));
        let mut centre = Random::new(person);
        let institution = *centre.pick(&INSTITUTIONS);
        let japanese_descriptions = charset.is_japanese() && random.chance(0.5);
        Habits { charset, syntax, layout, institution, japanese_descriptions, issuer: centre.chance(0.3) }
    }

    /// Patient, study, series and equipment modules (PS3.3 C.7.1.1, C.7.2.1, C.7.3.1, C.7.5.1, C.12.1).
    fn general(&self, job: &Job, habits: &Habits) -> DataSet {
        let mut set = DataSet::new(habits.charset);
        let series = &job.series;
        let say = |(japanese, english): (&'static str, &'static str)| {
            if habits.japanese_descriptions { japanese } else { english }
        };
        if let Some(declared) = habits.charset.declared() {
            set.text(tags::SPECIFIC_CHARACTER_SET, declared);
        }
        for date in [tags::INSTANCE_CREATION_DATE, tags::STUDY_DATE, tags::SERIES_DATE, tags::CONTENT_DATE] {
            set.text(date, &self.study_date);
        }
        for time in [tags::STUDY_TIME, tags::SERIES_TIME] {
            set.text(time, &self.study_time);
        }
        for time in [tags::INSTANCE_CREATION_TIME, tags::CONTENT_TIME] {
            set.text(time, self.time_of(job.number));
        }
        set.text(tags::SOP_CLASS_UID, job.sop_class);
        set.text(tags::SOP_INSTANCE_UID, self.instance_uid(series.number, job.number));
        set.text(tags::ACCESSION_NUMBER, &self.accession_number);
        set.text(tags::MODALITY, series.modality);
        set.text(tags::MANUFACTURER, series.maker.0);
        set.text(tags::MANUFACTURER_MODEL_NAME, series.maker.1);
        set.text(tags::SOFTWARE_VERSIONS, "1.4.2");
        set.text(tags::INSTITUTION_NAME, say(habits.institution));
        set.text(tags::STATION_NAME, format!("{}{:02}", series.modality, self.seed % 4 + 1));
        set.text(tags::REFERRING_PHYSICIAN_NAME, "");
        set.text(tags::STUDY_DESCRIPTION, say(self.kind.description()));
        set.text(tags::SERIES_DESCRIPTION, say(series.description));
        set.text(tags::PATIENT_NAME, self.patient.patient_name(habits.charset));
        set.text(tags::PATIENT_ID, &self.patient.patient_id);
        if habits.issuer {
            set.text(tags::ISSUER_OF_PATIENT_ID, habits.institution.1);
        }
        set.text(tags::PATIENT_BIRTH_DATE, &self.patient.birth_date);
        set.text(tags::PATIENT_SEX, self.patient.sex);
        if !series.body_part.is_empty() {
            set.text(tags::BODY_PART_EXAMINED, series.body_part);
        }
        set.text(tags::STUDY_INSTANCE_UID, &self.study_instance_uid);
        set.text(tags::SERIES_INSTANCE_UID, self.series_uid(series.number));
        set.text(tags::STUDY_ID, &self.accession_number[4..]);
        set.text(tags::SERIES_NUMBER, series.number.to_string());
        set.text(tags::INSTANCE_NUMBER, job.number.to_string());
        set.text(tags::PERFORMED_PROCEDURE_STEP_START_DATE, &self.study_date);
        set.text(tags::PERFORMED_PROCEDURE_STEP_START_TIME, &self.study_time);
        set
    }

    /// A time some seconds after the study's, a little later with each instance.
    fn time_of(&self, number: u32) -> String {
        let part = |range: std::ops::Range<usize>| self.study_time[range].parse::<u32>().unwrap_or(0);
        let seconds = part(0..2) * 3600 + part(2..4) * 60 + part(4..6) + number * 2;
        format!("{:02}{:02}{:02}.{:03}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60, number * 37 % 1000)
    }
}

impl Kind {
    /// Study Description in Japanese and in English.
    fn description(self) -> (&'static str, &'static str) {
        match self {
            Kind::Chest => ("胸部Ｘ線検査", "Chest X-ray"),
            Kind::Barium => ("上部消化管Ｘ線検査", "Upper GI barium"),
            Kind::Endoscopy => ("上部消化管内視鏡検査", "Upper GI endoscopy"),
            Kind::Mammography => ("乳房Ｘ線検査（マンモグラフィ）", "Mammography screening"),
            Kind::Tomosynthesis => ("乳房トモシンセシス", "Breast tomosynthesis"),
            Kind::AbdominalUltrasound => ("腹部超音波検査", "Abdominal ultrasound"),
            Kind::CineUltrasound => ("心臓超音波検査", "Echocardiography"),
            Kind::ChestCt => ("低線量胸部CT", "Low-dose chest CT"),
            Kind::BrainMr => ("脳ドックMRI・MRA", "Brain MR and MRA"),
            Kind::PetCt => ("全身PET/CT", "Whole-body PET/CT"),
            Kind::Ecg => ("安静時12誘導心電図", "Resting 12-lead ECG"),
            Kind::Fundus => ("眼底検査", "Fundus photography"),
            Kind::Report => ("健診結果報告書", "Screening report"),
        }
    }
}

/// A UID under the 2.25 root: a UUID (RFC 9562 version 8) derived from a seed and a label, as a decimal number
/// (PS3.5 §B.2).
pub(crate) fn uid(seed: u64, label: u64) -> String {
    let high = mix(mix(seed, label), 0x7473_756E);
    let low = mix(high, label ^ seed);
    let uuid = (u128::from(high) << 64) | u128::from(low);
    let uuid = uuid & !(0xF << 76) | (0x8 << 76);
    let uuid = uuid & !(0x3 << 62) | (0x2 << 62);
    format!("2.25.{uuid}")
}
