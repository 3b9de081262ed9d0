//! The local patient's ID in place of the sender's, and the change recorded in the object.
//!
//! The SOP Instance UID stays: it is the same image with a corrected attribute of its patient, as when a PACS coerces
//! what it receives (PS3.4 §B.2.2.2, IHE RAD TF-2 Patient Information Reconciliation). A new UID would break the links from
//! reports and presentation states, and deliver every study twice.

use std::collections::HashMap;
use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use archive::{Body, ReadSeek};
use transcode::data_set::rewrite::{Changes, Header, explicit_vr_le};
use transcode::data_set::{
    self, DataSet, EXPLICIT_VR_LITTLE_ENDIAN, Element, Encoding, Item, Limits, Part10, Tag, VR, Value,
};

const PATIENT_ID: Tag = Tag(0x0010, 0x0020);
const ISSUER_OF_PATIENT_ID: Tag = Tag(0x0010, 0x0021);
const TYPE_OF_PATIENT_ID: Tag = Tag(0x0010, 0x0022);
const OTHER_PATIENT_IDS_SEQUENCE: Tag = Tag(0x0010, 0x1002);
const MODIFIED_ATTRIBUTES_SEQUENCE: Tag = Tag(0x0400, 0x0550);
const ORIGINAL_ATTRIBUTES_SEQUENCE: Tag = Tag(0x0400, 0x0561);
const ATTRIBUTE_MODIFICATION_DATE_TIME: Tag = Tag(0x0400, 0x0562);
const MODIFYING_SYSTEM: Tag = Tag(0x0400, 0x0563);
const SOURCE_OF_PREVIOUS_VALUES: Tag = Tag(0x0400, 0x0564);
const REASON_FOR_THE_ATTRIBUTE_MODIFICATION: Tag = Tag(0x0400, 0x0565);
const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);
const EXTENDED_OFFSET_TABLES: [Tag; 2] = [Tag(0x7FE0, 0x0001), Tag(0x7FE0, 0x0002)];
/// An LO holds 64 characters (PS3.5 Table 6.2-1).
const LO_CHARS_MAX: usize = 64;
/// A changed file of more goes to the spool folder.
const MEMORY_BYTES_MAX: u64 = 32 << 20;
/// Lines of a file of local IDs.
const LINES_MAX: usize = 5_000_000;

/// A patient's ID as the hospital has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalId {
    /// Issuer of Patient ID (0010,0021).
    pub issuer: String,
    /// Patient ID (0010,0020).
    pub patient_id: String,
}

type Table = HashMap<(String, String), LocalId>;

/// The file of local IDs, read again when it has changed.
pub struct LocalIds {
    path: PathBuf,
    read: Mutex<Option<(SystemTime, u64, Arc<Table>)>>,
}

impl LocalIds {
    /// The file at `path`: CSV in UTF-8, `issuer,patient_id,local_issuer,local_patient_id` a line, that as its first line.
    pub fn new(path: &Path) -> LocalIds {
        LocalIds { path: path.to_owned(), read: Mutex::default() }
    }

    /// The local ID of a patient of an issuer; `None` where the file has no line of it.
    ///
    /// # Errors
    /// A sentence, without anything of a patient, where the file cannot be read or a line of it is wrong.
    pub fn find(&self, issuer: &str, patient_id: &str) -> Result<Option<LocalId>, String> {
        let table = self.table()?;
        Ok(table.get(&(issuer.to_owned(), patient_id.to_owned())).cloned())
    }

    fn table(&self) -> Result<Arc<Table>, String> {
        let wrong = |what: &dyn std::fmt::Display| format!("the file of local patient IDs: {what}");
        let about = std::fs::metadata(&self.path).map_err(|error| wrong(&error))?;
        let stamp = (about.modified().map_err(|error| wrong(&error))?, about.len());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, bytes, table)) = &*read
            && (*at, *bytes) == stamp
        {
            return Ok(Arc::clone(table));
        }
        let text = std::fs::read_to_string(&self.path).map_err(|error| wrong(&error))?;
        let table = Arc::new(parse(&text).map_err(|error| wrong(&error))?);
        *read = Some((stamp.0, stamp.1, Arc::clone(&table)));
        Ok(table)
    }
}

