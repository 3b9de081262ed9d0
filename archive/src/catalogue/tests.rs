//! The catalogue on a real directory, each test within a time limit: the kernel is known to wait for ever when it is
//! driven wrongly, and that must be a failure and not a hang.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use super::*;
use crate::{InstanceAttributes, Origin, Patient, StudyAttributes};

const SECONDS_MAX: u64 = 120;

/// Runs a test on an empty directory whose name needs escaping in a URL.
fn within(test: impl FnOnce(&Path) + Send + 'static) {
    let (done, waits) = mpsc::channel();
    let run = std::thread::spawn(move || {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("検査 objects #1 100%");
        std::fs::create_dir(&dir).unwrap();
        test(&dir);
        let _ = done.send(());
    });
    let waited = waits.recv_timeout(Duration::from_secs(SECONDS_MAX));
    assert!(!matches!(waited, Err(mpsc::RecvTimeoutError::Timeout)), "not done in {SECONDS_MAX} s");
    run.join().unwrap();
}

fn study_attributes(study: u64) -> StudyAttributes {
    StudyAttributes {
        study_instance_uid: format!("1.2.826.0.1.{study}"),
        patient: Patient {
            patient_id: format!("{study:04}"),
            issuer_of_patient_id: "kita".into(),
            patient_name: "Yamada^Tarou=山田^太郎=やまだ^たろう".into(),
            patient_birth_date: "19500000".into(),
            patient_sex: "M".into(),
        },
        study_date: "20261122".into(),
        ..StudyAttributes::default()
    }
}

fn instance(pack: u64, study: u64, number: i32) -> InstanceRow {
    let uid = format!("1.2.826.0.1.{study}.{pack}.{number}");
    let instance = InstanceAttributes {
        sop_instance_uid: uid.clone(),
        instance_number: Some(number),
        rows: 512,
        columns: 512,
        ..InstanceAttributes::default()
    };
    let description = Description { study: study_attributes(study), instance, ..Description::default() };
    let received_at = format!("2026-11-22T20:00:{:02}Z", pack % 60);
    InstanceRow {
        description,
        origin: Origin { centre: "kita".into(), file: uid, received_at, ..Origin::default() },
        received_bytes: 1000,
        held_bytes: 400,
        held_form: "packed".into(),
        pack,
        ..InstanceRow::default()
    }
}

/// A study's row after all its packs so far, of two instances each.
fn study(study: u64, packs: &[u64]) -> StudyRow {
    let instances = 2 * packs.len() as u32;
    StudyRow {
        study: study_attributes(study),
        modalities_in_study: vec!["CT".into(), "SR".into()],
        number_of_study_related_series: 1,
        number_of_study_related_instances: instances,
        received_bytes: 1000 * u64::from(instances),
        held_bytes: 400 * u64::from(instances),
        centre: "kita".into(),
        first_received_at: "2026-11-22T20:00:01Z".into(),
        last_received_at: format!("2026-11-22T20:00:{:02}Z", packs.last().unwrap() % 60),
    }
}

/// Both instances of a pack that brings one study.
fn pair(pack: u64, study: u64) -> [InstanceRow; 2] {
    [instance(pack, study, 1), instance(pack, study, 2)]
}

/// How many rows, how many different studies among them, and the instances the study rows speak of.
fn counts(catalogue: &Catalogue) -> (usize, usize, usize, u64) {
    let rows = catalogue.rows().unwrap();
    let cell = |line: &String, name: &str| {
        line.split('\t').find_map(|cell| cell.strip_prefix(name)?.strip_prefix('=').map(str::to_owned)).unwrap()
    };
    let uids: HashSet<String> = rows.studies.iter().map(|line| cell(line, "StudyInstanceUID")).collect();
    let said = rows.studies.iter().map(|line| cell(line, "NumberOfStudyRelatedInstances").parse::<u64>().unwrap());
    (rows.instances.len(), rows.studies.len(), uids.len(), said.sum())
}

fn data_files(dir: &Path, table: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.join(NAME).join(table)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect()
}

#[test]
fn an_append_from_a_stale_snapshot_conflicts_and_changes_nothing() {
    within(|dir| {
        let catalogue = Catalogue::open(dir).unwrap();
        let table = &catalogue.instances;
        let stale = table.snapshot().unwrap();
        catalogue.append(&[1], &pair(1, 7), &[study(7, &[1])]).unwrap();
        let rows = pair(1, 7);
        let rows: Vec<&InstanceRow> = rows.iter().collect();
        let mut change = table.change(&stale, &[1], true).unwrap();
        change.add(&to_batch(&instance_columns(), table, &rows).unwrap()).unwrap();
        assert_eq!(data_files(dir, "instances").len(), 2);
        assert!(!change.commit().unwrap(), "the stale commit must lose");
        assert_eq!(data_files(dir, "instances").len(), 1, "its file goes with it");
        assert_eq!(counts(&catalogue), (2, 1, 1, 2));
    });
}

