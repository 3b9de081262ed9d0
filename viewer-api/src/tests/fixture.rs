//! A small archive of hand-made files, a router over it, and one token of each kind.

use std::io::Cursor;
use std::sync::Arc;

use archive::{
    Admission, Body, Description, Digests, Form, FrameSpan, FrameTable, InstanceAttributes, Origin, Patient,
    SeriesAttributes, Settings, StudyAttributes, TakeIn, TakenIn, Writer,
};
use axum::Router;
use axum::http::{HeaderMap, Request, StatusCode};
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use transcode::codec::Coders;
use transcode::data_set::{Limits, frame_spans, scan};
use transcode::{Source, encapsulate, encode_frames_with};

use crate::audit::AuditLog;
use crate::audit::testing::MemoryLog;
use crate::clock::Clock;
use crate::clock::testing::SetClock;
use crate::document::Document;
use crate::{NewToken, Options, Role, Service, Tokens, ViewerState, router};

/// Explicit VR Little Endian.
pub(crate) const EXPLICIT: &str = "1.2.840.10008.1.2.1";
/// Bytes of the document in each file: too many for the metadata.
pub(crate) const DOCUMENT: [u8; 3000] = [0x25; 3000];
/// The study that has pixels.
pub(crate) const STUDY: &str = "1.2.392.1";
/// Its first series.
pub(crate) const SERIES: &str = "1.2.392.1.1";
/// The first instance of that.
pub(crate) const INSTANCE: &str = "1.2.392.1.1.1";
pub(crate) const PATIENT_NAME: &str = "Yamada^Tarou=山田^太郎=やまだ^たろう";
pub(crate) const PATIENT_ID: &str = "PID-00417";

/// An archive, a server over it, and who may ask.
pub(crate) struct House {
    pub(crate) router: Router,
    pub(crate) state: ViewerState,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) clock: SetClock,
    pub(crate) uploader: String,
    pub(crate) reader: String,
    pub(crate) original: String,
    pub(crate) admin: String,
    pub(crate) writer: Writer,
    _dir: tempfile::TempDir,
}