fn parse(text: &str) -> Result<Table, String> {
    let mut table = Table::new();
    for (at, line) in text.trim_start_matches('\u{FEFF}').lines().enumerate() {
        let line = line.trim_end_matches('\r');
        let heading = at == 0 && line.starts_with("issuer,");
        if line.is_empty() || heading {
            continue;
        }
        let fields = fields(line).ok_or_else(|| format!("line {}: a quote is not closed", at + 1))?;
        let [issuer, patient_id, local_issuer, local_patient_id] = &fields[..] else {
            return Err(format!("line {}: four fields are wanted, {} are there", at + 1, fields.len()));
        };
        let plain =
            |text: &String| text.chars().all(|c| matches!(c, ' '..='~') && c != '\\') && text.len() <= LO_CHARS_MAX;
        if local_patient_id.is_empty() || !plain(local_patient_id) || !plain(local_issuer) {
            return Err(format!("line {}: a local ID is 1 to 64 characters of ASCII without a backslash", at + 1));
        }
        let local = LocalId { issuer: local_issuer.clone(), patient_id: local_patient_id.clone() };
        if let Some(other) = table.insert((issuer.clone(), patient_id.clone()), local.clone())
            && other != local
        {
            return Err(format!("line {}: its patient has another local ID on an earlier line", at + 1));
        }
        if table.len() > LINES_MAX {
            return Err(format!("it has more than {LINES_MAX} lines"));
        }
    }
    Ok(table)
}

/// The fields of a line of CSV (RFC 4180), trimmed; `None` where a quote is not closed.
fn fields(line: &str) -> Option<Vec<String>> {
    let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(std::mem::take(&mut field)),
            c => field.push(c),
        }
    }
    fields.push(field);
    (!quoted).then(|| fields.iter().map(|field| field.trim().to_owned()).collect())
}

/// What is said of a change in the object.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// When, RFC 3339 in UTC: of the order to deliver, so that a second attempt gives the same bytes.
    pub at: String,
    /// Who changes it: Modifying System (0400,0563).
    pub system: String,
    /// The centre the object came from: the issuer of its Patient ID where it names none.
    pub centre: String,
}

/// What became of an object.
#[derive(Clone, Debug)]
pub enum Reconciled {
    /// It has its local ID now.
    Changed(Body),
    /// There is no local ID for its patient.
    Unmatched,
}

/// Gives an object its patient's local ID.
///
/// # Errors
/// A sentence, without anything of the patient.
pub fn reconcile(file: &Body, ids: &LocalIds, occasion: &Occasion, spool: &Path) -> Result<Reconciled, String> {
    let limits = Limits::default();
    let mut reader = file.reader().map_err(|error| error.to_string())?;
    let mut part10 = data_set::scan(&mut reader, &limits).map_err(|error| error.to_string())?;
    let text = |tag| part10.data_set.ascii(tag).unwrap_or_default().to_owned();
    let (patient_id, issuer) = (text(PATIENT_ID), text(ISSUER_OF_PATIENT_ID));
    let known_issuer = if issuer.is_empty() { &occasion.centre } else { &issuer };
    let Some(local) = ids.find(known_issuer, &patient_id)? else { return Ok(Reconciled::Unmatched) };
    if part10.deflated {
        let inflated = data_set::inflate(&part10, &mut reader, &limits).map_err(|error| error.to_string())?;
        reader = Box::new(Cursor::new(inflated));
    }
    let record = Item::of(&[
        (SOURCE_OF_PREVIOUS_VALUES, VR::LO, &lo(&occasion.centre)),
        (ATTRIBUTE_MODIFICATION_DATE_TIME, VR::DT, &date_time(&occasion.at)),
        (MODIFYING_SYSTEM, VR::LO, &lo(&occasion.system)),
        (REASON_FOR_THE_ATTRIBUTE_MODIFICATION, VR::CS, "COERCE"),
    ]);
    change(&mut part10.data_set, &local, known_issuer, record);
    write(&part10, &mut reader, file.len(), spool).map(Reconciled::Changed)
}

/// Sets the ID, keeps the former one among the others, and records what was changed (PS3.3 C.12.1.1.9).
fn change(data_set: &mut DataSet, local: &LocalId, former_issuer: &str, mut record: Item) {
    let former = |tag: Tag| data_set.bytes(tag).map(<[u8]>::to_vec).unwrap_or_default();
    let (former_id, former_issuer_value) = (former(PATIENT_ID), former(ISSUER_OF_PATIENT_ID));
    let mut modified = Item::default();
    // An attribute that was not there is recorded empty (PS3.3 Table C.12.1.1.9-1).
    modified.data_set.set(PATIENT_ID, VR::LO, former_id.clone());
    modified.data_set.set(ISSUER_OF_PATIENT_ID, VR::LO, former_issuer_value);
    record.data_set.set_items(MODIFIED_ATTRIBUTES_SEQUENCE, vec![modified]);
    let mut records = data_set.items(ORIGINAL_ATTRIBUTES_SEQUENCE).to_vec();
    records.push(record);
    data_set.set_items(ORIGINAL_ATTRIBUTES_SEQUENCE, records);

    let mut other = Item::of(&[(ISSUER_OF_PATIENT_ID, VR::LO, former_issuer), (TYPE_OF_PATIENT_ID, VR::CS, "TEXT")]);
    other.data_set.set(PATIENT_ID, VR::LO, former_id);
    let mut others = data_set.items(OTHER_PATIENT_IDS_SEQUENCE).to_vec();
    others.push(other);
    data_set.set_items(OTHER_PATIENT_IDS_SEQUENCE, others);

    data_set.set(PATIENT_ID, VR::LO, local.patient_id.as_bytes());
    data_set.remove(&[ISSUER_OF_PATIENT_ID]);
    if !local.issuer.is_empty() {
        data_set.set(ISSUER_OF_PATIENT_ID, VR::LO, local.issuer.as_bytes());
    }
}

