//! A small DICOM writer of our own, so that generated files do not depend on the parser under test.
//!
//! Source: PS3.5 §7 (the Data Set), §6.2 (Value Representations), Annex A (transfer syntaxes); PS3.10 §7 (the file).

use std::collections::BTreeMap;

use crate::names::Charset;
use crate::tags::{self, Tag};

/// Implementation Class UID of the generators: a 2.25 UID of their own.
const IMPLEMENTATION_CLASS_UID: &str = "2.25.310563817264493851073549811246270021";
const UNDEFINED: u32 = 0xFFFF_FFFF;

/// Transfer syntaxes a file may be sent in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TransferSyntax {
    ImplicitLittle,
    ExplicitLittle,
    ExplicitBig,
    JpegBaseline,
    JpegLossless,
    Rle,
}

impl TransferSyntax {
    /// Its UID (PS3.6 Annex A).
    pub(crate) fn uid(self) -> &'static str {
        match self {
            TransferSyntax::ImplicitLittle => "1.2.840.10008.1.2",
            TransferSyntax::ExplicitLittle => "1.2.840.10008.1.2.1",
            TransferSyntax::ExplicitBig => "1.2.840.10008.1.2.2",
            TransferSyntax::JpegBaseline => "1.2.840.10008.1.2.4.50",
            TransferSyntax::JpegLossless => "1.2.840.10008.1.2.4.70",
            TransferSyntax::Rle => "1.2.840.10008.1.2.5",
        }
    }
}

/// Habits of a sender that carry no meaning but must come back when a file is rebuilt byte for byte.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Layout {
    /// Sequences and items of undefined length with delimiters (PS3.5 §7.5.1).
    pub(crate) undefined_lengths: bool,
    /// Retired group length elements (gggg,0000) in every group (PS3.5 §7.2).
    pub(crate) group_lengths: bool,
    /// A preamble that is not all zero (PS3.10 §7.1 leaves it to the application).
    pub(crate) preamble: bool,
    /// Bytes of Data Set Trailing Padding (FFFC,FFFC), 0 for none.
    pub(crate) trailing_padding: u16,
}

/// A value, ready to be written.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Bytes in units of 1, 2, 4 or 8, little-endian.
    Plain(usize, Vec<u8>),
    /// Items of a sequence.
    Items(Vec<DataSet>),
    /// Fragments of encapsulated Pixel Data, one a frame.
    Fragments(Vec<Vec<u8>>),
}

/// A Data Set, sorted by tag.
#[derive(Clone, Debug)]
pub(crate) struct DataSet {
    charset: Charset,
    elements: BTreeMap<u32, (Tag, Value)>,
}

impl DataSet {
    /// An empty one, whose text is encoded in a character set.
    pub(crate) fn new(charset: Charset) -> DataSet {
        DataSet { charset, elements: BTreeMap::new() }
    }

    /// An empty one for an item of a sequence, in the same character set.
    pub(crate) fn item(&self) -> DataSet {
        DataSet::new(self.charset)
    }

    /// Whether its text can be Japanese.
    pub(crate) fn is_japanese(&self) -> bool {
        self.charset.is_japanese()
    }

    /// Sets an element.
    pub(crate) fn put(&mut self, tag: Tag, value: Value) -> &mut Self {
        self.elements.insert(tag.number, (tag, value));
        self
    }

    /// Removes an element.
    pub(crate) fn remove(&mut self, tag: Tag) -> &mut Self {
        self.elements.remove(&tag.number);
        self
    }

    /// Sets a text value; several are joined by `\`.
    pub(crate) fn text(&mut self, tag: Tag, text: impl AsRef<str>) -> &mut Self {
        let bytes = match &tag.vr {
            b"LO" | b"LT" | b"PN" | b"SH" | b"ST" | b"UC" | b"UT" => self.charset.encode(text.as_ref()),
            _ => text.as_ref().as_bytes().to_vec(),
        };
        self.put(tag, Value::Plain(1, bytes))
    }