/// An answer, its body read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        if self.status == StatusCode::NO_CONTENT {
            return serde_json::json!([]);
        }
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl House {
    /// With one study of two series of two instances of two frames.
    pub(crate) async fn new() -> House {
        let house = House::empty().await;
        for series in 1..=2 {
            for instance in 1..=2 {
                house.take_in(1, series, instance).await;
            }
        }
        house
    }

    pub(crate) async fn empty() -> House {
        let dir = tempfile::tempdir().unwrap();
        let (writer, reader) = archive::open(dir.path(), Settings::default()).await.unwrap();
        let (log, clock) = (Arc::new(MemoryLog::default()), SetClock::default());
        let tokens = Tokens::open(dir.path().join("tokens.jsonl")).unwrap();
        let issue = |name: &str, role, original| {
            let new = NewToken {
                name: name.into(),
                centre: "a".into(),
                role,
                original,
                reads: false,
                results: false,
                expires_at: None,
            };
            tokens.issue(&new, clock.now()).unwrap()
        };
        let (uploader, reader_token) = (issue("u", Role::Uploader, false), issue("r", Role::Reader, false));
        let (original, admin) = (issue("o", Role::Reader, true), issue("d", Role::Admin, false));
        let audit = Arc::clone(&log) as Arc<dyn AuditLog>;
        let options = Options { decoders_max: 2, ..Options::default() };
        let state = ViewerState::new(reader, audit, tokens, Arc::new(clock.clone()), options);
        let router = router(state.clone());
        House { router, state, log, clock, uploader, reader: reader_token, original, admin, writer, _dir: dir }
    }

    pub(crate) async fn take_in(&self, study: u32, series: u32, instance: u32) {
        let taken = self.writer.take_in(take_in(study, series, instance), Admission::Ordinary).await.unwrap();
        assert_eq!(taken, TakenIn::Stored);
    }

    /// Takes an instance in of which other things are said, in its record and in its DICOM JSON.
    pub(crate) async fn take_in_as(
        &self,
        (study, series, instance): (u32, u32, u32),
        say: impl FnOnce(&mut Description, &mut serde_json::Map<String, serde_json::Value>),
    ) {
        let mut it = take_in(study, series, instance);
        let mut document = serde_json::from_slice(&it.dicom_json).unwrap();
        say(&mut it.description, &mut document);
        it.dicom_json = Bytes::from(serde_json::Value::Object(document).to_string());
        self.take(it).await;
    }

    /// Takes an instance in.
    pub(crate) async fn take(&self, take_in: TakeIn) {
        assert_eq!(self.writer.take_in(take_in, Admission::Ordinary).await.unwrap(), TakenIn::Stored);
    }

    /// Moves a study's instances from intake to a pack: codestreams and recipes.
    pub(crate) async fn pack(&self, study: u32, coders: &Coders) {
        let reader = self.state.reader();
        let uid = format!("1.2.392.{study}");
        let mut pack = self.writer.begin_pack(&uid, "2027-01-15T09:00:00Z").await.unwrap();
        for held in reader.backlog_of(&uid, u64::MAX).await.unwrap() {
            let document = reader.dicom_json(std::slice::from_ref(&held)).await.unwrap().remove(0);
            pack.add(reader, &held, document, packed(&held, coders)).await.unwrap();
        }
        pack.finish().await.unwrap();
    }

    /// What is at a path; where only a POST is answered, to an empty one.
    pub(crate) async fn get(&self, path: &str, token: &str, accept: &str) -> Answer {
        if path == "/search" {
            return self.list(token, "{}").await;
        }
        let request = Request::get(path).header("host", "here:8080").header("accept", accept);
        self.send(request.header("authorization", format!("Bearer {token}")).body(String::new()).unwrap()).await
    }

    /// The list of studies that a search answers.
    pub(crate) async fn list(&self, token: &str, search: &str) -> Answer {
        let request = Request::post("/search").header("content-type", "application/json");
        self.send(request.header("authorization", format!("Bearer {token}")).body(search.to_owned()).unwrap()).await
    }

    /// Asks a service with the method and the least body that it takes.
    pub(crate) async fn ask(&self, service: Service, path: &str, token: &str) -> Answer {
        let body = match service {
            Service::Claim => r#"{"count":1}"#,
            Service::Verdicts => r#"{"verdicts":[]}"#,
            Service::Release | Service::Undo => "",
            _ => return self.get(path, token, "*/*").await,
        };
        self.post(path, token, body).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &str) -> Answer {
        let request = Request::post(path).header("authorization", format!("Bearer {token}"));
        self.send(request.header("content-type", "application/json").body(body.to_owned()).unwrap()).await
    }

    pub(crate) async fn send(&self, request: Request<String>) -> Answer {
        send(&self.router, request).await
    }
}

