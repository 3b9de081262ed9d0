//! DIMSE command sets (PS3.7 §6.3): Implicit VR Little Endian, group 0000 only, a few hundred bytes.

use crate::error::{Error, Result};

/// C-STORE-RQ (PS3.7 Annex E.1).
pub const C_STORE_RQ: u16 = 0x0001;
/// C-ECHO-RQ.
pub const C_ECHO_RQ: u16 = 0x0030;
/// C-CANCEL-RQ: answered by nothing.
pub const C_CANCEL_RQ: u16 = 0x0FFF;
/// Command Data Set Type: no Data Set follows.
const NO_DATA_SET: u16 = 0x0101;
/// An LO holds 64 characters (PS3.5 Table 6.2-1).
const ERROR_COMMENT_CHARS_MAX: usize = 64;
/// A UID holds 64 (PS3.5 §9.1).
const UID_BYTES_MAX: usize = 64;

/// What a peer asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Command Field (0000,0100).
    pub field: u16,
    /// Message ID (0000,0110).
    pub message_id: u16,
    /// Whether a Data Set follows: Command Data Set Type (0000,0800).
    pub has_data_set: bool,
    /// Affected SOP Class UID (0000,0002).
    pub sop_class_uid: String,
    /// Affected SOP Instance UID (0000,1000).
    pub sop_instance_uid: String,
}

impl Command {
    /// Reads a command set. Elements that are not needed are passed over.
    ///
    /// # Errors
    /// [`Error::Association`] when an element runs over the end or lies outside group 0000.
    pub fn read(bytes: &[u8], peer: &str) -> Result<Command> {
        let mut command = Command { has_data_set: true, ..Command::default() };
        let mut rest = bytes;
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
            command.set(u16::from_le_bytes([e0, e1]), value);
            rest = after;
        }
        Ok(command)
    }

    fn set(&mut self, element: u16, value: &[u8]) {
        let number = || value.first_chunk::<2>().map_or(0, |two| u16::from_le_bytes(*two));
        match element {
            0x0002 => self.sop_class_uid = uid(value),
            0x0100 => self.field = number(),
            0x0110 => self.message_id = number(),
            0x0800 => self.has_data_set = number() != NO_DATA_SET,
            0x1000 => self.sop_instance_uid = uid(value),
            _ => (),
        }
    }

    /// The response to this command: the same UIDs and message, `status`, and a sentence if something failed.
    pub fn response(&self, status: u16, comment: &str) -> Vec<u8> {
        let mut elements = Vec::with_capacity(256);
        text(&mut elements, 0x0002, &self.sop_class_uid, 0);
        number(&mut elements, 0x0100, self.field | 0x8000);
        number(&mut elements, 0x0120, self.message_id);
        number(&mut elements, 0x0800, NO_DATA_SET);
        number(&mut elements, 0x0900, status);
        text(&mut elements, 0x0902, &error_comment(comment), b' ');
        text(&mut elements, 0x1000, &self.sop_instance_uid, 0);
        let mut bytes = Vec::with_capacity(elements.len() + 12);
        element(&mut bytes, 0x0000, &(elements.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&elements);
        bytes
    }
}

/// A UID as text, its padding removed and its length bounded; what is not ASCII becomes `?`.
pub fn uid(value: &[u8]) -> String {
    let value = value.get(..UID_BYTES_MAX).unwrap_or(value);
    let text: String = value.iter().map(|&byte| if byte.is_ascii() { char::from(byte) } else { '?' }).collect();
    text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
}

/// The default character repertoire only, no backslash, and no more than an LO holds.
fn error_comment(text: &str) -> String {
    let plain = |c: char| if matches!(c, ' '..='~') && c != '\\' { c } else { '?' };
    text.chars().map(plain).take(ERROR_COMMENT_CHARS_MAX).collect()
}

fn element(to: &mut Vec<u8>, element: u16, value: &[u8]) {
    to.extend_from_slice(&[0, 0]);
    to.extend_from_slice(&element.to_le_bytes());
    to.extend_from_slice(&(value.len() as u32).to_le_bytes());
    to.extend_from_slice(value);
}

fn number(to: &mut Vec<u8>, name: u16, value: u16) {
    element(to, name, &value.to_le_bytes());
}

/// Text padded to even length; left out when empty.
fn text(to: &mut Vec<u8>, name: u16, value: &str, pad: u8) {
    if value.is_empty() {
        return;
    }
    let mut bytes = value.as_bytes().to_vec();
    if !bytes.len().is_multiple_of(2) {
        bytes.push(pad);
    }
    element(to, name, &bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Vec<u8> {
        let mut bytes = Vec::new();
        text(&mut bytes, 0x0002, "1.2.840.10008.5.1.4.1.1.7", 0);
        number(&mut bytes, 0x0100, C_STORE_RQ);
        number(&mut bytes, 0x0110, 7);
        number(&mut bytes, 0x0800, 0);
        text(&mut bytes, 0x1000, "1.2.3", 0);
        bytes
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
        let response = command.response(0xA700, "受信 full\\");
        assert_eq!(u32::from_le_bytes(*response[8..].first_chunk().unwrap()) as usize, response.len() - 12);
        let read = Command::read(&response, "x").unwrap();
        assert_eq!((read.field, read.has_data_set, read.sop_instance_uid), (0x8001, false, "1.2.3".into()));
        assert!(response.windows(8).any(|window| window == b"?? full?"), "the comment is plain ASCII");
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
