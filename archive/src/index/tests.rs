//! Every way in which studies are found gives what looking at each of them gives, page by page.

use std::path::Path;

use super::{
    Column, ListQuery, ListedStudy, Match, Order, Query, Range, SortBy, StudyRow, Test, fill_index, list_studies,
    open_for_reading, search_studies,
};
use crate::fold::{Name, NamePattern, wildcard_matches};
use crate::{Description, Layout, Origin, Patient, SeriesAttributes, StudyAttributes};

const NAMES: [&str; 6] = [
    "Yamada^Tarou=山田^太郎=やまだ^たろう",
    "Yamamoto^Hanako=山本^花子=やまもと^はなこ",
    "Watanabe^Ichirou=渡邉^一郎=わたなべ^いちろう",
    "ﾀｶﾊｼ^ﾊﾅｺ=髙橋^花子=たかはし^はなこ",
    "MARTIN^TIMOTHY",
    "",
];
const MODALITIES: [&str; 4] = ["CT", "MG", "US", ""];

/// One instance: study `n` of a house of 300, its series `series`, under this take-in number.
fn instance(n: u64, series: u64, sequence: u64) -> (u64, Description, Origin) {
    let pick = |of: &[&str], at: u64| of[(at % of.len() as u64) as usize].to_owned();
    let description = Description {
        study: StudyAttributes {
            study_instance_uid: format!("1.{n}"),
            patient: Patient {
                patient_id: format!("P{:03}", n / 3),
                patient_name: pick(&NAMES, n * n + n / 7),
                ..Patient::default()
            },
            study_date: if n.is_multiple_of(11) { String::new() } else { format!("202701{:02}", 1 + n * 7 % 5) },
            study_time: format!("{:02}00", n % 24),
            accession_number: format!("A{n}"),
            ..StudyAttributes::default()
        },
        series: SeriesAttributes {
            series_instance_uid: format!("1.{n}.{series}"),
            modality: pick(&MODALITIES, n / 2 + series),
            ..SeriesAttributes::default()
        },
        ..Description::default()
    };
    (sequence, description, Origin::default())
}

/// Fills the index with two instances of each study, the later ones first, as a rebuild may.
fn filled(dir: &Path) -> rusqlite::Connection {
    let late = (0..300).map(|n| {
        let (sequence, mut description, origin) = instance(n, n % 2, 1_000_000 - n * 97);
        // What a later instance says otherwise does not count.
        description.study.patient.patient_name = "Later^Name".into();
        description.study.study_date = "20300101".into();
        description.series.modality = "OT".into();
        (sequence, description, origin)
    });
    fill_index(dir, late.collect()).unwrap();
    fill_index(dir, (0..300).map(|n| instance(n, n % 2, 1 + n * 113)).collect()).unwrap();
    fill_index(dir, (0..300).step_by(3).map(|n| instance(n, 5, 60_000 + n)).collect()).unwrap();
    open_for_reading(&Layout::new(dir).unwrap().index()).unwrap()
}

fn matches(row: &StudyRow, (column, test): &(Column, Test)) -> bool {
    let (a, modalities) = (&row.attributes, &row.modalities_in_study);
    let text = match column {
        Column::StudyInstanceUid => &a.study_instance_uid,
        Column::PatientId => &a.patient.patient_id,
        Column::PatientName => &a.patient.patient_name,
        Column::StudyDate => &a.study_date,
        Column::StudyTime => &a.study_time,
        Column::ModalitiesInStudy => return modalities.iter().any(|one| *test == single(one)),
        other => panic!("{other:?}"),
    };
    match test {
        Test::Match(Match::Single(one)) => one == text,
        Test::Match(Match::Wildcard(pattern)) => wildcard_matches(pattern, text),
        Test::Match(Match::List(several)) => several.contains(text),
        Test::Name(name) => name.is_universal() || NamePattern::new(name).matches(text),
        Test::Within(range) => {
            let to = |to: &String| text <= to || text.starts_with(to);
            !text.is_empty() && range.from.as_ref().is_none_or(|from| text >= from) && range.to.as_ref().is_none_or(to)
        }
        Test::Empty => text.is_empty(),
        Test::Number(_) => false,
    }
}

