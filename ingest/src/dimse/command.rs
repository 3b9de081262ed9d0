//! DIMSE command sets (PS3.7 §6.3): Implicit VR Little Endian, group 0000 only, a few hundred bytes.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// C-STORE-RQ (PS3.7 Annex E.1).
pub const C_STORE_RQ: u16 = 0x0001;
/// C-GET-RQ.
pub const C_GET_RQ: u16 = 0x0010;
/// C-FIND-RQ.
pub const C_FIND_RQ: u16 = 0x0020;
/// C-MOVE-RQ.
pub const C_MOVE_RQ: u16 = 0x0021;
/// C-ECHO-RQ.
pub const C_ECHO_RQ: u16 = 0x0030;
/// N-EVENT-REPORT-RQ.
pub const N_EVENT_REPORT_RQ: u16 = 0x0100;
/// N-ACTION-RQ.
pub const N_ACTION_RQ: u16 = 0x0130;
/// C-CANCEL-RQ: answered by nothing of its own.
pub const C_CANCEL_RQ: u16 = 0x0FFF;
/// What a response's Command Field has beside that of its request.
pub const RESPONSE: u16 = 0x8000;
/// Status, of a response.
const STATUS: u16 = 0x0900;
/// Command Data Set Type: no Data Set follows.
const NO_DATA_SET: u16 = 0x0101;
/// Any other Command Data Set Type says that one does.
const DATA_SET: u16 = 0x0001;
/// An LO holds 64 characters (PS3.5 Table 6.2-1).
const ERROR_COMMENT_CHARS_MAX: usize = 64;
/// A UID holds 64 (PS3.5 §9.1).
const UID_BYTES_MAX: usize = 64;

/// What a peer asks or answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Command Field (0000,0100).
    pub field: u16,
    /// Message ID (0000,0110).
    pub message_id: u16,
    /// Message ID Being Responded To (0000,0120), of a response and of C-CANCEL-RQ.
    pub responded_to: u16,
    /// Whether a Data Set follows: Command Data Set Type (0000,0800).
    pub has_data_set: bool,
    /// Affected or Requested SOP Class UID (0000,0002), (0000,0003).
    pub sop_class_uid: String,
    /// Affected or Requested SOP Instance UID (0000,1000), (0000,1001).
    pub sop_instance_uid: String,
    /// Priority (0000,0700).
    pub priority: u16,
    /// Status (0000,0900).
    pub status: u16,
    /// Error Comment (0000,0902): printable ASCII of bounded length, for logs.
    pub comment: String,
    /// Move Destination (0000,0600).
    pub move_destination: String,
    /// Action Type ID (0000,1008).
    pub action_type: u16,
}

impl Command {
    /// Reads a command set. Elements that are not needed are passed over.
    ///
    /// # Errors
    /// [`Error::Association`] when an element runs over the end or lies outside group 0000, or a response has no status.
    pub fn read(bytes: &[u8], peer: &str) -> Result<Command> {
        let mut command = Command { has_data_set: true, ..Command::default() };
        let (mut rest, mut has_status) = (bytes, false);
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let damaged = || Error::Association {
                peer: peer.to_owned(),
                detail: format!("the command set is damaged at byte {at}"),
            };
            let (&[g0, g1, e0, e1, l0, l1, l2, l3], after) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
            let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
            let (value, after) = after.split_at_checked(length).ok_or_else(damaged)?;
            if (g0, g1) != (0, 0) {
                return Err(damaged());
            }
            let element = u16::from_le_bytes([e0, e1]);
            has_status |= element == STATUS && value.len() == 2;
            command.set(element, value);
            rest = after;
        }
        // Without one it would be taken for success.
        match has_status || command.field & RESPONSE == 0 {
            true => Ok(command),
            false => Err(Error::Association { peer: peer.to_owned(), detail: "a response has no status".into() }),
        }
    }

    fn set(&mut self, element: u16, value: &[u8]) {
        let number = || value.first_chunk::<2>().map_or(0, |two| u16::from_le_bytes(*two));
        match element {
            0x0002 | 0x0003 => self.sop_class_uid = uid(value),
            0x0100 => self.field = number(),
            0x0110 => self.message_id = number(),
            0x0120 => self.responded_to = number(),
            0x0600 => self.move_destination = super::ae_title(&String::from_utf8_lossy(value)),
            0x0700 => self.priority = number(),
            0x0800 => self.has_data_set = number() != NO_DATA_SET,
            STATUS => self.status = number(),
            0x0902 => self.comment = comment_read(value),
            0x1000 | 0x1001 => self.sop_instance_uid = uid(value),
            0x1008 => self.action_type = number(),
            _ => (),
        }
    }

    /// It answers this message, and brings no Data Set.
    pub(super) fn is_bare_answer_to(&self, message_id: u16) -> bool {
        self.responded_to == message_id && !self.has_data_set
    }

    /// The response to this command: the same UIDs and message, `status`, and a sentence if something failed.
    pub fn response(&self, status: u16, comment: &str) -> CommandSet {
        CommandSet::new(self.field | RESPONSE)
            .text(0x0002, &self.sop_class_uid)
            .number(0x0120, self.message_id)
            .number(STATUS, status)
            .comment(comment)
            .text(0x1000, &self.sop_instance_uid)
    }
}

