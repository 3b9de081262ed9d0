//! The rules of reading under random interleavings, and a worklist of a whole school year.

use std::collections::BTreeMap;
use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::reading::events::{Device, NewItem};
use crate::reading::http::Claimed;

const READERS: usize = 4;
const ITEMS: usize = 6;

fn reader(number: usize) -> Person {
    // Two of them hold tokens of two centres.
    Person { name: format!("reader {}", number % 3), centre: format!("centre {number}") }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn filter(double: Double) -> Filter {
    Filter { modality: "ECG".into(), from: None, to: None, centre: None, double }
}

fn items(count: usize) -> Vec<NewItem> {
    let item = |number: usize| NewItem {
        item: format!("{number:032x}"),
        study: format!("1.2.{number}"),
        series: format!("1.2.{number}.1"),
        instance: format!("1.2.{number}.1.1"),
        centre: "a".into(),
        date: "20270401".into(),
        device: if number.is_multiple_of(2) { Device::Normal } else { Device::Abnormal },
    };
    (0..count).map(item).collect()
}

fn with_items(path: &Path, count: usize, double: Double) -> (Reading, String) {
    let reading = Reading::open(path).unwrap();
    let worklist = reading.create("w", &filter(double), &reader(0), at(0)).unwrap();
    let event = Event::ItemsJoined { worklist: worklist.clone(), items: items(count), filled: true };
    reading.act(|_| Ok((vec![event], ())), at(0)).unwrap();
    (reading, worklist)
}

/// One thing that happens.
#[derive(Clone, Debug)]
enum Act {
    Claim {
        reader: usize,
        stage: Option<Stage>,
        count: usize,
        group: bool,
    },
    Release {
        reader: usize,
        item: usize,
    },
    Verdict {
        reader: usize,
        item: usize,
        stage: Stage,
        word: Word,
    },
    /// The same again, as a page does that got no answer.
    Repeat {
        verdict: usize,
    },
    /// Under the id of another.
    Forged {
        verdict: usize,
    },
    Undo {
        reader: usize,
        verdict: usize,
    },
    Wait {
        seconds: i64,
    },
    Restart,
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![4 => Just(Stage::First), 4 => Just(Stage::Second), 2 => Just(Stage::Adjudication)]
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![Just(Word::Normal), Just(Word::FollowUp), Just(Word::Refer)]
}

fn act() -> impl Strategy<Value = Act> {
    let reader = || 0..READERS;
    let claim = (reader(), prop::option::of(stage()), 0..4_usize, prop::bool::weighted(0.2));
    prop_oneof![
        6 => claim.prop_map(|(reader, stage, count, group)| Act::Claim { reader, stage, count, group }),
        1 => (reader(), 0..ITEMS).prop_map(|(reader, item)| Act::Release { reader, item }),
        10 => (reader(), 0..ITEMS, stage(), word())
            .prop_map(|(reader, item, stage, word)| Act::Verdict { reader, item, stage, word }),
        2 => (0..64_usize).prop_map(|verdict| Act::Repeat { verdict }),
        1 => (0..64_usize).prop_map(|verdict| Act::Forged { verdict }),
        3 => (reader(), 0..64_usize).prop_map(|(reader, verdict)| Act::Undo { reader, verdict }),
        3 => prop_oneof![Just(1), Just(UNDO_S - 1), Just(LEASE_S), Just(HELD_S_MAX)]
            .prop_map(|seconds| Act::Wait { seconds }),
        1 => Just(Act::Restart),
    ]
}

/// What the readers know to be true.
struct World {
    dir: tempfile::TempDir,
    reading: Reading,
    worklist: String,
    now: i64,
    /// Every verdict that was called saved, with its reader.
    saved: Vec<(Verdict, usize)>,
    undone: Vec<String>,
    made: u64,
}

impl World {
    fn new(double: Double) -> World {
        let dir = tempfile::tempdir().unwrap();
        let (reading, worklist) = with_items(&dir.path().join("reading.jsonl"), ITEMS, double);
        World { dir, reading, worklist, now: 1, saved: Vec::new(), undone: Vec::new(), made: 0 }
    }

    fn act(&mut self, act: Act) {
        self.now += 1;
        match act {
            Act::Claim { reader, stage, count, group } => self.claim(reader, stage, count, group),
            Act::Release { reader: by, item } => {
                self.reading.release(&format!("{item:032x}"), &reader(by), at(self.now)).unwrap();
            }
            Act::Verdict { reader, item, stage, word } => self.give(reader, item, stage, word),
            Act::Repeat { verdict } => {
                if let Some((verdict, by)) = self.saved.get(verdict) {
                    let again = self.reading.save(std::slice::from_ref(verdict), &reader(*by), at(self.now)).unwrap();
                    assert_eq!(again, [Ok(())], "sent again it is the same");
                }
            }
            Act::Forged { verdict } => {
                if let Some((verdict, by)) = self.saved.get(verdict) {
                    let forged = Verdict { text: format!("{} and more", verdict.text), ..verdict.clone() };
                    let answer = self.reading.save(&[forged], &reader(*by), at(self.now)).unwrap();
                    assert_eq!(answer, [Err(Refused::OtherContent)]);
                }
            }
            Act::Undo { reader: by, verdict } => {
                if let Some((verdict, _)) = self.saved.get(verdict) {
                    let settled = self.is_settled(&verdict.item);
                    let answer = self.reading.undo(&verdict.id, &reader(by), at(self.now), |_, _, _| Ok(())).unwrap();
                    let again = self.undone.contains(&verdict.id);
                    assert!(answer.is_err() || again || !settled, "what was told is not taken back");
                    if answer.is_ok() && !again {
                        self.undone.push(verdict.id.clone());
                    }
                }
            }
            Act::Wait { seconds } => self.now += seconds,
            Act::Restart => {
                let before = self.tables();
                self.reading = Reading::open(&self.dir.path().join("reading.jsonl")).unwrap();
                assert_eq!(self.tables(), before, "the log gives the same tables");
            }
        }
        self.check();
    }

    fn is_settled(&self, item: &str) -> bool {
        self.reading.look(|book| Ok(book.is_settled(book.item(item).unwrap(), at(self.now)))).unwrap()
    }

    fn claim(&mut self, by: usize, stage: Option<Stage>, count: usize, group: bool) {
        let wanted = Wanted { count, stage, has: Vec::new(), group };
        let now = at(self.now);
        let told = |book: &Book, chosen: &Chosen| {
            let stage = chosen.stage.unwrap();
            let items = chosen.items.iter().map(|place| &book.items[*place]);
            let told = |item: &Item| (item.id.clone(), stage, Claimed::of(book, item, &reader(by), stage).unwrap());
            Ok(items.map(told).collect::<Vec<_>>())
        };
        let told = self.reading.claim(&self.worklist, &reader(by), &wanted, now, told).unwrap();
        assert!(told.len() <= count);
        for (item, stage, claimed) in told {
            let own = self
                .saved
                .iter()
                .any(|(verdict, other)| verdict.item == item && reader(*other).is(&reader(by)) && self.counts(verdict));
            assert!(group && stage == Stage::Adjudication || !own, "nobody reads what they have read");
            assert_eq!(claimed.tells_verdicts(), stage == Stage::Adjudication, "the second reader is blind");
        }
    }

    /// Whether a saved verdict is one of those that count now.
    fn counts(&self, verdict: &Verdict) -> bool {
        !self.undone.contains(&verdict.id)
    }

    fn give(&mut self, by: usize, item: usize, stage: Stage, word: Word) {
        self.made += 1;
        let verdict = Verdict {
            id: uuid::Uuid::from_u128(u128::from(self.made)).hyphenated().to_string(),
            item: format!("{item:032x}"),
            stage,
            verdict: word,
            urgent: false,
            findings: Vec::new(),
            text: format!("text {}", self.made),
            management: String::new(),
            took_ms: 1,
        };
        let settled = self.is_settled(&verdict.item);
        let answer = self.reading.save(std::slice::from_ref(&verdict), &reader(by), at(self.now)).unwrap();
        if answer == [Ok(())] {
            assert!(!settled, "what is settled stays");
            self.saved.push((verdict, by));
        }
    }

    /// The tables as text, in an order that is always the same.
    fn tables(&self) -> String {
        let text = |book: &Book| {
            let order: BTreeMap<&String, usize> = book.verdict_by_id.iter().map(|(id, at)| (id, *at)).collect();
            let waiting: Vec<_> = book.worklists.iter().map(|worklist| &worklist.waiting).collect();
            let until: Vec<_> = book.items.iter().flat_map(|it| it.claims.iter().map(|c| book.held_until(c))).collect();
            format!("{:?} {:?} {order:?} {waiting:?} {until:?} {:?}", book.items, book.verdicts, book.unreported)
        };
        self.reading.look(|book| Ok(text(book))).unwrap()
    }

    /// What holds after each act.
    fn check(&self) {
        self.reading
            .look(|book| {
                for (verdict, by) in &self.saved {
                    let kept = book.verdict(&verdict.id).expect("no verdict is lost");
                    assert_eq!((&kept.verdict, &kept.by), (verdict, &reader(*by)));
                    assert_eq!(kept.undone, self.undone.contains(&verdict.id));
                    let item = book.item(&verdict.item).unwrap();
                    let counts = book.reading(item, kept.counted).is_some_and(|it| it.verdict.id == verdict.id);
                    assert_eq!(counts, !kept.undone, "each counts once, until it is taken back");
                }
                assert_eq!(book.verdicts.len(), self.saved.len(), "none is there twice, and none that was refused");
                book.items.iter().for_each(|item| self.check_item(book, item));
                let worklist = &book.worklists[0];
                let waiting: usize = worklist.waiting.iter().map(|waiting| waiting.len()).sum();
                let decided = book.items.iter().filter(|item| item.decided_at.is_some()).count();
                assert_eq!(waiting + decided, ITEMS, "every item waits somewhere or is decided");
                assert_eq!(book.unreported.len(), decided);
                Ok(())
            })
            .unwrap();
    }

    fn check_item(&self, book: &Book, item: &Item) {
        for stage in [Stage::First, Stage::Second, Stage::Adjudication] {
            let holders = item.claims.iter().filter(|claim| claim.stage == stage && book.is_held(claim, at(self.now)));
            assert!(holders.count() <= 1, "two have one item at one stage: {item:?}");
        }
        let by = |stage| book.reading(item, stage).map(|saved| saved.by.name.clone());
        let (first, second) = (by(Stage::First), by(Stage::Second));
        assert!(first.is_none() || first != second, "two readings are two people's");
        if item.decided_at.is_some() {
            assert!(first.is_some(), "no item closes without a person");
            assert!(!item.two || second.is_some(), "two readers where two are needed");
        }
    }
}

fn play(double: Double, acts: Vec<Act>) {
    let mut world = World::new(double);
    acts.into_iter().for_each(|act| world.act(act));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Proves for any interleaving of claims, verdicts, repeats, undos, waits and restarts: no verdict is lost or counted
    /// twice, no item is held by two at one stage, two readings are two people's, the second is blind, nothing closes
    /// without a person, and the log alone gives the same tables.
    #[test]
    fn the_rules_hold_whatever_happens(acts in prop::collection::vec(act(), 1..120), double in 0..3_u8) {
        play([Double::All, Double::DeviceAbnormal, Double::None][usize::from(double)], acts);
    }
}

/// A row of nobody would be sent, and what was sent of somebody be sent again as a change.
#[tokio::test]
async fn what_the_archive_does_not_have_is_not_sent() {
    let dir = tempfile::tempdir().unwrap();
    let (_writer, archive) = archive::open(dir.path(), archive::Settings::default()).await.unwrap();
    let (reading, worklist) = with_items(&dir.path().join("reading.jsonl"), 1, Double::None);
    let verdict = Verdict {
        id: uuid::Uuid::from_u128(1).hyphenated().to_string(),
        item: items(1)[0].item.clone(),
        stage: Stage::First,
        verdict: Word::Normal,
        urgent: false,
        findings: Vec::new(),
        text: String::new(),
        management: String::new(),
        took_ms: 1,
    };
    let read = Event::Read { verdict, counted: Stage::First, edition: "e".into(), by: reader(0) };
    reading.act(|_| Ok((vec![read], ())), at(1)).unwrap();
    let sent = reading.export(&archive, &worklist, &reader(0), at(1 + UNDO_S)).await.unwrap();
    assert_eq!((sent.number, sent.rows), (None, Vec::new()));
}

/// Proves that the last of 15,000 items are claimed and read as the first are, and found again in the log. How long the
/// tables take is printed beside the whole with its two syncs (docs/reading.md has the figures); time itself is not judged
/// here, on a machine that does other work too.
#[test]
fn the_last_of_fifteen_thousand_items_are_claimed_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("reading.jsonl");
    let (reading, worklist) = with_items(&path, 15_000, Double::All);
    let verdict = |item: &str, number: u128| Verdict {
        id: uuid::Uuid::from_u128(number).hyphenated().to_string(),
        item: item.to_owned(),
        stage: Stage::First,
        verdict: Word::Normal,
        urgent: false,
        findings: vec!["T-NEG".into()],
        text: String::new(),
        management: String::new(),
        took_ms: 1500,
    };
    // All but the last ten were read by the one who reads on: the longest way to an item.
    let all: Vec<String> = items(15_000).into_iter().map(|item| item.item).collect();
    for (some, numbers) in all[..14_990].chunks(1000).zip(0..) {
        let by = reader(0);
        let read = |(place, item): (usize, &String)| {
            let verdict = verdict(item, (numbers * 1000 + place) as u128);
            Event::Read { verdict, counted: Stage::First, edition: "e".into(), by: by.clone() }
        };
        let events = some.iter().enumerate().map(read).collect();
        reading.act(|_| Ok((events, ())), at(1)).unwrap();
    }
    let wanted = Wanted { count: 5, ..Wanted::default() };
    let (mut in_tables, mut with_sync) = (Vec::new(), Vec::new());
    for round in 0..9_u128 {
        let now = at(10 + round as i64);
        let started = Instant::now();
        reading
            .look(|book| {
                let chosen = claims::choose(book, book.worklist(&worklist).unwrap(), &reader(0), &wanted, now);
                let left = claims::remaining(book, book.worklist(&worklist).unwrap(), &reader(0), Stage::Second, now);
                assert_eq!((chosen.items.len(), left), (5.min(10 - round as usize), 0));
                let last = verdict(&all[14_999], 99_000);
                let _ = std::hint::black_box(verdicts::check(book, reading.codes(), &last, &reader(0), now));
                Ok(())
            })
            .unwrap();
        in_tables.push(started.elapsed().as_secs_f64() * 1e3);
        let started = Instant::now();
        let first = |book: &Book, chosen: &Chosen| Ok(book.items[chosen.items[0]].id.clone());
        let item = reading.claim(&worklist, &reader(0), &wanted, now, first).unwrap();
        assert_eq!(reading.save(&[verdict(&item, 20_000 + round)], &reader(0), now).unwrap(), [Ok(())]);
        with_sync.push(started.elapsed().as_secs_f64() * 1e3);
    }
    in_tables.sort_by(f64::total_cmp);
    with_sync.sort_by(f64::total_cmp);
    let started = Instant::now();
    let read = |book: &Book| book.items.iter().filter(|item| book.reading(item, Stage::First).is_some()).count();
    let found = Reading::open(&path).unwrap().look(|book| Ok((book.items.len(), read(book)))).unwrap();
    assert_eq!(found, (15_000, 14_990 + 9));
    println!(
        "tables {:.2} ms, claim and verdict with two syncs {:.2} ms (medians); read again in {:.2} s",
        in_tables[4],
        with_sync[4],
        started.elapsed().as_secs_f64()
    );
}