fn single(text: &str) -> Test {
    Test::Match(Match::Single(text.into()))
}

fn within(from: &str, to: &str) -> (Column, Test) {
    let end = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (Column::StudyDate, Test::Within(Range { from: end(from), to: end(to) }))
}

fn name(text: &str, fuzzy: bool) -> (Column, Test) {
    (Column::PatientName, Test::Name(Name { text: text.into(), fuzzy }))
}

/// Queries of every kind that the planner tells apart, and pairs of them.
fn terms() -> Vec<Vec<(Column, Test)>> {
    let wildcard = |text: &str| Test::Match(Match::Wildcard(text.into()));
    let one = vec![
        within("20270102", "20270104"),
        within("", "20270103"),
        within("202701", ""),
        (Column::StudyDate, Test::Empty),
        (Column::StudyTime, Test::Within(Range { from: Some("08".into()), to: Some("15".into()) })),
        (Column::PatientId, single("P007")),
        (Column::PatientId, wildcard("P00*")),
        (Column::PatientId, wildcard("*7")),
        (Column::StudyInstanceUid, Test::Match(Match::List(vec!["1.5".into(), "1.6".into(), "1.7".into()]))),
        (Column::ModalitiesInStudy, single("MG")),
        (Column::ModalitiesInStudy, single("OT")),
        name("山*", false),
        name("yama*", false),
        name("*花子", false),
        name("taro yama", true),
        name("ﾊﾅｺ", true),
        name("Mart", true),
        name("later*", false),
    ];
    let mut out = vec![vec![]];
    for (index, first) in one.iter().enumerate() {
        out.push(vec![first.clone()]);
        out.extend(one.iter().skip(index + 1).map(|second| vec![first.clone(), second.clone()]));
    }
    out
}

/// Proves it for each query, whole and in pages.
#[test]
fn every_plan_finds_what_looking_at_each_study_finds() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path());
    let find = |query: &Query| search_studies(&index, query).unwrap();
    let all = find(&Query { terms: vec![], order: Order::Newest, limit: 0, offset: 0 });
    assert_eq!(all.len(), 300);
    assert!(all.is_sorted_by(|a, b| a.attributes.study_date >= b.attributes.study_date));
    for terms in terms() {
        let expected: Vec<&StudyRow> = all.iter().filter(|row| terms.iter().all(|term| matches(row, term))).collect();
        for (limit, offset) in [(0, 0), (7, 0), (7, 5), (50, 100), (1000, 1), (5, 299), (5, 300)] {
            let found = find(&Query { terms: terms.clone(), order: Order::Newest, limit, offset });
            let most = if limit == 0 { usize::MAX } else { limit as usize };
            let page: Vec<&StudyRow> = expected.iter().skip(offset as usize).take(most).copied().collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), page, "{terms:?} limit {limit} offset {offset}");
        }
    }
}

/// Proves that what a study's first instance says is what it is found by, whenever that instance came.
#[test]
fn a_study_is_found_by_its_first_instance_also_where_that_came_last() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path());
    let count = |sql: &str| index.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM name_key WHERE Name LIKE 'later%' OR Name LIKE 'name%'"), 0);
    assert_eq!(count("SELECT sum(Studies) FROM study_rank"), 300);
    assert_eq!(count("SELECT sum(Studies) FROM study_rank WHERE StudyDate = '20300101'"), 0);
    assert_eq!(count("SELECT count(*) FROM study_modality WHERE Modality = 'OT'"), 0);
    let stale = "SELECT count(*) FROM study_modality AS m WHERE NOT EXISTS (SELECT 1 FROM study JOIN series ON
        series.study = study.id WHERE study.id = m.study AND study.StudyDate = m.StudyDate
        AND study.FirstSequence = m.FirstSequence AND series.Modality = m.Modality)";
    assert_eq!(count(stale), 0);
}