#[test]
fn two_catalogues_that_append_the_same_packs_at_once_leave_them_once() {
    within(|dir| {
        Catalogue::open(dir).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let catalogue = Catalogue::open(dir).unwrap();
                    for pack in 1..=3 {
                        catalogue.append(&[pack], &pair(pack, pack), &[study(pack, &[pack])]).unwrap();
                    }
                });
            }
        });
        assert_eq!(counts(&Catalogue::open(dir).unwrap()), (6, 3, 3, 6));
    });
}

#[test]
fn appending_again_repeats_nothing_also_after_reopening() {
    within(|dir| {
        let catalogue = Catalogue::open(dir).unwrap();
        assert_eq!(catalogue.covered().unwrap(), 0);
        let instances = [pair(1, 7), pair(3, 8)].concat();
        let studies = [study(7, &[1]), study(8, &[3])];
        catalogue.append(&[1, 3], &instances, &studies).unwrap();
        let before = catalogue.rows().unwrap();
        drop(catalogue);
        let catalogue = Catalogue::open(dir).unwrap();
        assert_eq!(catalogue.covered().unwrap(), 3);
        catalogue.append(&[1, 3], &instances, &studies).unwrap();
        assert_eq!(catalogue.rows().unwrap(), before);
        // A pack that brought nothing is covered all the same.
        catalogue.append(&[4], &[], &[]).unwrap();
        assert_eq!(catalogue.covered().unwrap(), 4);
        assert_eq!(catalogue.rows().unwrap(), before);
    });
}

#[test]
fn a_late_pack_replaces_its_study_and_leaves_one_row_across_checkpoints() {
    within(|dir| {
        let catalogue = Catalogue::open(dir).unwrap();
        let packs_max = 2 * table::COMMITS_PER_CHECKPOINT + 2;
        // Study 0 comes with every other pack, each other pack brings a study of its own.
        let mut late = Vec::new();
        for pack in 1..=packs_max {
            let uid = if pack % 2 == 0 { 0 } else { pack };
            let row = if uid == 0 {
                late.push(pack);
                study(0, &late)
            } else {
                study(uid, &[pack])
            };
            catalogue.append(&[pack], &pair(pack, uid), &[row]).unwrap();
        }
        let studies = 1 + packs_max as usize / 2;
        assert_eq!(counts(&catalogue), (2 * packs_max as usize, studies, studies, 2 * packs_max));
        // One small file of studies is in use; the replaced ones are there until they are tidied away.
        let snapshot = catalogue.studies.snapshot().unwrap();
        assert_eq!(catalogue.studies.files(&snapshot).unwrap().len(), 1);
        let log = std::fs::read_dir(dir.join("catalogue/studies/_delta_log")).unwrap();
        let names: Vec<String> = log.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.iter().any(|name| name.contains(".checkpoint.")), "{names:?}");
        assert!(names.iter().any(|name| name == "_last_checkpoint"), "{names:?}");
        // Reopened, the studies' files are found again and not doubled.
        let before = counts(&catalogue);
        drop(catalogue);
        let catalogue = Catalogue::open(dir).unwrap();
        late.push(packs_max + 1);
        catalogue.append(&[packs_max + 1], &pair(packs_max + 1, 0), &[study(0, &late)]).unwrap();
        assert_eq!(counts(&catalogue), (before.0 + 2, before.1, before.2, before.3 + 2));
    });
}

#[test]
fn an_append_cut_off_between_the_tables_is_completed_by_a_larger_one() {
    within(|dir| {
        let whole = Catalogue::open(dir).unwrap();
        whole.append(&[1], &pair(1, 7), &[study(7, &[1])]).unwrap();
        // The crash: packs 2 and 3 reach the first table only.
        whole.append_instances(&[2, 3], &BTreeSet::new(), &[pair(2, 7), pair(3, 8)].concat()).unwrap();
        drop(whole);
        let catalogue = Catalogue::open(dir).unwrap();
        assert_eq!(catalogue.covered().unwrap(), 1);
        // The next run sees one pack more.
        let instances = [pair(2, 7), pair(3, 8), pair(4, 7)].concat();
        catalogue.append(&[2, 3, 4], &instances, &[study(7, &[1, 2, 4]), study(8, &[3])]).unwrap();
        assert_eq!(catalogue.covered().unwrap(), 4);
        assert_eq!(counts(&catalogue), (8, 2, 2, 8));
    });
}