pub(crate) async fn send(router: &Router, request: Request<String>) -> Answer {
    let request = request.map(axum::body::Body::from);
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap_or_default();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// Rows and columns of a study's frames: from study 100 on enough for several resolution levels.
fn edge(study: u32) -> u16 {
    if study < 100 { 4 } else { 160 }
}

/// The samples of frame `number` (from 1) of an instance.
pub(crate) fn samples(instance: u32, number: u32) -> Vec<u8> {
    samples_of(1, instance, number)
}

/// The samples of frame `number` (from 1) of an instance of a study.
pub(crate) fn samples_of(study: u32, instance: u32, number: u32) -> Vec<u8> {
    let count = u32::from(edge(study)) * u32::from(edge(study));
    (0..count).flat_map(|at| ((at * 37 + instance * 5 + number * 11) as u16 & 0xFFF).to_le_bytes()).collect()
}

/// One file as it is sent.
pub(crate) fn file(study: u32, series: u32, instance: u32) -> Vec<u8> {
    let value = [samples_of(study, instance, 1), samples_of(study, instance, 2)].concat();
    let head = [&[0xE0, 0x7F, 0x10, 0][..], b"OW", &[0, 0], &(value.len() as u32).to_le_bytes()].concat();
    part10((study, series, instance), EXPLICIT, &[head, value].concat())
}

/// The same file with other Pixel Data, in another transfer syntax.
fn part10((study, series, instance): (u32, u32, u32), syntax: &str, pixel_data: &[u8]) -> Vec<u8> {
    let (study_uid, series_uid, uid) = uids(study, series, instance);
    let short = |group: u16, element: u16, vr: &str, value: &[u8]| {
        let mut out = [group.to_le_bytes(), element.to_le_bytes()].concat();
        out.extend_from_slice(vr.as_bytes());
        out.extend_from_slice(&((value.len() + value.len() % 2) as u16).to_le_bytes());
        out.extend_from_slice(value);
        out.resize(out.len() + value.len() % 2, if vr == "UI" { 0 } else { b' ' });
        out
    };
    let long = |group: u16, element: u16, vr: &str, value: &[u8]| {
        let head = [group.to_le_bytes(), element.to_le_bytes()].concat();
        [&head, vr.as_bytes(), &[0, 0], &(value.len() as u32).to_le_bytes(), value].concat()
    };
    let number = |element: u16, value: u16| short(0x0028, element, "US", &value.to_le_bytes());
    let class = b"1.2.840.10008.5.1.4.1.1.7";
    let meta = [short(2, 2, "UI", class), short(2, 3, "UI", uid.as_bytes()), short(2, 0x10, "UI", syntax.as_bytes())];
    let meta = meta.concat();
    let data_set = [
        short(8, 0x16, "UI", class),
        short(8, 0x18, "UI", uid.as_bytes()),
        short(0x20, 0xD, "UI", study_uid.as_bytes()),
        short(0x20, 0xE, "UI", series_uid.as_bytes()),
        number(2, 1),
        short(0x28, 4, "CS", b"MONOCHROME2"),
        short(0x28, 8, "IS", b"2"),
        number(0x10, edge(study)),
        number(0x11, edge(study)),
        number(0x100, 16),
        number(0x101, 12),
        number(0x102, 11),
        number(0x103, 0),
        long(0x42, 0x11, "OB", &DOCUMENT),
        pixel_data.to_vec(),
    ];
    let length = short(2, 0, "UL", &(meta.len() as u32).to_le_bytes());
    [&[0; 128][..], b"DICM", &length, &meta, &data_set.concat()].concat()
}

/// The packed form of an instance: its frames as codestreams, and what rebuilds the file.
fn packed(held: &archive::Held, coders: &Coders) -> Form {
    let said = &held.record.description;
    let series = said.series.series_number.unwrap() as u32;
    let instance = said.instance.instance_number.unwrap() as u32;
    let study = said.study.study_instance_uid.rsplit_once('.').unwrap().1.parse().unwrap();
    let received = file(study, series, instance);
    let pixel_length = 2 * samples_of(study, instance, 1).len() as u64;
    let document = Document::default();
    let source = Source {
        received: &received,
        pixel_offset: received.len() as u64 - pixel_length,
        pixel_length,
        big_endian: false,
        description: document.pixel_description(held),
    };
    let syntax = coders.transfer_syntax_uid;
    let codestreams = encode_frames_with(&source, coders.encode).unwrap();
    let ends: Vec<_> = codestreams.iter().map(|codestream| transcode::codec::resolution_ends(codestream)).collect();
    let encapsulated = encapsulate(syntax, &codestreams).unwrap();
    let dcm = part10((study, series, instance), syntax, &encapsulated.pixel_data);
    let start = (dcm.len() - encapsulated.pixel_data.len()) as u64;
    let spans: Vec<_> = encapsulated.spans.iter().map(|(offset, length)| (start + offset, *length)).collect();
    let recipe = transcode::recipe::make(&source, &dcm, &spans).unwrap();
    let frame = |(&(offset, length), ends)| FrameSpan { offset, length, fragments: 1, resolution_ends: ends };
    Form::Packed {
        recipe: Bytes::from(recipe),
        frames: FrameTable { frames: spans.iter().zip(ends).map(frame).collect() },
        part10: Bytes::from(dcm),
        transfer_syntax_uid: syntax.into(),
    }
}

fn uids(study: u32, series: u32, instance: u32) -> (String, String, String) {
    let study_uid = format!("1.2.392.{study}");
    (study_uid.clone(), format!("{study_uid}.{series}"), format!("{study_uid}.{series}.{instance}"))
}

fn take_in(study: u32, series: u32, instance: u32) -> TakeIn {
    let bytes = file(study, series, instance);
    let mut source = Cursor::new(&bytes);
    let part10 = scan(&mut source, &Limits::default()).unwrap();
    let spans = frame_spans(&part10, &mut source).unwrap();
    let span = |span: transcode::data_set::FrameSpan| FrameSpan {
        offset: span.offset,
        length: span.length,
        fragments: span.fragments,
        resolution_ends: Vec::new(),
    };
    let (study_uid, series_uid, uid) = uids(study, series, instance);
    let document = json!({
        "00080016": { "vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"] },
        "00080018": { "vr": "UI", "Value": [uid] },
        "00100010": { "vr": "PN", "Value": [{ "Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎" }] },
        "00200013": { "vr": "IS", "Value": [instance] },
        "00180060": { "vr": "DS", "Value": [120] },
        "00280102": { "vr": "US", "Value": [11] },
        "00420011": { "vr": "OB", "BulkDataURI": "bulkdata/00420011" },
    });
    let digests = Digests {
        file: Sha256::digest(&bytes).into(),
        data_set: Some(Sha256::digest(&bytes[part10.data_set_offset as usize..]).into()),
    };
    let mut description = description(study_uid, series_uid, uid, series, instance);
    (description.instance.rows, description.instance.columns) = (edge(study), edge(study));
    TakeIn {
        origin: Origin { centre: "a".into(), received_at: "2027-01-15T08:00:00Z".into(), ..Origin::default() },
        description,
        dicom_json: Bytes::from(document.to_string()),
        frames: FrameTable { frames: spans.into_iter().map(span).collect() },
        digests,
        body: Body::Memory(Bytes::from(bytes)),
    }
}

