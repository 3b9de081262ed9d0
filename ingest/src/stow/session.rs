//! One store request on its way: parts become files, or metadata and bulk data that become files, and each file goes to
//! the gate the moment it is whole.

use std::sync::Arc;
use std::time::Duration;

use archive::{Body, Origin};
use axum::body::{Body as Payload, BodyDataStream};
use bytes::Bytes;
use futures::StreamExt;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::door::{Gate, Received, Refusal};
use crate::error::{Error, Result};
use crate::receive::{Receiver, Receiving};

use super::Stow;
use super::assembly::{Assembly, NotBuilt, Whole};
use super::media::{self, Kind};
use super::metadata::{self, Bulk, Location, METADATA_BYTES_MAX, PartKind, Segment};
use super::multipart::{Event, Multipart};
use super::response::{Fate, Outcome};

/// Bytes of bulk data that wait in memory for the rest of their instance; more wait on disk.
const WAITING_BYTES_MAX: u64 = 16 << 20;
/// Bytes copied at a time from the spool.
const COPY_BYTES: usize = 1 << 20;

/// The request.
pub struct Session<'a> {
    stow: &'a Stow,
    gate: Arc<dyn Gate>,
    receiver: Receiver,
    template: Origin,
    study: Option<String>,
    slots: Arc<Semaphore>,
    /// Tasks of their own: a sender that goes away after a whole part does not undo it.
    handed: Vec<(String, JoinHandle<Fate>)>,
    parts: usize,
    open: Option<Part>,
    assembly: Assembly,
}

/// The part being received; `Err` once it cannot be.
struct Part {
    file: String,
    role: Role,
    receiving: Result<Receiving>,
}

/// What a part is for.
enum Role {
    File,
    Metadata(Kind),
    Bulk(Location, PartKind),
}

/// What the headers of a part, or of a request that is one, say of it.
#[derive(Default)]
pub struct PartHead<'a> {
    /// Content-Type.
    pub content_type: &'a str,
    /// Content-Location.
    pub location: &'a str,
    /// Content-ID (RFC 2392), which a BulkDataURI may name as `cid:`.
    pub id: &'a str,
    /// Content-Length.
    pub length: Option<u64>,
}

impl<'a> Session<'a> {
    /// One from this sender through this gate, perhaps to a study.
    pub fn new(stow: &'a Stow, gate: Arc<dyn Gate>, template: Origin, study: Option<String>) -> Self {
        let slots = Arc::new(Semaphore::new(stow.limits.parts_parallel_max.max(1)));
        let receiver = stow.door.receiver.of_centre(&template.centre);
        let (handed, assembly) = (Vec::new(), Assembly::default());
        Session { stow, gate, receiver, template, study, slots, handed, parts: 0, open: None, assembly }
    }

    /// Reads a body that is one part.
    ///
    /// # Errors
    /// When it does not come whole.
    pub async fn read_single(&mut self, head: PartHead<'_>, kind: Kind, body: Payload) -> Result<()> {
        self.begin(&head, kind)?;
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = self.next(&mut chunks).await? {
            self.data(chunk).await;
        }
        self.end().await;
        Ok(())
    }

