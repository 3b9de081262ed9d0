//! Tests of the scan as a whole: bytes built by hand, cut and mutated files, the real files.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use dicom_object::OpenFileOptions;
use proptest::prelude::*;

use super::rewrite::{Changes, explicit_vr_le};
use super::*;

const DATASETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/datasets");
const EXPLICIT: &str = "1.2.840.10008.1.2.1";

fn scan_bytes(bytes: &[u8]) -> Result<Part10, Error> {
    scan(&mut Cursor::new(bytes), &Limits::default())
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// One Explicit VR Little Endian element of a defined length.
fn element(tag: Tag, vr: &str, value: &[u8]) -> Vec<u8> {
    let mut out = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    out.extend_from_slice(vr.as_bytes());
    if ["OB", "OW", "SQ", "UN", "UT", "OV"].contains(&vr) {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    } else {
        out.extend_from_slice(&(value.len() as u16).to_le_bytes());
    }
    out.extend_from_slice(value);
    out
}

fn item(value: &[u8]) -> Vec<u8> {
    [&hex("FEFF 00E0")[..], &(value.len() as u32).to_le_bytes(), value].concat()
}

fn part10(transfer_syntax_uid: &str, data_set: &[u8]) -> Vec<u8> {
    let uid = format!("{transfer_syntax_uid}{}", if transfer_syntax_uid.len() % 2 == 1 { "\0" } else { "" });
    [&[0; 128][..], b"DICM", &element(Tag(2, 0x10), "UI", uid.as_bytes()), data_set].concat()
}

/// Pixel Data of undefined length: the Basic Offset Table and the fragments.
fn encapsulated(parts: &[&[u8]]) -> Vec<u8> {
    let items: Vec<u8> = parts.iter().flat_map(|part| item(part)).collect();
    [&hex("E07F 1000 4F42 0000 FFFFFFFF")[..], &items, &hex("FEFF DDE0 00000000")].concat()
}

fn image(frames: &str) -> Vec<u8> {
    [
        element(tags::PHOTOMETRIC_INTERPRETATION, "CS", b"MONOCHROME2 "),
        element(tags::NUMBER_OF_FRAMES, "IS", frames.as_bytes()),
        element(tags::ROWS, "US", &[2, 0]),
        element(tags::COLUMNS, "US", &[3, 0]),
        element(tags::BITS_ALLOCATED, "US", &[16, 0]),
    ]
    .concat()
}

/// A file with every kind of length: defined and undefined, in a sequence, an item, a UN sequence and fragments.
fn sample() -> Vec<u8> {
    let name = element(tags::PATIENT_NAME, "PN", b"Yamada^Tarou");
    let undefined =
        [&hex("0800 4011 5351 0000 FFFFFFFF FEFF 00E0 FFFFFFFF")[..], &name, &hex("FEFF 0DE0 00000000")].concat();
    let undefined = [undefined, hex("FEFF DDE0 00000000")].concat();
    let unknown = hex("0900 0110 554E 0000 FFFFFFFF FEFF 00E0 0A000000 0800 6000 02000000 4354 FEFF DDE0 00000000");
    let data_set = [
        element(tags::SOP_INSTANCE_UID, "UI", b"1.2.3\0"),
        undefined,
        unknown,
        name.clone(),
        element(Tag(0x0040, 0x0275), "SQ", &item(&name)),
        image("1 "),
        encapsulated(&[b"", b"\xFF\xD8\xFF\xE0\xFF\xD9"]),
    ];
    part10("1.2.840.10008.1.2.4.50", &data_set.concat())
}

#[test]
fn every_kind_of_length_is_walked_and_addressed() {
    // Proves that values lie where the scan says, by path, and that implicit elements in UN are read as such.
    let bytes = sample();
    let scanned = scan_bytes(&bytes).unwrap();
    assert_eq!(scanned.data_set.uid(tags::SOP_INSTANCE_UID), Some("1.2.3"));
    let check = |path: &str, expected: &[u8]| {
        let element = scanned.data_set.at_path(path).unwrap();
        let (offset, length) = (element.value_offset as usize, element.value_length as usize);
        assert_eq!(&bytes[offset..offset + length], expected, "{path}");
        assert_eq!(element.bytes(), Some(expected), "{path}");
    };
    check("bulkdata/00081140/0/00100010", b"Yamada^Tarou");
    check("00400275/0/00100010", b"Yamada^Tarou");
    check("00091001/0/00080060", b"CT");
    assert_eq!(scanned.data_set.at_path("00091001/1/00080060"), None);
    assert_eq!(scanned.data_set.at_path("00091001/0"), None);
    assert_eq!(scanned.data_set.at_path("+0091001"), None);
    assert_eq!(scanned.data_set_end, bytes.len() as u64);
    let spans = frame_spans(&scanned, &mut Cursor::new(&bytes)).unwrap();
    assert_eq!(&bytes[spans[0].offset as usize..][..spans[0].length as usize], b"\xFF\xD8\xFF\xE0\xFF\xD9");
}

#[test]
fn every_prefix_is_an_error_or_ends_between_elements() {
    // Proves that a cut file is never taken for a whole one, but where the cut falls between two elements.
    let bytes = sample();
    let whole = scan_bytes(&bytes).unwrap();
    let starts: Vec<u64> = whole.data_set.elements.iter().map(|element| element.offset).collect();
    let mut refused = 0;
    for cut in 0..bytes.len() {
        match scan_bytes(&bytes[..cut]) {
            Ok(scanned) => {
                assert!(starts.contains(&(cut as u64)) || cut == 132, "cut at {cut}");
                assert!(scanned.data_set.elements.len() < whole.data_set.elements.len());
            }
            Err(error) => {
                assert!(matches!(error, Error::NotDicom { .. } | Error::Truncated { .. }), "cut at {cut}: {error}");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, bytes.len() - starts.len() - 1);
}

#[test]
fn errors_name_the_place_and_what_a_file_looks_like() {
    // Proves the words a sender gets to see.
    let check = |bytes: &[u8], expected: &str| assert_eq!(scan_bytes(bytes).unwrap_err().to_string(), expected);
    check(b"", "not a DICOM file: it looks like an empty file");
    check(b"PK\x03\x04____", "not a DICOM file: it looks like a ZIP archive");
    check(b"%PDF-1.7", "not a DICOM file: it looks like a PDF document");
    check(b"@ MFR Standard 12 leads ECG", "not a DICOM file: it looks like an MFER waveform");
    check(
        b"<?xml?><AnnotatedECG xmlns=\"urn:hl7-org:v3\">",
        "not a DICOM file: it looks like an HL7 annotated ECG (XML)",
    );
    check(b"hello", "not a DICOM file: it looks like a text");
    let pixels = [element(tags::ROWS, "US", &[2, 0]), hex("E07F 1000 4F57 0000 00010000 0102")].concat();
    check(&part10(EXPLICIT, &pixels), "truncated: (7FE0,0010) at byte 170 needs 256 bytes, 2 are left");
    let wrong = [element(tags::MODALITY, "CS", b"CT"), hex("1000 1000 0001 FFFF 0000")].concat();
    check(&part10(EXPLICIT, &wrong), "(0010,0010) at byte 170: \"\\x00\\x01\" is not a value representation");
    let open = [element(tags::MODALITY, "CS", b"CT"), hex("1000 1000 504E 0400")].concat();
    check(&part10(EXPLICIT, &open), "truncated: (0010,0010) at byte 170 needs 4 bytes, 0 are left");
}

#[test]
fn depth_is_refused_and_not_recursed() {
    // Proves that 20,000 open sequences end in an error, and that 64 are still read and dropped.
    let nested = |depth: usize| {
        let open = hex("4000 7502 5351 0000 FFFFFFFF FEFF 00E0 FFFFFFFF").repeat(depth);
        let close = hex("FEFF 0DE0 00000000 FEFF DDE0 00000000").repeat(depth);
        scan_bytes(&part10(EXPLICIT, &[element(tags::MODALITY, "CS", b"CT"), open, close].concat()))
    };
    assert!(nested(64).is_ok());
    assert!(matches!(nested(65), Err(Error::Nesting { nesting_max: 64, .. })));
    assert!(matches!(nested(20_000), Err(Error::Nesting { .. })));
}

#[test]
fn limits_hold() {
    // Proves that elements, kept bytes and inflated bytes are each bounded by their limit.
    let many = part10(EXPLICIT, &element(tags::MODALITY, "CS", b"CT").repeat(20));
    let check = |limits: Limits, bytes: &[u8]| scan(&mut Cursor::new(bytes), &limits).unwrap_err();
    let few = Limits { elements_max: 10, ..Limits::default() };
    assert!(matches!(check(few, &many), Error::ElementCount { elements_max: 10, .. }));
    let small = Limits { header_bytes_max: 30, ..Limits::default() };
    assert!(matches!(check(small, &many), Error::TooBig { header_bytes_max: 30, .. }));
    let pixels = [element(tags::MODALITY, "CS", b"CT"), element(tags::PIXEL_DATA, "OW", &[0; 100_000])].concat();
    let bomb = part10("1.2.840.10008.1.2.1.99", &deflated(&pixels));
    let tight = Limits { inflated_bytes_max: 50_000, ..Limits::default() };
    assert!(matches!(check(tight, &bomb), Error::InflatedTooBig { inflated_bytes_max: 50_000 }));
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    flate2::read::DeflateEncoder::new(bytes, flate2::Compression::fast()).read_to_end(&mut out).unwrap();
    out
}

#[test]
fn a_deflated_data_set_is_addressed_in_its_inflated_stream() {
    // Proves the meaning of offsets in a deflated file, and that a cut stream is an error.
    let inner = [element(tags::MODALITY, "CS", b"CT"), image("1 "), element(tags::PIXEL_DATA, "OW", &[7; 12])].concat();
    let bytes = part10("1.2.840.10008.1.2.1.99", &deflated(&inner));
    let scanned = scan_bytes(&bytes).unwrap();
    assert!(scanned.deflated);
    let inflated = inflate(&scanned, &mut Cursor::new(&bytes), &Limits::default()).unwrap();
    assert_eq!(inflated, inner);
    let spans = frame_spans(&scanned, &mut Cursor::new(&inflated)).unwrap();
    assert_eq!(&inflated[spans[0].offset as usize..][..spans[0].length as usize], [7; 12]);
    for cut in 160..bytes.len() {
        let scanned = scan_bytes(&bytes[..cut]);
        assert!(scanned.is_err() || scanned.unwrap().data_set.elements.len() < 7, "cut at {cut}");
    }
}

#[test]
fn encodings_are_told_by_their_bytes() {
    // Proves reading without preamble, without meta group, big-endian, and with the wrong transfer syntax.
    let rows = |scanned: Part10| (scanned.encoding, scanned.data_set.int(tags::ROWS));
    let little = [element(tags::MODALITY, "CS", b"CT"), element(tags::ROWS, "US", &[2, 1])].concat();
    let implicit = hex("0800 6000 02000000 4354 2800 1000 02000000 0201");
    let big = hex("0008 0060 4353 0002 4354 0028 0010 5553 0002 0102");
    let check = |bytes: &[u8], encoding| assert_eq!(rows(scan_bytes(bytes).unwrap()), (encoding, Some(258)));
    check(&little, Encoding::ExplicitLittle);
    check(&implicit, Encoding::ImplicitLittle);
    check(&big, Encoding::ExplicitBig);
    check(&part10("1.2.840.10008.1.2.2", &big), Encoding::ExplicitBig);
    check(&part10(EXPLICIT, &implicit), Encoding::ImplicitLittle);
    check(&part10("1.2.840.10008.1.2", &little), Encoding::ExplicitLittle);
    check(&part10("1.2.840.10008.1.2.1.99", &little), Encoding::ExplicitLittle);
    check(&part10(EXPLICIT, &little)[128..], Encoding::ExplicitLittle);
    check(&part10(EXPLICIT, &little)[132..], Encoding::ExplicitLittle);
    check(&[part10(EXPLICIT, &little), vec![0; 77]].concat(), Encoding::ExplicitLittle);
}

#[test]
fn unknown_representations_keep_their_bytes() {
    // Proves both lengths of a VR we do not know, and the sign of "US or SS" by Pixel Representation.
    let data_set = [
        element(tags::MODALITY, "CS", b"CT"),
        hex("0900 0110 5858 0200 4142"),
        hex("0900 0210 5959 0000 04000000 41424344"),
        element(Tag(9, 0x1003), "LO", b"odd"),
    ];
    let scanned = scan_bytes(&part10(EXPLICIT, &data_set.concat())).unwrap();
    assert_eq!(scanned.data_set.bytes(Tag(9, 0x1001)), Some(&b"AB"[..]));
    assert_eq!(scanned.data_set.bytes(Tag(9, 0x1002)), Some(&b"ABCD"[..]));
    assert_eq!(scanned.data_set.ascii(Tag(9, 0x1003)), Some("odd"));
    // A UN of defined length that the dictionary has as a sequence; a private group among the repeating ones.
    let unknown = hex("4000 7502 554E 0000 12000000 FEFF 00E0 0A000000 0800 6000 02000000 4354");
    let scanned = scan_bytes(&part10(EXPLICIT, &[element(tags::MODALITY, "CS", b"CT"), unknown].concat())).unwrap();
    assert_eq!(scanned.data_set.at_path("00400275/0/00080060").and_then(Element::ascii), Some("CT"));
    assert_eq!(encoding::dictionary_vr(Tag(0x7FDF, 0x0010), false), VR::LO);
    assert_eq!(encoding::dictionary_vr(Tag(0x7FE0, 0x0010), false), VR::OW);
    let signed = hex("0800 6000 02000000 4354 2800 0301 02000000 0100 2800 0601 02000000 FEFF");
    let scanned = scan_bytes(&part10("1.2.840.10008.1.2", &signed)).unwrap();
    assert_eq!(scanned.data_set.int(tags::SMALLEST_IMAGE_PIXEL_VALUE), Some(-2));
}

#[test]
fn frames_are_found_by_each_of_the_ways() {
    // Proves the ways to tell frames apart, in their order, and the two errors where there is none.
    let spans = |frames: &str, more: &[u8], parts: &[&[u8]]| {
        let data_set = [image(frames), more.to_vec(), encapsulated(parts)].concat();
        let bytes = part10("1.2.840.10008.1.2.4.50", &data_set);
        let scanned = scan_bytes(&bytes).unwrap();
        let spans = frame_spans(&scanned, &mut Cursor::new(&bytes))?;
        let shown = |span: &FrameSpan| (bytes[span.offset as usize..][..span.length as usize].to_vec(), span.fragments);
        Ok::<_, Error>(spans.iter().map(shown).collect::<Vec<_>>())
    };
    let (jpeg, rest): (&[u8], &[u8]) = (b"\xFF\xD8\xFF\xE0", b"\x01\x02");
    let two = [item(jpeg), item(rest)].concat();
    assert_eq!(spans("1 ", b"", &[b"", jpeg, rest]).unwrap(), [(two.clone(), 2)]);
    assert_eq!(spans("2 ", b"", &[b"", rest, rest]).unwrap(), [(rest.to_vec(), 1), (rest.to_vec(), 1)]);
    // Basic Offset Table: frames at 0 and 22 (8 + 4, 8 + 2); the last one alone.
    let table = [0_u32.to_le_bytes(), 22_u32.to_le_bytes()].concat();
    assert_eq!(spans("2 ", b"", &[&table, jpeg, rest, rest]).unwrap(), [(two.clone(), 2), (rest.to_vec(), 1)]);
    let offsets = element(tags::EXTENDED_OFFSET_TABLE, "OV", &[0_u64.to_le_bytes(), 22_u64.to_le_bytes()].concat());
    let lengths =
        element(tags::EXTENDED_OFFSET_TABLE_LENGTHS, "OV", &[14_u64.to_le_bytes(), 1_u64.to_le_bytes()].concat());
    let extended = [offsets, lengths].concat();
    assert_eq!(spans("2 ", &extended, &[b"", jpeg, rest, rest]).unwrap(), [(two.clone(), 2), (vec![1], 1)]);
    // Neither, or a wrong one: by SOI. The pad byte after EOI is not the frame's.
    let padded: &[u8] = b"\xFF\xD8\xFF\xFF\xD9\0";
    let wrong = [0_u32.to_le_bytes(), 21_u32.to_le_bytes()].concat();
    for table in [&b""[..], &wrong] {
        let expected = [(two.clone(), 2), (padded[..5].to_vec(), 1)];
        assert_eq!(spans("2 ", b"", &[table, jpeg, rest, padded]).unwrap(), expected);
    }
    assert!(matches!(
        spans("2 ", b"", &[b"", rest, rest, rest]),
        Err(Error::FramesUnclear { frames: 2, fragments: 3 })
    ));
    assert!(matches!(spans("5 ", b"", &[b"", rest]), Err(Error::FragmentCount { frames: 5, fragments: 1 })));
}

#[test]
fn native_frames_follow_from_the_description() {
    // Proves offsets of native frames, and both numbers where Pixel Data is short, without reserving for the claim.
    let spans = |frames: &str, bytes: usize| {
        let data_set = [image(frames), element(tags::PIXEL_DATA, "OW", &vec![0; bytes])].concat();
        let bytes = part10(EXPLICIT, &data_set);
        frame_spans(&scan_bytes(&bytes).unwrap(), &mut Cursor::new(&bytes))
    };
    let found = spans("2 ", 24).unwrap();
    assert_eq!((found[1].offset - found[0].offset, found[1].length, found[1].fragments), (12, 12, 0));
    assert!(matches!(spans("3 ", 24), Err(Error::PixelLength { expected: 36, actual: 24 })));
    let tiny = [element(tags::ROWS, "US", &[1, 0]), element(tags::COLUMNS, "US", &[1, 0])].concat();
    let many =
        [element(tags::NUMBER_OF_FRAMES, "IS", b"2000000 "), tiny, element(tags::PIXEL_DATA, "OW", &[0; 2_000_000])];
    let many = part10(EXPLICIT, &many.concat());
    let refused = frame_spans(&scan_bytes(&many).unwrap(), &mut Cursor::new(&many));
    assert!(matches!(refused, Err(Error::ElementCount { elements_max: 1_000_000, .. })));
    assert!(matches!(spans("4000000000", 24), Err(Error::PixelLength { expected: 48_000_000_000, actual: 24 })));
}

/// Bytes that go on with zeros for as long as they claim, and count what is read of them.
struct Sparse {
    head: Vec<u8>,
    length: u64,
    position: u64,
    read: u64,
}

impl Read for Sparse {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = (into.len() as u64).min(self.length - self.position) as usize;
        for (index, byte) in into[..count].iter_mut().enumerate() {
            *byte = self.head.get(self.position as usize + index).copied().unwrap_or(0);
        }
        self.position += count as u64;
        self.read += count as u64;
        Ok(count)
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(offset) => offset,
            SeekFrom::End(by) => self.length.checked_add_signed(by).unwrap(),
            SeekFrom::Current(by) => self.position.checked_add_signed(by).unwrap(),
        };
        Ok(self.position)
    }
}

#[test]
fn gigabytes_of_pixels_are_skipped() {
    // Proves that 4 GB of Pixel Data cost a seek: the scan reads a few kilobytes.
    let pixels = 4_000_000_000_u64;
    let head = [image("1 "), hex("E07F 1000 4F57 0000"), (pixels as u32).to_le_bytes().to_vec()].concat();
    let head = part10(EXPLICIT, &head);
    let mut source = Sparse { length: head.len() as u64 + pixels, head, position: 0, read: 0 };
    let scanned = scan(&mut source, &Limits::default()).unwrap();
    assert_eq!(scanned.data_set.get(tags::PIXEL_DATA).unwrap().value_length, pixels);
    assert!(source.read < 20_000, "read {}", source.read);
}

proptest! {
    #[test]
    fn random_bytes_and_mutations_never_panic(
        noise in prop::collection::vec(any::<u8>(), 0..400),
        changes in prop::collection::vec((132_usize..400, any::<u8>()), 1..6),
    ) {
        // Proves that no bytes bring the scan, the frames or the rewriting down, and that offsets stay inside.
        let mut bytes = sample();
        for (at, byte) in changes {
            let at = at.min(bytes.len() - 1);
            bytes[at] = byte;
        }
        for bytes in [noise.clone(), part10(EXPLICIT, &noise), part10("1.2.840.10008.1.2", &noise), bytes] {
            if let Ok(scanned) = scan_bytes(&bytes) {
                let ends = scanned.data_set.elements.iter().map(|one| one.value_offset + one.value_length);
                prop_assert!(ends.max().unwrap_or(0) <= bytes.len() as u64);
                let _ = frame_spans(&scanned, &mut Cursor::new(&bytes));
                rewritten(&scanned, &bytes).unwrap();
            }
        }
    }
}

/// The whole rewritten file, without Pixel Data.
fn rewritten(scanned: &Part10, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let transfer_syntax_uid = EXPLICIT.to_owned();
    let changes = Changes { transfer_syntax_uid, elements: BTreeMap::new(), header_bytes_max: 64 << 20 };
    let header = explicit_vr_le(scanned, &mut Cursor::new(bytes), &changes)?;
    Ok([header.before, header.after].concat())
}

#[test]
fn changes_go_to_their_place_and_pixel_data_goes_between() {
    // Proves replacing, adding, dropping and the split at Pixel Data.
    let data_set = [
        element(Tag(8, 0), "UL", &[1, 0, 0, 0]),
        element(tags::SOP_CLASS_UID, "UI", b"1.2"),
        image("1 "),
        element(tags::PIXEL_DATA, "OW", &[0; 12]),
        element(Tag(0x7FE1, 0x0010), "LO", b"PRIVATE "),
        element(tags::DATA_SET_TRAILING_PADDING, "OB", &[0; 6]),
    ];
    let bytes = part10(EXPLICIT, &data_set.concat());
    let scanned = scan_bytes(&bytes).unwrap();
    let elements = BTreeMap::from([
        (tags::PHOTOMETRIC_INTERPRETATION, (VR::CS, b"RGB".to_vec())),
        (tags::EXTENDED_OFFSET_TABLE, (VR::OV, vec![0; 8])),
    ]);
    let changes = Changes { transfer_syntax_uid: "1.2.3".into(), elements, header_bytes_max: 10_000 };
    let header = explicit_vr_le(&scanned, &mut Cursor::new(&bytes), &changes).unwrap();
    assert_eq!(header.after, element(Tag(0x7FE1, 0x0010), "LO", b"PRIVATE "));
    assert!(header.before.ends_with(&element(tags::EXTENDED_OFFSET_TABLE, "OV", &[0; 8])));
    let again = scan_bytes(&header.before).unwrap();
    assert_eq!(again.data_set.ascii(tags::PHOTOMETRIC_INTERPRETATION), Some("RGB"));
    assert_eq!(again.data_set.get(Tag(8, 0)), None);
    assert_eq!((again.transfer_syntax_uid.as_str(), again.meta.elements.len()), ("1.2.3", 7));
    let tight = Changes { header_bytes_max: 300, ..changes };
    assert!(matches!(explicit_vr_le(&scanned, &mut Cursor::new(&bytes), &tight), Err(Error::TooBig { .. })));
}

fn real_files() -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from(DATASETS)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Elements without the file around them: what must survive a rewriting.
fn values(data_set: &DataSet) -> BTreeMap<Tag, String> {
    let dropped = |tag: Tag| {
        tag.1 == 0
            || [tags::PIXEL_DATA, tags::EXTENDED_OFFSET_TABLE, tags::EXTENDED_OFFSET_TABLE_LENGTHS].contains(&tag)
            || tag.0 <= 2
            || tag == tags::DATA_SET_TRAILING_PADDING
    };
    let shown = |element: &Element| match &element.value {
        Value::Sequence(items) => format!("{:?}", items.iter().map(|item| values(&item.data_set)).collect::<Vec<_>>()),
        Value::Bytes(bytes) if bytes.len() % 2 == 1 => "odd".into(),
        Value::Bytes(_) => format!("{:?}", element.little_endian()),
        Value::Skipped => element.value_length.next_multiple_of(2).to_string(),
        Value::Fragments(fragments) => format!("{:?}", fragments.iter().map(|one| one.length).collect::<Vec<_>>()),
    };
    let mut out = BTreeMap::new();
    for element in data_set.elements.iter().filter(|element| !dropped(element.tag)) {
        out.entry(element.tag).or_insert_with(|| shown(element));
    }
    out.retain(|_, shown| shown != "odd");
    out
}

#[test]
fn real_files_scan_and_rewrite_and_agree_with_dicom_object() {
    // Proves over the real files: no panic, the same values as dicom-object reads, and again after a rewriting.
    if !Path::new(DATASETS).exists() {
        println!("skipped: ../shared/datasets is not here");
        return;
    }
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut compared, mut differing, mut reopened) = (0, Vec::new(), 0);
    for path in real_files() {
        let bytes = std::fs::read(&path).unwrap();
        let name = path.strip_prefix(DATASETS).unwrap().display().to_string();
        let scanned = match scan_bytes(&bytes) {
            Ok(scanned) => scanned,
            Err(error) => {
                let kind = format!("{error:?}").split([' ', '(']).next().unwrap_or_default().to_owned();
                *counts.entry(kind).or_default() += 1;
                if name.contains(".dcm") || name.starts_with("corrupt") {
                    println!("{name}: {error}");
                }
                continue;
            }
        };
        *counts.entry("scanned".into()).or_default() += 1;
        match frame_spans(&scanned, &mut Cursor::new(&bytes)) {
            Ok(_) => *counts.entry("frames found".into()).or_default() += 1,
            Err(error) if scanned.deflated => drop(error),
            Err(error) => println!("{name}: frames: {error}"),
        }
        if scanned.deflated {
            continue;
        }
        let header = rewritten(&scanned, &bytes).unwrap();
        let again = scan_bytes(&header).unwrap();
        assert!(values(&scanned.data_set) == values(&again.data_set), "{name} differs after rewriting");
        match agreement(&scanned, &bytes) {
            Ok(Some(count)) => compared += count,
            Ok(None) => {}
            Err(what) => differing.push(format!("{name}: {what}")),
        }
        if scanned.data_set.uid(tags::SOP_INSTANCE_UID).is_some() {
            match OpenFileOptions::new().from_reader(Cursor::new(&header)) {
                Ok(object) => {
                    assert_eq!(object.iter().count(), again.data_set.elements.len(), "{name}");
                    reopened += 1;
                }
                Err(error) => println!("{name}: dicom-object does not reopen its rewritten header: {error}"),
            }
        }
    }
    println!("{counts:?}; {compared} values equal to dicom-object's, {reopened} rewritten headers reopened by it");
    println!("{} files differ: {differing:#?}", differing.len());
    assert!(counts["scanned"] > 500 && compared > 20_000 && reopened > 450);
    // It has elements twice; dicom-object takes the last, we take the first.
    let twice = |what: &String| what.starts_with("charset-ja/FreezePattern.dcm");
    assert!(differing.iter().all(twice), "{differing:?}");
}