/// A command set to be sent: its elements by number, sorted.
#[derive(Clone, Debug)]
pub struct CommandSet {
    elements: BTreeMap<u16, Vec<u8>>,
}

impl CommandSet {
    /// One of this Command Field, without a Data Set.
    pub fn new(field: u16) -> CommandSet {
        CommandSet { elements: BTreeMap::new() }.number(0x0100, field).number(0x0800, NO_DATA_SET)
    }

    /// A Data Set follows.
    pub fn with_data_set(self) -> CommandSet {
        self.number(0x0800, DATA_SET)
    }

    /// Adds a number.
    pub fn number(mut self, element: u16, value: u16) -> CommandSet {
        self.elements.insert(element, value.to_le_bytes().to_vec());
        self
    }

    /// Command Field (0000,0100).
    pub fn field(&self) -> u16 {
        self.number_of(0x0100)
    }

    /// Message ID (0000,0110).
    pub fn message_id(&self) -> u16 {
        self.number_of(0x0110)
    }

    fn number_of(&self, element: u16) -> u16 {
        self.elements.get(&element).and_then(|value| value.first_chunk()).map_or(0, |two| u16::from_le_bytes(*two))
    }

    /// Adds a UID or an AE title, padded to even length; left out when empty.
    pub fn text(mut self, element: u16, value: &str) -> CommandSet {
        // AE titles: Move Destination, Move Originator.
        let pad = if matches!(element, 0x0600 | 0x0902 | 0x1030) { b' ' } else { 0 };
        if !value.is_empty() {
            let mut bytes = value.as_bytes().to_vec();
            if !bytes.len().is_multiple_of(2) {
                bytes.push(pad);
            }
            self.elements.insert(element, bytes);
        }
        self
    }

    /// Adds the Error Comment (0000,0902), for people.
    pub fn comment(self, comment: &str) -> CommandSet {
        self.text(0x0902, &error_comment(comment))
    }

    /// Adds Offending Element (0000,0901), one tag.
    pub fn offending(mut self, tag: u32) -> CommandSet {
        let mut bytes = ((tag >> 16) as u16).to_le_bytes().to_vec();
        bytes.extend_from_slice(&(tag as u16).to_le_bytes());
        self.elements.insert(0x0901, bytes);
        self
    }

    /// The bytes, Command Group Length first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let length: usize = self.elements.values().map(|value| 8 + value.len()).sum();
        let mut bytes = Vec::with_capacity(length + 12);
        put(&mut bytes, 0x0000, &(length as u32).to_le_bytes());
        self.elements.iter().for_each(|(element, value)| put(&mut bytes, *element, value));
        bytes
    }
}

/// A UID as text, its padding removed and its length bounded; what is not ASCII becomes `?`.
pub fn uid(value: &[u8]) -> String {
    let value = value.get(..UID_BYTES_MAX).unwrap_or(value);
    let text: String = value.iter().map(|&byte| if byte.is_ascii() { char::from(byte) } else { '?' }).collect();
    text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
}

/// A comment as it came, without padding and what is not ASCII at its end.
fn comment_read(value: &[u8]) -> String {
    error_comment(&String::from_utf8_lossy(value)).trim_end_matches([' ', '?']).to_owned()
}

/// The default character repertoire only, no backslash, and no more than an LO holds.
fn error_comment(text: &str) -> String {
    let plain = |c: char| if matches!(c, ' '..='~') && c != '\\' { c } else { '?' };
    text.chars().map(plain).take(ERROR_COMMENT_CHARS_MAX).collect()
}