#[test]
fn a_file_without_its_commit_is_not_read_and_is_tidied_away() {
    within(|dir| {
        let catalogue = Catalogue::open(dir).unwrap();
        catalogue.append(&[1], &pair(1, 7), &[study(7, &[1])]).unwrap();
        catalogue.append(&[2], &pair(2, 7), &[study(7, &[1, 2])]).unwrap();
        // The crash: a file is durable, its commit never came.
        let table = &catalogue.instances;
        let snapshot = table.snapshot().unwrap();
        let rows = pair(3, 7);
        let rows: Vec<&InstanceRow> = rows.iter().collect();
        let mut change = table.change(&snapshot, &[3], true).unwrap();
        change.add(&to_batch(&instance_columns(), table, &rows).unwrap()).unwrap();
        drop(change);
        assert_eq!(data_files(dir, "instances").len(), 3);
        assert_eq!((catalogue.covered().unwrap(), counts(&catalogue)), (2, (4, 1, 1, 4)));
        // Nothing is older than its grace yet; later the orphan and the replaced file of studies go.
        let now = jiff::Timestamp::now();
        assert_eq!(catalogue.tidy(now - Duration::from_secs(3600)).unwrap(), 0);
        assert_eq!(catalogue.tidy(now + Duration::from_secs(3600)).unwrap(), 2);
        assert_eq!((data_files(dir, "instances").len(), data_files(dir, "studies").len()), (2, 1));
        assert_eq!(counts(&catalogue), (4, 1, 1, 4));
    });
}

#[test]
fn a_catalogue_deleted_and_made_anew_in_other_batches_has_the_same_rows() {
    within(|dir| {
        let catalogue = Catalogue::open(dir).unwrap();
        for (pack, studies) in [(1, [1].as_slice()), (2, &[1, 2]), (3, &[1, 2, 3])] {
            catalogue.append(&[pack], &pair(pack, 7), &[study(7, studies)]).unwrap();
        }
        let before = catalogue.rows().unwrap();
        drop(catalogue);
        Catalogue::delete_all(dir).unwrap();
        Catalogue::delete_all(dir).unwrap();
        assert!(!dir.join(NAME).exists() && !dir.join(NAME_DELETED).exists());
        let catalogue = Catalogue::open(dir).unwrap();
        assert_eq!((catalogue.covered().unwrap(), catalogue.rows().unwrap()), (0, Rows::default()));
        let instances = [pair(3, 7), pair(1, 7), pair(2, 7)].concat();
        catalogue.append(&[1, 2, 3], &instances, &[study(7, &[1, 2, 3])]).unwrap();
        assert_eq!(catalogue.rows().unwrap(), before);
    });
}

/// Proves that the rows of replaced packs go with the commit that brings the new pack's, from whatever files they are
/// in, that rows beside them stay, and that a table made anew has the same.
#[test]
fn a_pack_that_replaces_others_takes_their_rows_out() {
    within(|dir| {
        let catalogue = Catalogue::open(dir).unwrap();
        catalogue.append(&[1, 2], &[pair(1, 7), pair(2, 8)].concat(), &[study(7, &[1]), study(8, &[2])]).unwrap();
        catalogue.append(&[3], &pair(3, 7), &[study(7, &[1, 3])]).unwrap();
        let moved: Vec<InstanceRow> =
            [pair(1, 7), pair(3, 7)].concat().into_iter().map(|row| InstanceRow { pack: 4, ..row }).collect();
        for _ in 0..2 {
            catalogue.append_replacing(&[4], &BTreeSet::from([1, 3]), &moved, &[study(7, &[1, 3])]).unwrap();
            assert_eq!((catalogue.covered().unwrap(), counts(&catalogue)), (4, (6, 2, 2, 6)));
        }
        let rows = catalogue.rows().unwrap();
        let of = |pack: u64| rows.instances.iter().filter(|row| row.contains(&format!("\tPack={pack}\t"))).count();
        assert_eq!([of(1), of(2), of(3), of(4)], [0, 2, 0, 4]);
        drop(catalogue);
        Catalogue::delete_all(dir).unwrap();
        let catalogue = Catalogue::open(dir).unwrap();
        let instances = [pair(2, 8).to_vec(), moved].concat();
        let studies = [study(7, &[1, 3]), study(8, &[2])];
        catalogue.append_replacing(&[2, 4], &BTreeSet::from([1, 3]), &instances, &studies).unwrap();
        assert_eq!(catalogue.rows().unwrap(), rows);
    });
}