/// How many values of the outermost Data Set are the same for dicom-object; `None` if it cannot open the file.
fn agreement(scanned: &Part10, bytes: &[u8]) -> Result<Option<usize>, String> {
    let opened = std::panic::catch_unwind(|| OpenFileOptions::new().from_reader(Cursor::new(bytes)));
    let Ok(Ok(object)) = opened else { return Ok(None) };
    let mut count = 0;
    for theirs in object.iter().filter(|one| one.header().tag != tags::PIXEL_DATA && one.vr() != VR::AT) {
        let tag = theirs.header().tag;
        let Some(ours) = scanned.data_set.get(tag) else { return Err(format!("{tag} not found")) };
        if let (Some(items), Value::Sequence(mine)) = (theirs.items(), &ours.value) {
            if items.len() != mine.len() {
                return Err(format!("{tag} has {} items, not {}", items.len(), mine.len()));
            }
            count += 1;
        }
        let (Ok(their), Some(our)) = (theirs.to_bytes(), ours.little_endian()) else { continue };
        let plain = |bytes: &[u8]| {
            let text: Vec<u8> = bytes.iter().copied().filter(|byte| !matches!(byte, b' ' | 0)).collect();
            if is_text(ours.vr) { text } else { bytes.to_vec() }
        };
        if our.is_ascii() && plain(&our) != plain(&their) {
            return Err(format!("{tag} {:?} {:?}", our.escape_ascii().to_string(), their.escape_ascii().to_string()));
        }
        count += 1;
    }
    Ok(Some(count))
}