    /// Sets US values.
    pub(crate) fn short(&mut self, tag: Tag, values: &[u16]) -> &mut Self {
        self.put(tag, Value::Plain(2, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
    }

    /// Sets UL values.
    pub(crate) fn long(&mut self, tag: Tag, values: &[u32]) -> &mut Self {
        self.put(tag, Value::Plain(4, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
    }

    /// Sets FD values.
    pub(crate) fn double(&mut self, tag: Tag, values: &[f64]) -> &mut Self {
        self.put(tag, Value::Plain(8, values.iter().flat_map(|v| v.to_le_bytes()).collect()))
    }

    /// Sets the items of a sequence.
    pub(crate) fn items(&mut self, tag: Tag, items: Vec<DataSet>) -> &mut Self {
        self.put(tag, Value::Items(items))
    }

    /// Sets a Code Sequence of one item (PS3.3 §8.8).
    pub(crate) fn code(&mut self, tag: Tag, value: &str, scheme: &str, meaning: &str) -> &mut Self {
        let mut item = self.item();
        item.text(tags::CODE_VALUE, value).text(tags::CODING_SCHEME_DESIGNATOR, scheme);
        item.text(tags::CODE_MEANING, meaning);
        self.items(tag, vec![item])
    }

    /// The bytes of a text value.
    fn plain(&self, tag: Tag) -> Option<&[u8]> {
        match self.elements.get(&tag.number) {
            Some((_, Value::Plain(_, bytes))) => Some(bytes),
            _ => None,
        }
    }

    /// The Data Set encoded.
    pub(crate) fn to_bytes(&self, syntax: TransferSyntax, layout: Layout) -> Vec<u8> {
        let mut out = Out { bytes: Vec::with_capacity(self.size_hint()), syntax, layout };
        out.data_set(self);
        out.bytes
    }

    fn size_hint(&self) -> usize {
        let size = |(_, value): &(Tag, Value)| match value {
            Value::Plain(_, bytes) => bytes.len() + 16,
            Value::Items(items) => items.iter().map(|item| item.size_hint() + 16).sum(),
            Value::Fragments(fragments) => fragments.iter().map(|f| f.len() + 12).sum(),
        };
        self.elements.values().map(size).sum()
    }

    /// A Part 10 file (PS3.10 §7.1): preamble, prefix, File Meta Information, Data Set.
    pub(crate) fn to_file(&self, syntax: TransferSyntax, layout: Layout) -> Vec<u8> {
        let mut out = Out { bytes: Vec::with_capacity(self.size_hint() + 1024), syntax, layout };
        if layout.preamble {
            // A TIFF header, as dual-purpose files carry.
            out.bytes.extend_from_slice(b"II*\0\x08\0\0\0");
        }
        out.bytes.resize(128, 0);
        out.bytes.extend_from_slice(b"DICM");
        out.bytes.extend_from_slice(&self.meta(syntax));
        out.data_set(self);
        if layout.trailing_padding > 0 {
            let zeros = vec![0; usize::from(layout.trailing_padding)];
            out.element(tags::DATA_SET_TRAILING_PADDING, &Value::Plain(1, zeros));
        }
        out.bytes
    }

    /// File Meta Information, always Explicit VR Little Endian, with its group length (PS3.10 §7.1).
    fn meta(&self, syntax: TransferSyntax) -> Vec<u8> {
        let copy = |tag: Tag| Value::Plain(1, self.plain(tag).unwrap_or_default().to_vec());
        let mut set = DataSet::new(Charset::Ascii);
        set.put(tags::FILE_META_INFORMATION_VERSION, Value::Plain(1, vec![0, 1]));
        set.put(tags::MEDIA_STORAGE_SOP_CLASS_UID, copy(tags::SOP_CLASS_UID));
        set.put(tags::MEDIA_STORAGE_SOP_INSTANCE_UID, copy(tags::SOP_INSTANCE_UID));
        set.text(tags::TRANSFER_SYNTAX_UID, syntax.uid());
        set.text(tags::IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_CLASS_UID);
        set.text(tags::IMPLEMENTATION_VERSION_NAME, "TSUNAGU_GEN_1");
        let rest = set.to_bytes(TransferSyntax::ExplicitLittle, Layout::default());
        let mut head = DataSet::new(Charset::Ascii);
        head.long(tags::FILE_META_INFORMATION_GROUP_LENGTH, &[rest.len() as u32]);
        let mut bytes = head.to_bytes(TransferSyntax::ExplicitLittle, Layout::default());
        bytes.extend_from_slice(&rest);
        bytes
    }
}

struct Out {
    bytes: Vec<u8>,
    syntax: TransferSyntax,
    layout: Layout,
}

impl Out {
    fn data_set(&mut self, set: &DataSet) {
        if !self.layout.group_lengths {
            set.elements.values().for_each(|(tag, value)| self.element(*tag, value));
            return;
        }
        let mut elements = set.elements.values().peekable();
        while let Some(group) = elements.peek().map(|(tag, _)| tag.number >> 16) {
            let mut part = Out { bytes: Vec::new(), syntax: self.syntax, layout: self.layout };
            while let Some((tag, value)) = elements.next_if(|(tag, _)| tag.number >> 16 == group) {
                part.element(*tag, value);
            }
            let length = Value::Plain(4, (part.bytes.len() as u32).to_le_bytes().to_vec());
            self.element(Tag { number: group << 16, vr: *b"UL" }, &length);
            self.bytes.extend_from_slice(&part.bytes);
        }
    }

    fn element(&mut self, tag: Tag, value: &Value) {
        match value {
            Value::Plain(unit, bytes) => self.plain(tag, *unit, bytes),
            Value::Items(items) => self.sequence(tag, items),
            Value::Fragments(fragments) => self.fragments(tag, fragments),
        }
    }

    fn plain(&mut self, tag: Tag, unit: usize, bytes: &[u8]) {
        let odd = bytes.len() % 2 == 1;
        self.header(tag, (bytes.len() + usize::from(odd)) as u32);
        if self.syntax == TransferSyntax::ExplicitBig && unit > 1 {
            self.bytes.extend(bytes.chunks(unit).flat_map(|word| word.iter().rev()));
        } else {
            self.bytes.extend_from_slice(bytes);
        }
        if odd {
            // PS3.5 §6.2: UI and bytes are padded with NUL, text with a space.
            self.bytes.push(if matches!(&tag.vr, b"UI" | b"OB" | b"UN") { 0 } else { b' ' });
        }
    }

    fn sequence(&mut self, tag: Tag, items: &[DataSet]) {
        if self.layout.undefined_lengths {
            self.header(tag, UNDEFINED);
            for item in items {
                self.item(0xFFFE_E000, UNDEFINED);
                self.data_set(item);
                self.item(0xFFFE_E00D, 0);
            }
            return self.item(0xFFFE_E0DD, 0);
        }
        let mut part = Out { bytes: Vec::new(), syntax: self.syntax, layout: self.layout };
        for item in items {
            let bytes = item.to_bytes(self.syntax, self.layout);
            part.item(0xFFFE_E000, bytes.len() as u32);
            part.bytes.extend_from_slice(&bytes);
        }
        self.header(tag, part.bytes.len() as u32);
        self.bytes.extend_from_slice(&part.bytes);
    }

    /// Encapsulated Pixel Data with a Basic Offset Table (PS3.5 §A.4).
    fn fragments(&mut self, tag: Tag, fragments: &[Vec<u8>]) {
        self.header(Tag { vr: *b"OB", ..tag }, UNDEFINED);
        self.item(0xFFFE_E000, 4 * fragments.len() as u32);
        let mut offset = 0u32;
        for fragment in fragments {
            self.bytes.extend_from_slice(&offset.to_le_bytes());
            offset += 8 + fragment.len().next_multiple_of(2) as u32;
        }
        for fragment in fragments {
            self.item(0xFFFE_E000, fragment.len().next_multiple_of(2) as u32);
            self.bytes.extend_from_slice(fragment);
            self.bytes.resize(self.bytes.len() + fragment.len() % 2, 0);
        }
        self.item(0xFFFE_E0DD, 0);
    }

    fn item(&mut self, number: u32, length: u32) {
        self.tag(number);
        self.u32(length);
    }

    fn header(&mut self, tag: Tag, length: u32) {
        self.tag(tag.number);
        if self.syntax == TransferSyntax::ImplicitLittle {
            return self.u32(length);
        }
        self.bytes.extend_from_slice(&tag.vr);
        // PS3.5 §7.1.2: these have two reserved bytes and a 32-bit length.
        if matches!(&tag.vr, b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"UC" | b"UN" | b"UR" | b"UT") {
            self.u16(0);
            self.u32(length);
        } else {
            assert!(length <= 0xFFFF, "a value of a short VR fits in 16 bits of length");
            self.u16(length as u16);
        }
    }

    fn tag(&mut self, number: u32) {
        self.u16((number >> 16) as u16);
        self.u16(number as u16);
    }

    fn u16(&mut self, value: u16) {
        let big = self.syntax == TransferSyntax::ExplicitBig;
        self.bytes.extend_from_slice(&if big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u32(&mut self, value: u32) {
        let big = self.syntax == TransferSyntax::ExplicitBig;
        self.bytes.extend_from_slice(&if big { value.to_be_bytes() } else { value.to_le_bytes() });
    }
}