/// The file anew: its header in Explicit VR Little Endian, its pixels as they are.
fn write(part10: &Part10, source: &mut Box<dyn ReadSeek>, bytes: u64, spool: &Path) -> Result<Body, String> {
    let pixels = part10.data_set.get(PIXEL_DATA);
    let encapsulated = pixels.is_some_and(|pixels| matches!(pixels.value, Value::Fragments(_)));
    if encapsulated && part10.encoding != Encoding::ExplicitLittle {
        return Err("its pixels are encapsulated in a Data Set that is not Explicit VR Little Endian".into());
    }
    let syntax = if encapsulated { part10.transfer_syntax_uid.as_str() } else { EXPLICIT_VR_LITTLE_ENDIAN };
    let limits = Limits::default();
    let mut changes = Changes {
        transfer_syntax_uid: syntax.to_owned(),
        elements: Default::default(),
        header_bytes_max: limits.header_bytes_max,
    };
    for tag in EXTENDED_OFFSET_TABLES {
        if let Some(element) = part10.data_set.get(tag).filter(|_| encapsulated) {
            changes.elements.insert(tag, (VR::OV, value(element, source, limits.header_bytes_max)?));
        }
    }
    let header = explicit_vr_le(part10, source, &changes).map_err(|error| error.to_string())?;
    if bytes <= MEMORY_BYTES_MAX {
        let mut out = Vec::with_capacity(bytes as usize + 4096);
        put(&header, pixels, source, &mut out).map_err(|error| error.to_string())?;
        return Ok(out.into());
    }
    let mut out = tempfile::NamedTempFile::new_in(spool).map_err(|error| error.to_string())?;
    put(&header, pixels, source, &mut out).map_err(|error| error.to_string())?;
    Body::spooled(out).map_err(|error| error.to_string())
}

fn value(element: &Element, source: &mut Box<dyn ReadSeek>, bytes_max: u64) -> Result<Vec<u8>, String> {
    if let Some(bytes) = element.bytes() {
        return Ok(bytes.to_vec());
    }
    let mut bytes = Vec::new();
    source.seek(SeekFrom::Start(element.value_offset)).map_err(|error| error.to_string())?;
    let length = element.value_length.min(bytes_max);
    source.take(length).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn put(
    header: &Header,
    pixels: Option<&Element>,
    source: &mut Box<dyn ReadSeek>,
    out: &mut impl Write,
) -> std::io::Result<()> {
    out.write_all(&header.before)?;
    if let Some(pixels) = pixels {
        put_pixels(pixels, source, out)?;
    }
    out.write_all(&header.after)
}

/// Pixel Data: encapsulated, its items as they are; native, its value with the head that this encoding wants.
fn put_pixels(pixels: &Element, source: &mut Box<dyn ReadSeek>, out: &mut impl Write) -> std::io::Result<()> {
    let (vr, length) = match &pixels.value {
        Value::Fragments(_) => (VR::OB, u32::MAX),
        _ => {
            let vr = if pixels.vr == VR::OB { VR::OB } else { VR::OW };
            let length = u32::try_from(pixels.value_length);
            (vr, length.map_err(|_| std::io::Error::other("its Pixel Data is longer than 4 GiB"))?)
        }
    };
    out.write_all(&[0xE0, 0x7F, 0x10, 0x00])?;
    out.write_all(&vr.to_bytes())?;
    out.write_all(&[0, 0])?;
    out.write_all(&length.to_le_bytes())?;
    source.seek(SeekFrom::Start(pixels.value_offset))?;
    let (mut left, mut block) = (pixels.value_length, vec![0; 1 << 20]);
    while left > 0 {
        let length = left.min(block.len() as u64) as usize;
        let part = block.get_mut(..length).unwrap_or_default();
        source.read_exact(part)?;
        if pixels.big_endian {
            data_set::swap(part, vr);
        }
        out.write_all(part)?;
        left -= length as u64;
    }
    Ok(())
}

/// As an LO holds it: printable ASCII without a backslash, 64 at the most.
fn lo(text: &str) -> String {
    let plain = |c: char| if matches!(c, ' '..='~') && c != '\\' { c } else { '?' };
    text.chars().map(plain).take(LO_CHARS_MAX).collect()
}

/// `2026-11-23T07:15:07.123Z` as a DT (PS3.5 §6.2).
fn date_time(at: &str) -> String {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let (whole, fraction) = at.trim_end_matches('Z').split_once('.').unwrap_or((at, ""));
    let fraction = digits(fraction);
    let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
    format!("{}{fraction}+0000", digits(whole))
}