/// Proves that a list holds what looking at each study finds, under each group of alternatives, and each sort its order.
#[test]
fn a_list_holds_what_has_an_alternative_of_each_group_in_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path());
    let all = search_studies(&index, &Query::default()).unwrap();
    let wildcard = |text: &str| (Column::PatientId, Test::Match(Match::Wildcard(text.into())));
    let groups: Vec<Vec<(Column, Test)>> = vec![
        vec![name("yama", true)],
        vec![name("はなこ", true), (Column::PatientId, single("P007"))],
        vec![wildcard("P00*"), wildcard("*7*")],
        vec![within("20270102", "20270103"), name("mart", true)],
        vec![(Column::ModalitiesInStudy, single("MG"))],
        vec![within("20270103", "")],
    ];
    let mut asked = vec![vec![]];
    for (at, first) in groups.iter().enumerate() {
        asked.push(vec![first.clone()]);
        asked.extend(groups.iter().skip(at + 1).map(|second| vec![first.clone(), second.clone()]));
    }
    for groups in asked {
        let holds = |row: &&StudyRow| groups.iter().all(|group| group.iter().any(|one| matches(row, one)));
        let expected: Vec<&StudyRow> = all.iter().filter(holds).collect();
        for (limit, offset) in [(500, 0), (7, 5), (20, 290)] {
            let query = ListQuery { groups: groups.clone(), descending: true, limit, offset, ..ListQuery::default() };
            let list = list_studies(&index, &query).unwrap();
            let page: Vec<&StudyRow> = expected.iter().skip(offset as usize).take(limit as usize).copied().collect();
            assert_eq!(
                list.studies.iter().map(|one| &one.row).collect::<Vec<_>>(),
                page,
                "{groups:?} {limit} {offset}"
            );
            assert_eq!((list.total, list.complete), (expected.len() as u64, true), "{groups:?}");
        }
    }
    let sorted = |sort, descending| {
        let query = ListQuery { sort, descending, limit: 500, ..ListQuery::default() };
        list_studies(&index, &query).unwrap().studies
    };
    let ids: Vec<String> =
        sorted(SortBy::PatientId, false).into_iter().map(|one| one.row.attributes.patient.patient_id).collect();
    assert!(ids.is_sorted() && ids.len() == 300);
    let dates: Vec<String> =
        sorted(SortBy::StudyDate, false).into_iter().map(|one| one.row.attributes.study_date).collect();
    let (known, unknown) = dates.split_at(dates.iter().position(String::is_empty).unwrap());
    assert!(known.is_sorted() && unknown.iter().all(String::is_empty), "studies without a date come last");
    let none = ListQuery { groups: vec![vec![]], limit: 5, ..ListQuery::default() };
    assert_eq!(list_studies(&index, &none).unwrap().total, 0, "no alternative, no study");
}

/// Proves what a list says of a study beside its attributes: earlier ones of the person, and what is new.
#[test]
fn a_list_says_how_many_earlier_studies_there_are_and_which_are_new() {
    let dir = tempfile::tempdir().unwrap();
    let index = filled(dir.path());
    let query = ListQuery { descending: true, limit: 500, ..ListQuery::default() };
    let list = list_studies(&index, &query).unwrap();
    let before = |one: &ListedStudy, other: &ListedStudy| {
        let key = |of: &ListedStudy| {
            let said = &of.row.attributes;
            (said.study_date.clone(), said.study_time.clone(), of.first_sequence)
        };
        one.row.attributes.patient.patient_id == other.row.attributes.patient.patient_id && key(one) < key(other)
    };
    for study in &list.studies {
        let expected = list.studies.iter().filter(|other| before(other, study)).count();
        assert_eq!(study.priors as usize, expected, "{study:?}");
    }
    assert!(list.studies.iter().any(|one| one.priors == 2));
    assert_eq!(list.last_sequence, 1_000_000);
    let fresh = ListQuery { taken_in_after: Some(1_000_000 - 97 * 9), ..query };
    let fresh = list_studies(&index, &fresh).unwrap();
    assert_eq!(fresh.total, 9);
    assert!(fresh.studies.iter().all(|one| one.last_sequence > 1_000_000 - 97 * 9 && one.waits));
    assert_eq!(super::centres(&index).unwrap(), [""]);
}
