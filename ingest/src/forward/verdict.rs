//! What a peer's status of one instance means for the sender (PS3.4 Table B.2-1, PS3.7 Annex C; STOW-RS uses the same
//! codes, PS3.18 §10.5.3.1).

/// What became of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The peer has it, now or since before.
    Stored,
    /// The peer does not take it, and sending it again will not change that.
    Refused {
        /// Its status; 0 where the instance did not get as far.
        code: u16,
        /// Why.
        reason: String,
    },
    /// Not now.
    Later(String),
}

/// Why nothing more can be sent for now, whatever the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What happened.
    pub why: String,
    /// Only this study is concerned: the destination is there.
    pub of_study: bool,
    /// Given up after so many times the attempts that the destination's rule allows; never if `None`.
    pub patience: Option<u32>,
    /// Not before so many seconds, if the peer said.
    pub retry_after_s: Option<u64>,
}

/// A connection that breaks off may be the network's fault as well as this instance's: far more attempts than for an
/// answer, and yet an end, lest one instance brings a peer down for ever.
const BROKEN_PATIENCE: u32 = 10;

impl Trouble {
    /// The destination is not there, or does not let us in: it is waited for.
    pub fn down(why: impl ToString) -> Trouble {
        Trouble { why: why.to_string(), of_study: false, patience: None, retry_after_s: None }
    }

    /// The destination is there, and the connection broke over this study.
    pub fn broken(why: impl ToString) -> Trouble {
        Trouble { of_study: true, patience: Some(BROKEN_PATIENCE), ..Trouble::down(why) }
    }

    /// The destination puts an instance of this study off.
    pub fn put_off(why: impl ToString) -> Trouble {
        Trouble { of_study: true, patience: Some(1), ..Trouble::down(why) }
    }

    /// The study cannot be had from where it comes: it is waited for.
    pub fn source(why: impl ToString) -> Trouble {
        Trouble { of_study: true, ..Trouble::down(why) }
    }
}

/// Reads a status.
pub fn verdict(status: u16, comment: &str) -> Verdict {
    let said = || match comment.trim() {
        "" => format!("status {status:04X}"),
        comment => format!("status {status:04X}: {comment}"),
    };
    match status {
        // Success; warnings of coercion, elements discarded, wrong class; attribute list error and value out of range.
        0x0000 | 0xB000 | 0xB006 | 0xB007 | 0x0107 | 0x0116 => Verdict::Stored,
        // Duplicate SOP Instance: it is there, which is what was wanted.
        0x0111 => Verdict::Stored,
        // Out of resources, processing failure, resource limitation.
        0xA700..=0xA7FF | 0x0110 | 0x0213 => Verdict::Later(said()),
        _ => Verdict::Refused { code: status, reason: said() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each class of status of PS3.4 Table B.2-1 is taken for what it means.
    #[test]
    fn c_store_statuses_are_sorted_into_stored_later_and_refused() {
        let check = |status: u16, expected: &str| {
            let word = match verdict(status, "") {
                Verdict::Stored => "stored",
                Verdict::Later(_) => "later",
                Verdict::Refused { .. } => "refused",
            };
            assert_eq!(word, expected, "{status:04X}");
        };
        for status in [0x0000, 0xB000, 0xB006, 0xB007, 0x0111] {
            check(status, "stored");
        }
        for status in [0xA700, 0xA7FF, 0x0110, 0x0213] {
            check(status, "later");
        }
        for status in [0x0122, 0x0124, 0xA900, 0xA9FF, 0xC000, 0xCFFF, 0x0211] {
            check(status, "refused");
        }
    }
}
