//! A night of a screening centre, a demonstration, and both as folders on disk.

use std::path::Path;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::broken::broken;
use crate::error::Error;
use crate::noise::{Random, mix};
use crate::school::school;
use crate::study::{File, Kind, Scale, Study};

/// Shares in per cent (datasets/STUDY-PROFILES.md); a report with every hundredth study is ours.
const SHARES: [(Kind, f32); 13] = [
    (Kind::Chest, 38.0),
    (Kind::Barium, 12.0),
    (Kind::Endoscopy, 8.0),
    (Kind::Mammography, 7.0),
    (Kind::Tomosynthesis, 0.3),
    (Kind::AbdominalUltrasound, 16.0),
    (Kind::CineUltrasound, 5.0),
    (Kind::ChestCt, 5.0),
    (Kind::BrainMr, 3.0),
    (Kind::PetCt, 0.5),
    (Kind::Ecg, 5.0),
    (Kind::Fundus, 0.2),
    (Kind::Report, 1.0),
];

/// Most slices a series of a demonstration has.
const DEMO_SLICES: u32 = 120;

/// Studies of one night in the shares of STUDY-PROFILES, one after another; a visitor makes one to four of them.
/// Broken files are not among them: [`broken`](crate::broken).
pub fn night(studies: usize, seed: u64, scale: Scale) -> impl Iterator<Item = Study> + Send {
    let mut random = Random::new(mix(seed, 0x006E_6967_6874));
    let mut visit: Option<(Study, u32)> = None;
    (1..=studies).map(move |index| {
        let kind = random.weighted(&SHARES);
        let study = Study::new(kind, mix(seed, index as u64), scale, index);
        let fits = |first: &Study| !is_female_only(kind) || first.patient.sex == "F";
        match &mut visit {
            Some((first, left)) if *left > 0 && fits(first) => {
                *left -= 1;
                study.of_visit(first)
            }
            _ => {
                visit = Some((study.clone(), random.below(4)));
                study
            }
        }
    })
}

fn is_female_only(kind: Kind) -> bool {
    matches!(kind, Kind::Mammography | Kind::Tomosynthesis)
}

/// About fifteen studies, every kind at least once, 300–500 MB before compression.
pub fn demo(seed: u64) -> Vec<Study> {
    demo_at(seed, Scale::Full)
}

fn demo_at(seed: u64, scale: Scale) -> Vec<Study> {
    let more = [Kind::Chest, Kind::Ecg];
    let demo_study = |(index, kind): (usize, Kind)| {
        let mut study = Study::new(kind, mix(seed, 0x6465_6D6F + index as u64), scale, index + 1);
        study.slices_max = DEMO_SLICES;
        study
    };
    Kind::ALL.into_iter().chain(more).enumerate().map(demo_study).collect()
}

fn timed(seed: u64) -> impl Iterator<Item = Study> {
    [Kind::Mammography, Kind::ChestCt].into_iter().enumerate().map(move |(index, kind)| {
        let mut study = Study::new(kind, mix(seed, 0x7469_6D65 + index as u64), Scale::Full, index + 1);
        study.is_timed = true;
        study
    })
}

/// What a folder is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// [`night`] at full size, and about one broken file in a hundred.
    Night,
    /// The same at small scale.
    NightSmall,
    /// [`demo`]; the number of studies is not looked at.
    Demo,
    /// The same at small scale.
    DemoSmall,
    /// What viewers are timed with: a mammogram of 4096 × 6144 × 12 bits, and a CT of 300 slices. The number of studies is
    /// not looked at.
    Viewer,
    /// [`school`]: so many first-years, each with one or two ECGs, as DICOM or MFER.
    School,
}

impl Profile {
    fn studies(self, studies: usize, seed: u64) -> Box<dyn Iterator<Item = Study>> {
        match self {
            Profile::Night => Box::new(night(studies, seed, Scale::Full)),
            Profile::NightSmall => Box::new(night(studies, seed, Scale::Small)),
            Profile::Demo => Box::new(demo_at(seed, Scale::Full).into_iter()),
            Profile::DemoSmall => Box::new(demo_at(seed, Scale::Small).into_iter()),
            Profile::Viewer => Box::new(timed(seed)),
            Profile::School => Box::new(std::iter::empty()),
        }
    }
}

/// One file in `manifest.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Relative to the folder.
    pub path: String,
    /// The kind of its study; none for a broken file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Its SOP Instance UID, empty where a broken file has none, and of a file that is not DICOM.
    pub sop: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
    /// What is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<&'static str>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// What was asked for.
    pub profile: Profile,
    /// The seed.
    pub seed: u64,
    /// Studies.
    pub studies: u64,
    /// Files, the broken ones among them.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Files broken on purpose.
    pub broken: u64,
}

/// Writes studies below `dir`, and `manifest.json` last: `{"summary": …, "files": [{path, kind, sop, bytes, sha256, broken}]}`.
/// A night has about one broken file in a hundred, each kind of damage at most once. `progress` sees each file once it is written.
///
/// # Errors
/// [`Error::Write`] when a file or folder cannot be written; what is there stays, the manifest is missing.
pub fn write_night(
    dir: &Path,
    profile: Profile,
    studies: usize,
    seed: u64,
    progress: &mut dyn FnMut(&File),
) -> Result<Summary, Error> {
    let mut summary = Summary { profile, seed, studies: 0, files: 0, bytes: 0, broken: 0 };
    let mut entries = Vec::new();
    let mut take = |summary: &mut Summary, file: File, kind: Option<Kind>| {
        write(dir, &file)?;
        summary.files += 1;
        summary.bytes += file.bytes.len() as u64;
        summary.broken += u64::from(file.broken.is_some());
        progress(&file);
        entries.push(entry(&file, kind));
        Ok(())
    };
    let children = if profile == Profile::School { studies } else { 0 };
    for file in school(children, seed).flat_map(|child| child.files) {
        // Each ECG is a study of its own.
        summary.studies += 1;
        take(&mut summary, file, Some(Kind::Ecg))?;
    }
    for study in profile.studies(studies, seed) {
        summary.studies += 1;
        for file in study.files() {
            take(&mut summary, file, Some(study.kind))?;
        }
    }
    if matches!(profile, Profile::Night | Profile::NightSmall) {
        let count = summary.files.div_ceil(100) as usize;
        for file in broken(seed).into_iter().take(count) {
            take(&mut summary, file, None)?;
        }
    }
    let manifest = serde_json::json!({ "summary": summary, "files": entries });
    write_bytes(&dir.join("manifest.json"), manifest.to_string().as_bytes())?;
    Ok(summary)
}

fn entry(file: &File, kind: Option<Kind>) -> Entry {
    let sha256 = Sha256::digest(&file.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let (path, sop) = (file.path.clone(), file.sop_instance_uid.clone());
    Entry { path, kind, sop, bytes: file.bytes.len() as u64, sha256, broken: file.broken }
}

fn write(dir: &Path, file: &File) -> Result<(), Error> {
    write_bytes(&dir.join(&file.path), &file.bytes)
}

fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, bytes).map_err(failed)
}
