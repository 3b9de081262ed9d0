//! An independent decoder that sees another picture stops packing, loses nothing, and says so.

use archive::{Origin, Reader, Settings, Writer};
use datasets::Scale;
use ingest::{Gate, Intake, Packer, Received, Taken, packing};
use transcode::codec::Coders;
use transcode::data_set::Limits;
use transcode::{Samples, Values};

fn now() -> String {
    "2026-11-23T00:00:00.000Z".into()
}

/// What another decoder would see of a codestream with one wrong bit-plane: the largest pictures, one sample off.
fn sees_another_picture(codestream: &[u8]) -> transcode::Result<Samples> {
    let seen = transcode::codec::decode(codestream)?;
    if seen.bits() != 12 {
        return Ok(seen);
    }
    let mut values: Vec<i32> = (0..seen.values().len()).map(|at| seen.values().at(at)).collect();
    values[0] ^= 1;
    let values = match seen.values() {
        Values::U16(_) => Values::U16(values.into_iter().map(|value| value as u16).collect()),
        _ => Values::I16(values.into_iter().map(|value| value as i16).collect()),
    };
    Samples::new(seen.width(), seen.height(), seen.components(), seen.bits(), values)
}

/// An encoder that loses the lowest bit: what packing proves by its own decoder must catch that.
fn loses_a_bit(frame: &Samples) -> transcode::Result<Vec<u8>> {
    let values = match frame.values() {
        Values::U8(values) => Values::U8(values.iter().map(|value| value & !1).collect()),
        Values::U16(values) => Values::U16(values.iter().map(|value| value & !1).collect()),
        Values::I16(values) => Values::I16(values.iter().map(|value| value & !1).collect()),
    };
    let lossy = Samples::new(frame.width(), frame.height(), frame.components(), frame.bits(), values)?;
    transcode::codec::encode(&lossy)
}

struct House {
    packer: Packer,
    writer: Writer,
    reader: Reader,
    intake: Intake,
    _dir: tempfile::TempDir,
}

impl House {
    async fn new(coders: Coders) -> House {
        let dir = tempfile::tempdir().unwrap();
        let (writer, reader) = archive::open(dir.path(), Settings::default()).await.unwrap();
        let intake = Intake::new(writer.clone(), reader.clone(), Limits::default());
        let settings = packing::Settings { coders, ..packing::Settings::default() };
        let packer = Packer::new(writer.clone(), reader.clone(), Limits::default(), settings);
        House { packer, writer, reader, intake, _dir: dir }
    }

    /// As the next start of the program has it, with sound coders.
    fn start_again(&mut self) {
        let settings = packing::Settings::default();
        self.packer = Packer::new(self.writer.clone(), self.reader.clone(), Limits::default(), settings);
    }

    /// Takes in the first files of some studies; answers how many are held.
    async fn take_in(&self, studies: usize, seed: u64) -> usize {
        use sha2::Digest;
        let mut held = 0;
        for study in datasets::night(studies, seed, Scale::Small) {
            for file in study.files().take(2) {
                let origin =
                    Origin { centre: "c".into(), file: file.path.clone(), received_at: now(), ..Origin::default() };
                let file_digest = sha2::Sha256::digest(&file.bytes).into();
                let received = Received { body: file.bytes.into(), file_digest, expected_study: None };
                held += usize::from(matches!(self.intake.take_in(origin, received).await.unwrap(), Taken::Stored(_)));
            }
        }
        held
    }

    async fn pack(&self) -> packing::Summary {
        self.packer.pack_quiet(None, &now, &|_| {}).await.unwrap()
    }

    async fn in_intake(&self) -> u64 {
        self.reader.backlog(1000).await.unwrap().iter().map(|study| study.instances).sum()
    }

    async fn verify(&self) -> archive::Verified {
        let rebuild =
            |part10: &[u8], recipe: &[u8]| transcode::recipe::rebuild(part10, recipe).map_err(|e| e.to_string());
        let verified = archive::verify(&self.reader, &rebuild, &|_| {}).await.unwrap();
        assert_eq!(verified.findings, []);
        verified
    }
}

/// Proves that a disagreement stops this packer and its clones for good, that the study under way stays in intake whole,
/// that taking in and reading go on, and that a packer that begins anew with sound decoders packs everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_disagreement_stops_packing_and_loses_nothing() {
    let mut house = House::new(Coders { second_opinion: sees_another_picture, ..Coders::default() }).await;
    let held = house.take_in(12, 5).await;
    let summary = house.pack().await;
    let why = summary.stopped.clone().expect("one of the studies has 12 bits");
    assert!(why.contains("an independent decoder sees another picture, first at sample 0"), "{why}");
    assert_eq!(house.packer.clone().stopped(), Some(why.as_str()));
    let left = house.in_intake().await;
    assert!(left > 0, "the study under way stays in intake");
    assert_eq!(house.verify().await.instances as usize, held, "nothing is lost");

    let more = house.take_in(3, 77).await;
    assert!(more > 0, "taking in goes on");
    let again = house.pack().await;
    assert_eq!((again.packs, again.stopped), (0, Some(why)), "packing does not, until the program is started again");
    assert_eq!(house.in_intake().await, left + more as u64);

    house.start_again();
    assert_eq!((house.pack().await.stopped, house.in_intake().await), (None, 0));
    assert_eq!(house.verify().await.instances as usize, held + more);
}

/// Proves that an encoder which is not lossless is found out by our own decoder, on every frame: files are kept as
/// received, and nothing is held as codestreams that could not be rebuilt.
#[tokio::test(flavor = "multi_thread")]
async fn an_encoder_that_loses_a_bit_gets_no_file() {
    let house = House::new(Coders { encode: loses_a_bit, ..Coders::default() }).await;
    let held = house.take_in(12, 5).await;
    let summary = house.pack().await;
    assert!(!summary.exceptions.is_empty(), "native pixels are kept as received");
    assert!(summary.exceptions.iter().all(|exception| exception.reason.contains("differs")), "{summary:?}");
    assert_eq!(house.in_intake().await, 0);
    assert_eq!(house.verify().await.instances as usize, held);
}
