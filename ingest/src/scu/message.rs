//! Command sets of requests that we send, and what is read of responses (PS3.7 §6.3, Annex E): Implicit VR Little
//! Endian, group 0000.

use super::StoreRequest;

/// C-STORE-RQ.
pub const C_STORE_RQ: u16 = 0x0001;
/// C-ECHO-RQ.
pub const C_ECHO_RQ: u16 = 0x0030;
/// Command Data Set Type: no Data Set follows.
const NO_DATA_SET: u16 = 0x0101;
/// Any other value of it.
const DATA_SET: u16 = 0x0001;
/// Priority (0000,0700): medium.
const MEDIUM: u16 = 0;
/// A UID holds 64 (PS3.5 §9.1), a comment too.
const TEXT_BYTES_MAX: usize = 64;

/// A value of a command set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Element {
    /// A UID.
    Uid(u16, String),
    /// A number of 16 bits.
    Number(u16, u16),
    /// An AE title.
    Text(u16, String),
}

impl Element {
    fn number(&self) -> u16 {
        match self {
            Element::Uid(element, _) | Element::Number(element, _) | Element::Text(element, _) => *element,
        }
    }

    fn value(&self) -> Vec<u8> {
        let padded = |text: &str, pad: u8| {
            let mut bytes = text.as_bytes().to_vec();
            if !bytes.len().is_multiple_of(2) {
                bytes.push(pad);
            }
            bytes
        };
        match self {
            Element::Uid(_, uid) => padded(uid, 0),
            Element::Number(_, number) => number.to_le_bytes().to_vec(),
            Element::Text(_, text) => padded(text, b' '),
        }
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Command Field (0000,0100).
    pub field: u16,
    /// Message ID (0000,0110).
    pub message_id: u16,
    /// Its other elements, by their number in group 0000, in any order.
    pub elements: Vec<Element>,
}

impl Message {
    /// A C-STORE request (PS3.7 Table 9.3-1).
    pub(super) fn store(message_id: u16, request: &StoreRequest<'_>) -> Message {
        let mut elements = vec![
            Element::Uid(0x0002, request.sop_class_uid.to_owned()),
            Element::Number(0x0700, MEDIUM),
            Element::Uid(0x1000, request.sop_instance_uid.to_owned()),
        ];
        if let Some((ae_title, message_id)) = request.move_originator {
            elements.push(Element::Text(0x1030, ae_title.to_owned()));
            elements.push(Element::Number(0x1031, message_id));
        }
        Message { field: C_STORE_RQ, message_id, elements }
    }

    /// A C-ECHO request (PS3.7 Table 9.3-12).
    pub(super) fn echo(message_id: u16) -> Message {
        let elements = vec![Element::Uid(0x0002, super::VERIFICATION.to_owned())];
        Message { field: C_ECHO_RQ, message_id, elements }
    }

    /// Its bytes, group length first, elements ascending.
    pub fn to_bytes(&self, has_data_set: bool) -> Vec<u8> {
        let data_set = if has_data_set { DATA_SET } else { NO_DATA_SET };
        let mut elements = self.elements.clone();
        elements.push(Element::Number(0x0100, self.field));
        elements.push(Element::Number(0x0110, self.message_id));
        elements.push(Element::Number(0x0800, data_set));
        elements.sort_by_key(Element::number);
        let mut group = Vec::with_capacity(256);
        elements.iter().for_each(|element| put(&mut group, element.number(), &element.value()));
        let mut bytes = Vec::with_capacity(group.len() + 12);
        put(&mut bytes, 0x0000, &(group.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&group);
        bytes
    }
}

fn put(to: &mut Vec<u8>, element: u16, value: &[u8]) {
    to.extend_from_slice(&[0, 0]);
    to.extend_from_slice(&element.to_le_bytes());
    to.extend_from_slice(&(value.len() as u32).to_le_bytes());
    to.extend_from_slice(value);
}

/// What a peer answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Command Field (0000,0100): of the request, with the highest bit set.
    pub field: u16,
    /// Message ID Being Responded To (0000,0120).
    pub message_id: u16,
    /// Status (0000,0900).
    pub status: u16,
    /// Error Comment (0000,0902).
    pub comment: String,
    /// Whether a Data Set follows.
    pub has_data_set: bool,
}

impl Response {
    /// Reads a command set; `None` where an element runs over its end or it has no status.
    pub(super) fn read(bytes: &[u8]) -> Option<Response> {
        let (mut response, mut status, mut rest) = (Response::default(), None, bytes);
        while !rest.is_empty() {
            let (&[g0, g1, e0, e1, l0, l1, l2, l3], after) = rest.split_first_chunk::<8>()?;
            let (value, after) = after.split_at_checked(u32::from_le_bytes([l0, l1, l2, l3]) as usize)?;
            if (g0, g1) != (0, 0) {
                return None;
            }
            let number = value.first_chunk::<2>().map_or(0, |two| u16::from_le_bytes(*two));
            match u16::from_le_bytes([e0, e1]) {
                0x0100 => response.field = number,
                0x0120 => response.message_id = number,
                0x0800 => response.has_data_set = number != NO_DATA_SET,
                0x0900 => status = Some(number),
                0x0902 => response.comment = text(value),
                _ => {}
            }
            rest = after;
        }
        response.status = status?;
        Some(response)
    }
}

/// Printable ASCII of bounded length: a comment is written into logs.
fn text(value: &[u8]) -> String {
    let plain = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '?' };
    let text: String = value.iter().take(TEXT_BYTES_MAX).map(plain).collect();
    text.trim_end_matches([' ', '?']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request is laid out as PS3.7 §6.3.1 says: ascending, even, the group length right.
    #[test]
    fn a_store_request_is_as_ps3_7_says() {
        let request = StoreRequest {
            sop_class_uid: "1.2.840.10008.5.1.4.1.1.7",
            sop_instance_uid: "1.2.3",
            move_originator: Some(("MOVER", 9)),
        };
        let bytes = Message::store(7, &request).to_bytes(true);
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

    /// Any damage to a response gives `None` or a response, never a panic; one without a status is none.
    #[test]
    fn a_response_is_read_or_refused() {
        let mut bytes = Vec::new();
        put(&mut bytes, 0x0100, &0x8001u16.to_le_bytes());
        put(&mut bytes, 0x0120, &7u16.to_le_bytes());
        put(&mut bytes, 0x0800, &NO_DATA_SET.to_le_bytes());
        assert_eq!(Response::read(&bytes), None);
        put(&mut bytes, 0x0900, &0xA700u16.to_le_bytes());
        put(&mut bytes, 0x0902, "full 満".as_bytes());
        let response = Response::read(&bytes).unwrap();
        assert_eq!((response.message_id, response.status, response.comment.as_str()), (7, 0xA700, "full"));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xFF;
            let _ = (Response::read(&bytes[..at]), Response::read(&damaged));
        }
    }
}