    /// Reads a body of parts.
    ///
    /// # Errors
    /// When it does not come whole, or is no multipart body.
    pub async fn read_parts(&mut self, mut parser: Multipart, kind: Kind, body: Payload) -> Result<()> {
        let (mut chunks, mut events) = (body.into_data_stream(), Vec::new());
        while let Some(chunk) = self.next(&mut chunks).await? {
            let fed = parser.feed(chunk, &mut events);
            for event in events.drain(..) {
                match event {
                    Event::Part(headers) => {
                        let field =
                            |name| headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str());
                        let head = PartHead {
                            content_type: field("content-type"),
                            location: field("content-location"),
                            id: field("content-id"),
                            length: field("content-length").parse().ok(),
                        };
                        self.begin(&head, kind)?;
                    }
                    Event::Data(data) => self.data(data).await,
                    Event::End => self.end().await,
                }
            }
            fed?;
        }
        parser.finish()
    }

    async fn next(&self, chunks: &mut BodyDataStream) -> Result<Option<Bytes>> {
        let idle_s = self.stow.limits.idle_s_max;
        match tokio::time::timeout(Duration::from_secs(idle_s), chunks.next()).await {
            Err(_) => Err(Error::Silent { idle_s }),
            Ok(None) => Ok(None),
            Ok(Some(chunk)) => chunk.map(Some).map_err(cut),
        }
    }

    fn begin(&mut self, head: &PartHead<'_>, kind: Kind) -> Result<()> {
        let parts_max = self.stow.limits.parts_max;
        if self.parts >= parts_max {
            return Err(Error::TooManyParts { parts_max });
        }
        self.parts += 1;
        let role = role(head, kind);
        let waits = matches!(role, Role::Bulk(..)) && self.assembly.memory_bytes() >= WAITING_BYTES_MAX;
        let receiving = if waits { self.receiver.open_on_disk() } else { Ok(self.receiver.open(head.length)) };
        self.open = Some(Part { file: media::file_name(head.location), role, receiving });
        Ok(())
    }

    async fn data(&mut self, data: Bytes) {
        if let Some(Part { receiving, .. }) = &mut self.open
            && let Ok(open) = receiving
            && let Err(error) = open.write(data).await
        {
            *receiving = Err(error);
        }
    }

    async fn end(&mut self) {
        let Some(Part { file, role, receiving }) = self.open.take() else { return };
        let received = match receiving {
            Ok(receiving) => receiving.finish().await,
            Err(error) => Err(error),
        };
        match (received, role) {
            (Err(error), _) => self.settle(file, fate_of(&error)),
            (Ok(received), Role::File) => self.hand_in(file, received).await,
            (Ok(received), Role::Metadata(kind)) => self.metadata(file, received.body, kind).await,
            (Ok(received), Role::Bulk(location, kind)) => {
                let wholes = self.assembly.part(&location, Bulk { kind, body: received.body });
                self.build_all(wholes).await;
            }
        }
    }

    fn settle(&mut self, file: String, fate: Fate) {
        self.handed.push((file, tokio::spawn(std::future::ready(fate))));
    }

    async fn hand_in(&mut self, file: String, mut received: Received) {
        received.expected_study = self.study.clone();
        let origin = Origin { file: file.clone(), received_at: (self.stow.door.now)(), ..self.template.clone() };
        // The semaphore is never closed; without a slot the part would only go in beside the others.
        let slot = self.slots.clone().acquire_owned().await;
        let gate = Arc::clone(&self.gate);
        let task = tokio::spawn(async move {
            let _slot = slot;
            gate.take_in(origin, received).await.map_or_else(Fate::Refused, Fate::Taken)
        });
        self.handed.push((file, task));
    }

    /// Reads metadata; what wants no bulk data is built at once.
    async fn metadata(&mut self, file: String, body: Body, kind: Kind) {
        let instances_max = self.stow.limits.parts_max;
        let read = tokio::task::spawn_blocking(move || read_metadata(&body, kind, instances_max)).await;
        let panicked = |_| Err(Box::new(Fate::Unreadable("the metadata cannot be read".into())));
        let instances = match read.unwrap_or_else(panicked) {
            Ok(instances) => instances,
            Err(fate) => return self.settle(file, *fate),
        };
        if instances.is_empty() {
            self.settle(file, Fate::Unreadable("the metadata are of no instance".into()));
        }
        for instance in instances {
            match instance {
                Err(fault) => {
                    let (code, uids) = (crate::error::CANNOT_UNDERSTAND, Default::default());
                    self.settle(String::new(), Fate::NotBuilt(Box::new(NotBuilt { code, fault, uids })));
                }
                Ok(attributes) => {
                    let whole = self.assembly.instance(attributes);
                    self.build_all(whole).await;
                }
            }
        }
    }

    async fn build_all(&mut self, wholes: impl IntoIterator<Item = Whole>) {
        for whole in wholes {
            let built = tokio::task::spawn_blocking(move || whole.build()).await;
            match built {
                Err(_) => {
                    let refusal = Refusal::Failed("the instance could not be built".into());
                    self.settle(String::new(), Fate::Refused(refusal));
                }
                Ok(Err(not_built)) => self.settle(String::new(), Fate::NotBuilt(not_built)),
                Ok(Ok(segments)) => match self.gather(segments).await {
                    Ok(received) => self.hand_in(String::new(), received).await,
                    Err(error) => self.settle(String::new(), fate_of(&error)),
                },
            }
        }
    }

    /// The built file is received as any other: within the same bounds, its SHA-256 running.
    async fn gather(&self, segments: Vec<Segment>) -> Result<Received> {
        let bytes = segments.iter().map(|segment| match segment {
            Segment::Bytes(bytes) => bytes.len() as u64,
            Segment::Body(body) => body.len(),
        });
        let mut receiving = self.receiver.open(Some(bytes.sum()));
        for segment in segments {
            match segment {
                Segment::Bytes(bytes) | Segment::Body(Body::Memory(bytes)) => receiving.write(bytes).await?,
                Segment::Body(body) => copy(body, &mut receiving).await?,
            }
        }
        receiving.finish().await
    }

    /// What became of each part or instance, once all that came is done with.
    pub async fn outcomes(mut self, whole: bool) -> Vec<Outcome> {
        if whole {
            let rest = std::mem::take(&mut self.assembly).rest();
            self.build_all(rest).await;
        }
        let mut outcomes = Vec::with_capacity(self.handed.len());
        for (file, task) in self.handed {
            let failed = |_| Fate::Refused(Refusal::Failed("the intake failed on this file".into()));
            outcomes.push(Outcome { file, fate: task.await.unwrap_or_else(failed) });
        }
        outcomes
    }
}