#[test]
fn rows_have_real_types_and_what_is_no_date_is_named() {
    within(|dir| {
        let catalogue = Catalogue::open(dir).unwrap();
        catalogue.append(&[1], &pair(1, 7)[..1], &[study(7, &[1])]).unwrap();
        let rows = catalogue.rows().unwrap();
        for cell in [
            "StudyDate=2026-11-22",
            "DatesNotValid=[PatientBirthDate=19500000]",
            "PatientNameIdeographic=山田^太郎",
            "PatientNamePhonetic=やまだ^たろう",
            "ReceivedAt=2026-11-22T20:00:01Z",
            "PatientID=0007",
            "Rows=512",
            "LossyImageCompression=false",
        ] {
            assert!(rows.instances[0].split('\t').any(|c| c == cell), "{cell} in {}", rows.instances[0]);
        }
        assert!(!rows.instances[0].contains("PatientBirthDate=1950-"), "no invented date");
        assert!(rows.studies[0].contains("ModalitiesInStudy=[CT, SR]"), "{}", rows.studies[0]);
    });
}

#[test]
fn rows_that_contradict_each_other_are_refused_whole() {
    within(|dir| {
        let catalogue = Catalogue::open(dir).unwrap();
        for (packs, instances, studies) in [
            ([2, 1].as_slice(), pair(1, 7).to_vec(), vec![study(7, &[1])]),
            (&[0], vec![], vec![]),
            (&[], vec![], vec![]),
            (&[1], pair(2, 7).to_vec(), vec![study(7, &[1])]),
            (&[1], pair(1, 7).to_vec(), vec![]),
            (&[1], pair(1, 7).to_vec(), vec![study(7, &[1]), study(7, &[1])]),
            (&[u64::MAX], pair(u64::MAX, 7).to_vec(), vec![study(7, &[1])]),
        ] {
            assert!(matches!(catalogue.append(packs, &instances, &studies), Err(Error::Refused(_))), "{packs:?}");
        }
        assert_eq!(catalogue.rows().unwrap(), Rows::default());
    });
}

#[tokio::test]
async fn it_may_be_used_and_dropped_where_async_code_runs() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::open(dir.path()).unwrap();
    catalogue.append(&[1], &pair(1, 7), &[study(7, &[1])]).unwrap();
    assert_eq!(catalogue.covered().unwrap(), 1);
}

/// Reader processes that do not know this program see the same rows. On a plain path: polars 2.1 does not undo the
/// escapes of a path with spaces or non-ASCII letters, which deltalake hands it.
#[test]
fn python_readers_see_the_same_rows() {
    within(|dir| {
        let dir = dir.parent().unwrap();
        let catalogue = Catalogue::open(dir).unwrap();
        for pack in 1..=12 {
            let uid = pack % 3;
            let packs: Vec<u64> = (1..=pack).filter(|p| p % 3 == uid).collect();
            catalogue.append(&[pack], &pair(pack, uid), &[study(uid, &packs)]).unwrap();
        }
        assert_eq!(counts(&catalogue), (24, 3, 3, 24));
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/outside/catalogue.py");
        let python = std::env::var("TSUNAGU_PYTHON").unwrap_or_else(|_| "python3".into());
        let run = std::process::Command::new(python)
            .arg(script)
            .arg(dir.join(NAME))
            .args(["--instances", "24", "--studies", "3"])
            .output();
        match run {
            Err(error) => println!("skipped: python does not start here: {error}"),
            Ok(output) if output.status.code() == Some(3) => println!("skipped: no Delta Lake reader for python here"),
            Ok(output) => assert!(output.status.success(), "{output:?}"),
        }
    });
}

#[test]
fn no_commit_names_a_person() {
    within(|dir| {
        let catalogue = Catalogue::open(dir).unwrap();
        catalogue.append(&[1], &pair(1, 7), &[study(7, &[1])]).unwrap();
        for table in ["instances", "studies"] {
            let commit = dir.join(NAME).join(table).join("_delta_log/00000000000000000001.json");
            let commit = std::fs::read_to_string(commit).unwrap();
            // The smallest and largest value of a selected column are there, and of no other.
            assert!(
                commit.contains("2026-11-22") && !commit.contains("Yamada") && !commit.contains("0007"),
                "{commit}"
            );
        }
    });
}
