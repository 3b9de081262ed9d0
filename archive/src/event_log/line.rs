//! One line of an event log: its bytes, its hash, its place in the chain.

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Error, Result, hex, unhex};

/// The longest line that is written or read, its newline included.
pub(super) const LINE_BYTES_MAX: usize = 16 << 20;
/// Deepest nesting of an event; serde_json reads back at most 128 levels, the line around it included.
const EVENT_NESTING_MAX: usize = 100;
/// What every line begins with.
pub(super) const LINE_START: &[u8] = b"{\"seq\":";
const HASH_START: &[u8] = b",\"hash\":\"";
const HASH_END: &[u8] = b"\"}";
/// Bytes of `,"hash":"`, 64 digits and `"}`: the part of a line that its hash leaves out.
const HASH_BYTES: usize = HASH_START.len() + 64 + HASH_END.len();

/// Where a chain stands: the number and hash of its last event. Before the first event both are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub seq: u64,
    pub hash: [u8; 32],
}

/// A line that is whole: it has the five members, and its hash is of its own bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    pub seq: u64,
    pub at: String,
    pub event: Value,
    pub prev: [u8; 32],
    pub hash: [u8; 32],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    seq: u64,
    at: String,
    event: Value,
    prev: String,
    #[serde(rename = "hash")]
    _hash: String,
}

impl Line {
    /// The line that follows `head`, newline included, appended to `out`; answers the new head.
    pub(super) fn encode(head: Head, at: &str, event: &Value, out: &mut Vec<u8>) -> Result<Head> {
        let refused = |why: &str| Error::Refused(format!("event not logged: {why}"));
        if !event.is_object() || !nests_at_most(event, EVENT_NESTING_MAX) {
            return Err(refused("it must be a JSON object of at most 100 levels"));
        }
        let seq = head.seq.checked_add(1).ok_or_else(|| refused("the log is full"))?;
        let start = out.len();
        let at = Value::from(at);
        out.extend_from_slice(
            format!(r#"{{"seq":{seq},"at":{at},"event":{event},"prev":"{}""#, hex(&head.hash)).as_bytes(),
        );
        let hash: [u8; 32] = Sha256::digest(&out[start..]).into();
        out.extend_from_slice(HASH_START);
        out.extend_from_slice(hex(&hash).as_bytes());
        out.extend_from_slice(HASH_END);
        out.push(b'\n');
        if out.len() - start > LINE_BYTES_MAX {
            return Err(refused("its line would be longer than 16 MiB"));
        }
        Ok(Head { seq, hash })
    }

    /// Reads a line, given without its newline; `None` when it is not one, or its hash is not of its bytes.
    pub(super) fn parse(bytes: &[u8]) -> Option<Line> {
        let (hashed, tail) = bytes.split_at_checked(bytes.len().checked_sub(HASH_BYTES)?)?;
        let digits = tail.strip_prefix(HASH_START)?.strip_suffix(HASH_END)?;
        let hash: [u8; 32] = Sha256::digest(hashed).into();
        if digits != hex(&hash).as_bytes() {
            return None;
        }
        let Members { seq, at, event, prev, _hash } = serde_json::from_slice(bytes).ok()?;
        Some(Line { seq, at, event, prev: unhex(&prev)?, hash })
    }

    /// Whether this line is the one that comes after `head`.
    pub(super) fn follows(&self, head: Head) -> bool {
        head.seq.checked_add(1) == Some(self.seq) && self.prev == head.hash
    }

    /// Where the chain stands after this line.
    pub(super) fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }
}

fn nests_at_most(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| nests_at_most(item, levels - 1)),
        Value::Object(members) => levels > 0 && members.values().all(|member| nests_at_most(member, levels - 1)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_the_format_page_says() {
        // Proves the bytes against the documented form, and the hash by the rule an outside verifier uses: SHA-256
        // of the line without its last 75 bytes and newline.
        let mut out = Vec::new();
        let event = serde_json::json!({"act": "grant", "名": "山田"});
        let head = Line::encode(Head::default(), "2026-01-02T03:04:05Z", &event, &mut out).unwrap();
        let text = std::str::from_utf8(&out).unwrap();
        let zeros = "0".repeat(64);
        let hashed =
            format!(r#"{{"seq":1,"at":"2026-01-02T03:04:05Z","event":{{"act":"grant","名":"山田"}},"prev":"{zeros}""#);
        assert_eq!(text, format!("{hashed},\"hash\":\"{}\"}}\n", hex(&Sha256::digest(&hashed))));
        let line = Line::parse(&out[..out.len() - 1]).unwrap();
        assert_eq!((line.head(), line.event.clone()), (head, event));
        assert!(line.follows(Head::default()) && !line.follows(head));
    }

    #[test]
    fn any_changed_byte_or_cut_is_seen() {
        let mut out = Vec::new();
        Line::encode(Head::default(), "2026-01-02T03:04:05Z", &serde_json::json!({"a": 1}), &mut out).unwrap();
        out.pop();
        for at in 0..out.len() {
            assert!(Line::parse(&out[..at]).is_none(), "cut at {at}");
            let mut changed = out.clone();
            changed[at] ^= 1;
            assert!(Line::parse(&changed).is_none(), "changed at {at}");
        }
    }

    #[test]
    fn what_could_not_be_read_back_is_refused() {
        let deep = (0..200).fold(Value::Null, |inner, _| serde_json::json!({ "in": inner }));
        for event in [Value::from(7), deep, serde_json::json!({"long": "x".repeat(LINE_BYTES_MAX)})] {
            assert!(Line::encode(Head::default(), "", &event, &mut Vec::new()).is_err());
        }
        let deep = (0..100).fold(Value::Null, |inner, _| serde_json::json!({ "in": inner }));
        let mut out = Vec::new();
        Line::encode(Head::default(), "", &deep, &mut out).unwrap();
        assert!(Line::parse(&out[..out.len() - 1]).is_some());
    }
}