fn put(to: &mut Vec<u8>, element: u16, value: &[u8]) {
    to.extend_from_slice(&[0, 0]);
    to.extend_from_slice(&element.to_le_bytes());
    to.extend_from_slice(&(value.len() as u32).to_le_bytes());
    to.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::super::scu::{Originator, StoreRequest};
    use super::*;

    fn request() -> Vec<u8> {
        let set = CommandSet::new(C_STORE_RQ).with_data_set().number(0x0110, 7);
        set.text(0x0002, "1.2.840.10008.5.1.4.1.1.7").text(0x1000, "1.2.3").to_bytes()
    }

    /// A command is read, and its response names the same instance and message.
    #[test]
    fn a_command_is_read_and_answered() {
        let command = Command::read(&request(), "x").unwrap();
        assert_eq!((command.field, command.message_id, command.has_data_set), (C_STORE_RQ, 7, true));
        assert_eq!(
            (command.sop_class_uid.as_str(), command.sop_instance_uid.as_str()),
            ("1.2.840.10008.5.1.4.1.1.7", "1.2.3")
        );
        let response = command.response(0xA700, "受信 full\\").offending(0x0008_0052).to_bytes();
        assert_eq!(u32::from_le_bytes(*response[8..].first_chunk().unwrap()) as usize, response.len() - 12);
        let read = Command::read(&response, "x").unwrap();
        assert_eq!((read.field, read.has_data_set, read.sop_instance_uid), (0x8001, false, "1.2.3".into()));
        assert_eq!((read.responded_to, read.status), (7, 0xA700));
        assert!(response.windows(8).any(|window| window == b"?? full?"), "the comment is plain ASCII");
        assert!(response.windows(12).any(|window| window == b"\0\0\x01\x09\x04\0\0\0\x08\0\x52\0"));
    }

    /// A request is laid out as PS3.7 §6.3.1 says: ascending, even, the group length right.
    #[test]
    fn a_store_request_is_as_ps3_7_says() {
        let by = Originator { ae_title: "MOVER".into(), message_id: 9 };
        let request = StoreRequest {
            sop_class_uid: "1.2.840.10008.5.1.4.1.1.7",
            sop_instance_uid: "1.2.3",
            move_originator: Some(&by),
            ..StoreRequest::default()
        };
        let bytes = request.command(7).to_bytes();
        assert_eq!(u32::from_le_bytes(*bytes[8..].first_chunk().unwrap()) as usize, bytes.len() - 12);
        let (mut rest, mut found) = (&bytes[..], Vec::new());
        while let Some((head, after)) = rest.split_first_chunk::<8>() {
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            assert_eq!(length % 2, 0);
            found.push(u16::from_le_bytes([head[2], head[3]]));
            rest = &after[length..];
        }
        assert_eq!(found, [0x0000, 0x0002, 0x0100, 0x0110, 0x0700, 0x0800, 0x1000, 0x1030, 0x1031]);
    }

    /// Any damage to a response gives an error or a response, never a panic; one without a status is none.
    #[test]
    fn a_response_is_read_or_refused() {
        let set = CommandSet { elements: BTreeMap::new() }.number(0x0100, 0x8001).number(0x0120, 7);
        let set = set.number(0x0800, NO_DATA_SET);
        assert!(Command::read(&set.to_bytes(), "x").is_err());
        let mut set = set.number(STATUS, 0xA700);
        set.elements.insert(0x0902, "full 満".as_bytes().to_vec());
        let bytes = set.to_bytes();
        let response = Command::read(&bytes, "x").unwrap();
        assert_eq!((response.responded_to, response.status, response.comment.as_str()), (7, 0xA700, "full"));
        assert!(response.is_bare_answer_to(7) && !response.is_bare_answer_to(8));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xFF;
            let _ = (Command::read(&bytes[..at], "x"), Command::read(&damaged, "x"));
        }
    }

    /// Any prefix and any damage gives an answer or an error, never a panic; other groups are refused.
    #[test]
    fn damage_is_survived() {
        let bytes = request();
        for cut in 0..bytes.len() {
            let _ = Command::read(&bytes[..cut], "x");
            let mut damaged = bytes.clone();
            damaged[cut] ^= 0xFF;
            let _ = Command::read(&damaged, "x");
        }
        assert!(Command::read(&[8, 0, 0x18, 0, 0, 0, 0, 0], "x").is_err());
        assert!(Command::read(&[0, 0, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF], "x").is_err());
    }
}
