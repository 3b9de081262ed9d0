//! UIDs that follow from what they name: the same parts, the same UID, on any machine and in any year.

use sha2::{Digest, Sha256};

/// Told apart from every other use of the same hash.
const NAMESPACE: &str = "tsunagu derivative 1";

/// A UID below 2.25 (PS3.5 Annex B.2): 2.25. and the decimal number of a UUID of version 8 (RFC 9562 §5.8), which is the
/// head of the SHA-256 of the namespace and all parts, each followed by a line feed.
pub(super) fn of(parts: &[&str]) -> String {
    within(NAMESPACE, parts)
}

/// The same in a namespace of another use.
pub(crate) fn within(namespace: &str, parts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for part in std::iter::once(&namespace).chain(parts) {
        digest.update(part.as_bytes());
        digest.update(b"\n");
    }
    let mut head = [0; 16];
    head.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
    head[6] = head[6] & 0x0F | 0x80;
    head[8] = head[8] & 0x3F | 0x80;
    format!("2.25.{}", u128::from_be_bytes(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_counts_and_the_form_is_a_uid() {
        let uid = of(&["1.2.3", "ct-1", "LargestError(8)", "coder-1"]);
        // A known answer: another program can make the same UID from the comment above.
        assert_eq!(uid, KNOWN);
        let others = [["1.2.4", "ct-1", "coder-1"], ["1.2.3", "ct-2", "coder-1"], ["1.2.3", "ct-1", "coder-2"]];
        for parts in others {
            let other = of(&parts);
            assert!(other != uid && other.len() <= 44 && other.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
        }
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
    }

    const KNOWN: &str = "2.25.125343583030340719220778192589377485968";
}