pub(crate) fn description(study: String, series_uid: String, uid: String, series: u32, instance: u32) -> Description {
    Description {
        study: StudyAttributes {
            study_instance_uid: study,
            patient: Patient {
                patient_id: PATIENT_ID.into(),
                issuer_of_patient_id: "a".into(),
                patient_name: PATIENT_NAME.into(),
                patient_birth_date: "19600229".into(),
                patient_sex: "M".into(),
            },
            study_date: "20270115".into(),
            ..StudyAttributes::default()
        },
        series: SeriesAttributes {
            series_instance_uid: series_uid,
            modality: "OT".into(),
            series_number: Some(series as i32),
            ..SeriesAttributes::default()
        },
        instance: InstanceAttributes {
            sop_instance_uid: uid,
            sop_class_uid: "1.2.840.10008.5.1.4.1.1.7".into(),
            transfer_syntax_uid: EXPLICIT.into(),
            instance_number: Some(instance as i32),
            number_of_frames: 2,
            rows: 4,
            columns: 4,
            samples_per_pixel: 1,
            bits_allocated: 16,
            bits_stored: 12,
            photometric_interpretation: "MONOCHROME2".into(),
            ..InstanceAttributes::default()
        },
    }
}

/// Whether a path names what the fixture has none of.
pub(crate) fn names_a_reading(path: &str) -> bool {
    ["{worklist}", "{item}", "{verdict}"].iter().any(|name| path.contains(name))
}

/// An id of nothing.
const NONE: &str = "00000000000000000000000000000000";

/// The path of a route of the table, for the first instance.
pub(crate) fn filled(path: &str) -> String {
    if path == "/wado" {
        return format!("/wado?requestType=WADO&studyUID={STUDY}&seriesUID={SERIES}&objectUID={INSTANCE}");
    }
    let image = format!("{STUDY}:{SERIES}:{INSTANCE}");
    let path = path.replace("{id}", &image).replace("{region}", "full").replace("{size}", "max");
    let path = path.replace("{rotation}", "0").replace("{last}", "default.jpg");
    let path = path.replace("{study}", STUDY).replace("{series}", SERIES).replace("{instance}", INSTANCE);
    let path = path.replace("{worklist}", NONE).replace("{item}", NONE).replace("{verdict}", NONE);
    path.replace("{frames}", "1").replace("{*path}", if path.contains("bulkdata") { "00420011" } else { "main.js" })
}