fn role(head: &PartHead<'_>, kind: Kind) -> Role {
    let (media_type, parameters) = media::content_type(head.content_type);
    match (kind, Kind::of(&media_type)) {
        (Kind::Files, _) | (_, Some(Kind::Files)) => Role::File,
        (_, Some(kind)) => Role::Metadata(kind),
        // Some senders leave the type of the metadata to the request's.
        (kind, None) if media_type.is_empty() && head.location.is_empty() && head.id.is_empty() => Role::Metadata(kind),
        (_, None) => {
            let parameter = |(key, value): (String, String)| (key == "transfer-syntax").then_some(value);
            let transfer_syntax = parameters.into_iter().find_map(parameter);
            let location = match head.location {
                "" => format!("cid:{}", head.id.trim().trim_matches(['<', '>'])),
                location => location.to_owned(),
            };
            Role::Bulk(Location::of(&location), PartKind { media_type, transfer_syntax })
        }
    }
}

type Instances = Vec<std::result::Result<metadata::Attributes, metadata::Fault>>;

fn read_metadata(body: &Body, kind: Kind, instances_max: usize) -> std::result::Result<Instances, Box<Fate>> {
    let failed = |error: std::io::Error| Box::new(Fate::Refused(Refusal::Failed(error.to_string())));
    let bytes = body.bytes(METADATA_BYTES_MAX).map_err(failed)?;
    let too_large =
        || Box::new(Fate::TooLarge(format!("metadata of more than {METADATA_BYTES_MAX} bytes in one part")));
    let bytes = bytes.ok_or_else(too_large)?;
    match kind {
        Kind::Xml => metadata::read_xml(&bytes).map(|one| vec![one]),
        _ => metadata::read_json(&bytes, instances_max),
    }
    .map_err(|why| Box::new(Fate::Unreadable(why)))
}

fn fate_of(error: &Error) -> Fate {
    match error {
        Error::BodyTooLarge { .. } => Fate::TooLarge(error.to_string()),
        error => Fate::Refused(error.refusal()),
    }
}

async fn copy(body: Body, receiving: &mut Receiving) -> Result<()> {
    let mut reader = body.reader().map_err(Error::Spool)?;
    let mut left = body.len();
    while left > 0 {
        let want = COPY_BYTES.min(usize::try_from(left).unwrap_or(COPY_BYTES));
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; want];
            std::io::Read::read_exact(&mut reader, &mut chunk).map(|()| (reader, chunk))
        });
        let (again, chunk) = read.await.map_err(|_| Error::Stopping)?.map_err(Error::Spool)?;
        reader = again;
        left -= want as u64;
        receiving.write(chunk.into()).await?;
    }
    Ok(())
}

/// What ended the body: a sender that is too slow, or a connection that broke.
fn cut(error: axum::Error) -> Error {
    let mut source: Option<&dyn std::error::Error> = Some(&error);
    while let Some(one) = source {
        if let Some(io) = one.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::TimedOut
        {
            return Error::Slow { detail: io.to_string() };
        }
        source = one.source();
    }
    Error::Cut { detail: error.to_string() }
}
