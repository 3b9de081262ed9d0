//! The meta group of a file that came by C-STORE, which brings none: written once at intake, and the file that is
//! rebuilt ever after (PS3.10 §7.1).

/// Implementation Class UID (0002,0012) of this program, a UUID under 2.25 (PS3.5 Annex B.2).
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.147690566403151300588110216293652751095";
/// Implementation Version Name (0002,0013), 16 characters at most.
pub const IMPLEMENTATION_VERSION_NAME: &str = "TSUNAGU_0";

/// What the association and the command say of a file.
#[derive(Clone, Copy, Debug)]
pub struct Meta<'a> {
    /// Affected SOP Class UID of the command.
    pub sop_class_uid: &'a str,
    /// Affected SOP Instance UID of the command.
    pub sop_instance_uid: &'a str,
    /// Transfer syntax of the presentation context.
    pub transfer_syntax_uid: &'a str,
    /// AE title of the sender.
    pub calling_ae_title: &'a str,
}

impl Meta<'_> {
    /// Preamble, prefix and meta group: what stands before the Data Set. The same inputs give the same bytes.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut group = Vec::with_capacity(512);
        group.extend_from_slice(&[2, 0, 1, 0, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 1]);
        ui(&mut group, 0x0002, self.sop_class_uid);
        ui(&mut group, 0x0003, self.sop_instance_uid);
        ui(&mut group, 0x0010, self.transfer_syntax_uid);
        ui(&mut group, 0x0012, IMPLEMENTATION_CLASS_UID);
        short(&mut group, 0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b' ');
        short(&mut group, 0x0016, b"AE", self.calling_ae_title, b' ');
        let mut bytes = vec![0; 128];
        bytes.extend_from_slice(b"DICM\x02\x00\x00\x00UL\x04\x00");
        bytes.extend_from_slice(&(group.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&group);
        bytes
    }
}

fn ui(to: &mut Vec<u8>, element: u16, value: &str) {
    short(to, element, b"UI", value, 0);
}

/// Explicit VR Little Endian with a 16-bit length (PS3.5 §7.1.2); values here are at most 64 bytes.
fn short(to: &mut Vec<u8>, element: u16, vr: &[u8; 2], value: &str, pad: u8) {
    let odd = !value.len().is_multiple_of(2);
    to.extend_from_slice(&[2, 0]);
    to.extend_from_slice(&element.to_le_bytes());
    to.extend_from_slice(vr);
    to.extend_from_slice(&((value.len() + usize::from(odd)) as u16).to_le_bytes());
    to.extend_from_slice(value.as_bytes());
    to.extend_from_slice(if odd { std::slice::from_ref(&pad) } else { &[] });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte for byte what PS3.10 §7.1 asks: even values, a right group length, the same every time.
    #[test]
    fn the_meta_group_is_as_ps3_10_says() {
        let meta = Meta {
            sop_class_uid: "1.2.840.10008.5.1.4.1.1.7",
            sop_instance_uid: "1.2.3",
            transfer_syntax_uid: "1.2.840.10008.1.2.1",
            calling_ae_title: "CT1",
        };
        let bytes = meta.to_bytes();
        assert_eq!(
            &bytes[128..144],
            b"DICM\x02\x00\x00\x00UL\x04\x00".iter().chain(&bytes[140..144]).copied().collect::<Vec<_>>()
        );
        let length = u32::from_le_bytes(*bytes[140..].first_chunk().unwrap()) as usize;
        assert_eq!(bytes.len(), 144 + length);
        assert!(bytes.ends_with(b"\x02\x00\x16\x00AE\x04\x00CT1 "));
        assert!(bytes.windows(14).any(|window| window == b"\x02\x00\x03\x00UI\x06\x001.2.3\0"));
        assert_eq!(bytes, meta.to_bytes());
    }
}
