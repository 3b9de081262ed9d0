//! The walk over the elements: a loop with a stack of its own, so that depth is a number and not a call stack.

use dicom_core::{Tag, VR};

use super::element::{DataSet, Element, Fragment, Item, Value};
use super::encoding::{Encoding, dictionary_vr, has_long_length, is_text};
use super::input::{Input, Jump};
use super::{Error, Limits, tags};

const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_DELIMITER: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_DELIMITER: Tag = Tag(0xFFFE, 0xE0DD);

/// Which elements a walk takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// All to the end.
    End,
    /// Only those of group 0002.
    MetaEnd,
}

/// What a walk found.
pub(super) struct Scanned {
    pub data_set: DataSet,
    /// Byte where the elements end: before that are elements, after it padding or garbage.
    pub end: u64,
}

/// A walk over the elements of one Data Set. The budget of elements and kept bytes lasts for several walks.
pub(super) struct Scanner<'a, J> {
    input: &'a mut Input<J>,
    limits: &'a Limits,
    budget: &'a mut Budget,
    until: Until,
    open: Vec<Open>,
    /// Pixel Data has been passed: what cannot be an element after it is garbage, and lost to nobody.
    pixels_seen: bool,
}

/// What was used up of the limits.
#[derive(Default)]
pub(super) struct Budget {
    elements: usize,
    kept_bytes: u64,
}

/// A sequence or an item whose end has not come yet. The first one is the Data Set itself.
struct Open {
    kind: Kind,
    /// Where it ends, if it says.
    end: Option<u64>,
    /// Where it must end at the latest.
    bound: Option<u64>,
    encoding: Encoding,
    /// Pixel Representation is 1, here or further out.
    signed: bool,
}

enum Kind {
    Items { head: Head, items: Vec<Item> },
    Elements { offset: u64, elements: Vec<Element> },
}

/// The tag, VR and length of an element.
#[derive(Clone, Copy)]
struct Head {
    tag: Tag,
    vr: VR,
    big_endian: bool,
    offset: u64,
    value_offset: u64,
    length: u32,
}

impl Head {
    fn undefined(&self) -> bool {
        self.length == u32::MAX
    }

    fn element(&self, value_length: u64, value: Value) -> Element {
        Element {
            tag: self.tag,
            vr: self.vr,
            big_endian: self.big_endian,
            undefined_length: self.undefined(),
            offset: self.offset,
            value_offset: self.value_offset,
            value_length,
            value,
        }
    }
}

impl<'a, J: Jump> Scanner<'a, J> {
    pub fn new(input: &'a mut Input<J>, limits: &'a Limits, budget: &'a mut Budget, until: Until) -> Self {
        Scanner { input, limits, budget, until, open: Vec::new(), pixels_seen: false }
    }

    /// Walks to the end.
    pub fn run(mut self, encoding: Encoding) -> Result<Scanned, Error> {
        let kind = Kind::Elements { offset: self.input.position(), elements: Vec::new() };
        self.open.push(Open { kind, end: None, bound: self.input.length(), encoding, signed: false });
        let end = loop {
            self.close_ended()?;
            match self.open.last().map(|open| &open.kind) {
                Some(Kind::Items { .. }) => self.item()?,
                _ => {
                    let position = self.input.position();
                    if !self.element()? {
                        break position;
                    }
                }
            }
        };
        let elements = match self.open.pop() {
            Some(Open { kind: Kind::Elements { elements, .. }, .. }) => elements,
            _ => Vec::new(),
        };
        Ok(Scanned { data_set: DataSet { elements }, end })
    }

    /// Closes what ends here; what should have ended by a delimiter before here is truncated.
    fn close_ended(&mut self) -> Result<(), Error> {
        while self.open.len() > 1 {
            let position = self.input.position();
            match self.open.last() {
                Some(open) if open.end.is_some_and(|end| position >= end) => self.close(position),
                Some(open) if open.bound.is_some_and(|bound| position >= bound) => {
                    return Err(self.truncated(self.enclosing(), 8, 0));
                }
                _ => break,
            }
        }
        Ok(())
    }

    /// Takes the innermost open sequence or item into the one around it.
    fn close(&mut self, end: u64) {
        let Some(closed) = self.open.pop() else { return };
        match (closed.kind, self.open.last_mut().map(|open| &mut open.kind)) {
            (Kind::Elements { offset, elements }, Some(Kind::Items { items, .. })) => {
                items.push(Item { offset, data_set: DataSet { elements } });
            }
            (Kind::Items { head, items }, Some(Kind::Elements { elements, .. })) => {
                elements.push(head.element(end.saturating_sub(head.value_offset), Value::Sequence(items)));
            }
            _ => {}
        }
    }

    /// Reads an item tag, or the end, of the innermost sequence.
    fn item(&mut self) -> Result<(), Error> {
        let (sequence, position) = (self.enclosing(), self.input.position());
        let Some(open) = self.open.last_mut() else { return Ok(()) };
        let bytes = self.input.peek(14)?;
        // Senders have put little-endian sequences into big-endian files and the other way round.
        if open.encoding.tag(bytes).is_some_and(|tag| tag.0 == 0xFEFF) {
            open.encoding = if open.encoding.is_big() { Encoding::ExplicitLittle } else { Encoding::ExplicitBig };
        }
        let (Some(tag), Some(length)) = (open.encoding.tag(bytes), open.encoding.u32(bytes, 4)) else {
            let available = bytes.len() as u64;
            return Err(self.truncated(sequence, 8, available));
        };
        if sequence.vr == VR::UN {
            open.encoding = encoding_in_unknown(open.encoding, bytes.get(8..).unwrap_or_default());
        }
        let (encoding, bound, signed) = (open.encoding, open.bound, open.signed);
        match tag {
            SEQUENCE_DELIMITER => {
                self.input.skip(8)?;
                self.close(position.saturating_add(8));
                Ok(())
            }
            ITEM => {
                self.count(position)?;
                self.input.skip(8)?;
                let kind = Kind::Elements { offset: position, elements: Vec::new() };
                let end =
                    self.end_of(Head { offset: position, value_offset: position + 8, length, ..sequence }, bound)?;
                self.open.push(Open { kind, end, bound: end.or(bound), encoding, signed });
                Ok(())
            }
            found => Err(Error::BadSequence { tag: sequence.tag, offset: position, found }),
        }
    }

    /// Reads one element of the innermost Data Set; `false` at the end of the outermost.
    fn element(&mut self) -> Result<bool, Error> {
        let (position, outermost) = (self.input.position(), self.open.len() == 1);
        let Some(open) = self.open.last() else { return Ok(false) };
        let (encoding, bound, signed) = (open.encoding, open.bound, open.signed);
        let mut bytes = [0; 12];
        let peeked = self.input.peek(12)?;
        let count = peeked.len();
        bytes.iter_mut().zip(peeked).for_each(|(to, from)| *to = *from);
        let bytes = bytes.get(..count).unwrap_or_default();
        if outermost && self.is_over(bytes, encoding)? {
            return Ok(false);
        }
        let left = bound.map_or(u64::MAX, |bound| bound.saturating_sub(position));
        let head = match read_head(bytes, position, encoding, signed, left) {
            Err(_) if outermost && self.pixels_seen => return Ok(false),
            other => other?,
        };
        if outermost && self.pixels_seen && self.last_tag().is_some_and(|last| head.tag <= last) {
            return Ok(false);
        }
        if head.tag.0 == 0xFFFE {
            return self.stray_item(head, position).map(|()| true);
        }
        self.count(position)?;
        self.input.skip(head.value_offset - position)?;
        self.value(head, encoding, bound)?;
        Ok(true)
    }

    /// Whether the outermost Data Set ends here: nothing more, another group than asked for, or zero padding.
    fn is_over(&mut self, bytes: &[u8], encoding: Encoding) -> Result<bool, Error> {
        if self.until == Until::MetaEnd {
            return Ok(encoding.u16(bytes, 0) != Some(0x0002));
        }
        if bytes.is_empty() || (bytes.len() < 8 && self.pixels_seen) {
            return Ok(true);
        }
        let (zero, offset) = (bytes.iter().take(8).all(|byte| *byte == 0), self.input.position());
        if zero && !self.input.rest_is_zero()? && !self.pixels_seen {
            return Err(Error::BadVr { tag: Tag(0, 0), offset, vr: [0, 0] });
        }
        Ok(zero)
    }

    /// An item tag among elements: the end of an item of undefined length, or an empty one too many, which is
    /// passed over.
    fn stray_item(&mut self, head: Head, position: u64) -> Result<(), Error> {
        let inside = self.open.len() > 1;
        let undefined = self.open.last().is_some_and(|open| open.end.is_none());
        match head.tag {
            ITEM_DELIMITER if inside && undefined => {
                self.input.skip(8)?;
                self.close(position.saturating_add(8));
                Ok(())
            }
            // The item's own delimiter was forgotten: `item` reads this one again.
            SEQUENCE_DELIMITER if inside && undefined => {
                self.close(position);
                Ok(())
            }
            _ if head.length == 0 => self.input.skip(8).map(drop),
            found => Err(Error::BadSequence { tag: self.enclosing().tag, offset: position, found }),
        }
    }

    /// Reads, opens or skips the value after a head.
    fn value(&mut self, head: Head, encoding: Encoding, bound: Option<u64>) -> Result<(), Error> {
        let end = self.end_of(head, bound)?;
        let pixels = matches!(head.tag.0, 0x7F00..=0x7FFF) && head.tag.0.is_multiple_of(2) && head.tag.1 == 0x0010;
        match (head.vr, end) {
            (VR::OB | VR::OW, None) => return self.fragments(head, encoding, bound),
            (VR::UN, None) if pixels => return self.fragments(head, encoding, bound),
            (VR::SQ, _) => return self.open_sequence(head, end, encoding, bound),
            // PS3.5 §6.2.2: a UN of undefined length is a sequence in Implicit VR Little Endian.
            (VR::UN, None) => return self.open_sequence(head, None, Encoding::ImplicitLittle, bound),
            (VR::UN, Some(_)) if self.is_sequence_in_unknown(head)? => {
                return self.open_sequence(head, end, Encoding::ImplicitLittle, bound);
            }
            (_, None) => return Err(Error::UndefinedLength { tag: head.tag, offset: head.offset }),
            _ => {}
        }
        let length = u64::from(head.length);
        let outermost_pixels = self.open.len() == 1 && is_pixels(head.tag);
        let value = if outermost_pixels || (length > self.limits.value_bytes_max && !is_text(head.vr)) {
            self.skip_value(head, length)?;
            Value::Skipped
        } else {
            Value::Bytes(self.keep_value(head, length)?)
        };
        self.push(head.element(length, value));
        Ok(())
    }

    /// A UN of defined length is a sequence if the dictionary says so and it begins with an item (PS3.5 §6.2.2).
    fn is_sequence_in_unknown(&mut self, head: Head) -> Result<bool, Error> {
        if head.length < 8 || dictionary_vr(head.tag, false) != VR::SQ {
            return Ok(false);
        }
        let bytes = self.input.peek(8)?;
        let length = Encoding::ImplicitLittle.u32(bytes, 4).unwrap_or(0);
        let fits = length == u32::MAX || length <= head.length - 8;
        Ok(Encoding::ImplicitLittle.tag(bytes) == Some(ITEM) && fits)
    }

    fn open_sequence(
        &mut self,
        head: Head,
        end: Option<u64>,
        encoding: Encoding,
        bound: Option<u64>,
    ) -> Result<(), Error> {
        let depth = self.open.len().div_ceil(2);
        if depth > usize::from(self.limits.nesting_max) {
            let nesting_max = self.limits.nesting_max;
            return Err(Error::Nesting { tag: head.tag, offset: head.offset, nesting_max });
        }
        let signed = self.open.last().is_some_and(|open| open.signed);
        let kind = Kind::Items { head, items: Vec::new() };
        self.open.push(Open { kind, end, bound: end.or(bound), encoding, signed });
        Ok(())
    }

    /// Walks over the fragments of encapsulated Pixel Data (PS3.5 §A.4).
    fn fragments(&mut self, head: Head, encoding: Encoding, bound: Option<u64>) -> Result<(), Error> {
        let mut fragments = Vec::new();
        loop {
            let position = self.input.position();
            let bytes = self.input.peek(8)?;
            let (Some(tag), Some(length)) = (encoding.tag(bytes), encoding.u32(bytes, 4)) else {
                let available = bytes.len() as u64;
                return Err(self.truncated(head, 8, available));
            };
            if tag == SEQUENCE_DELIMITER {
                self.input.skip(8)?;
                break;
            }
            if tag != ITEM || length == u32::MAX {
                return Err(Error::BadSequence { tag: head.tag, offset: position, found: tag });
            }
            self.count(position)?;
            self.input.skip(8)?;
            let item = Head { offset: position, value_offset: position + 8, length, ..head };
            self.end_of(item, bound)?;
            self.skip_value(item, u64::from(length))?;
            fragments.push(Fragment { offset: position + 8, length: u64::from(length) });
        }
        let length = self.input.position().saturating_sub(head.value_offset);
        self.push(head.element(length, Value::Fragments(fragments)));
        Ok(())
    }

    /// Where a value ends; `None` if that is undefined, an error if it is past what holds it.
    fn end_of(&self, head: Head, bound: Option<u64>) -> Result<Option<u64>, Error> {
        if head.undefined() {
            return Ok(None);
        }
        let length = u64::from(head.length);
        let end = head.value_offset.saturating_add(length);
        match bound {
            Some(bound) if end > bound => Err(self.truncated(head, length, bound.saturating_sub(head.value_offset))),
            _ => Ok(Some(end)),
        }
    }

    fn skip_value(&mut self, head: Head, length: u64) -> Result<(), Error> {
        match self.input.skip(length)? {
            skipped if skipped < length => Err(self.truncated(head, length, skipped)),
            _ => Ok(()),
        }
    }

    fn keep_value(&mut self, head: Head, length: u64) -> Result<Box<[u8]>, Error> {
        let header_bytes_max = self.limits.header_bytes_max;
        self.budget.kept_bytes = self.budget.kept_bytes.saturating_add(length);
        if self.budget.kept_bytes > header_bytes_max {
            return Err(Error::TooBig { tag: head.tag, offset: head.offset, bytes: length, header_bytes_max });
        }
        let value = self.input.read(length)?;
        match value.len() as u64 {
            read if read < length => Err(self.truncated(head, length, read)),
            _ => Ok(value.into_boxed_slice()),
        }
    }

    fn push(&mut self, element: Element) {
        self.pixels_seen |= self.open.len() == 1 && is_pixels(element.tag);
        if let Some(Open { kind: Kind::Elements { elements, .. }, signed, .. }) = self.open.last_mut() {
            if element.tag == tags::PIXEL_REPRESENTATION {
                *signed = element.bytes().is_some_and(|bytes| bytes.contains(&1));
            }
            elements.push(element);
        }
    }

    fn count(&mut self, offset: u64) -> Result<(), Error> {
        self.budget.elements += 1;
        let elements_max = self.limits.elements_max;
        if self.budget.elements > elements_max { Err(Error::ElementCount { offset, elements_max }) } else { Ok(()) }
    }

    /// The head of the innermost open sequence.
    fn enclosing(&self) -> Head {
        let nothing = Head { tag: ITEM, vr: VR::SQ, big_endian: false, offset: 0, value_offset: 0, length: 0 };
        let sequence = self.open.iter().rev().find_map(|open| match &open.kind {
            Kind::Items { head, .. } => Some(*head),
            Kind::Elements { .. } => None,
        });
        sequence.unwrap_or(nothing)
    }

    fn outermost(&self) -> &[Element] {
        match self.open.first().map(|open| &open.kind) {
            Some(Kind::Elements { elements, .. }) => elements,
            _ => &[],
        }
    }

    fn last_tag(&self) -> Option<Tag> {
        self.outermost().last().map(|element| element.tag)
    }

    fn truncated(&self, head: Head, needed: u64, available: u64) -> Error {
        Error::Truncated { tag: head.tag, offset: head.offset, needed, available }
    }
}

/// Pixel Data, Float Pixel Data, Double Float Pixel Data (PS3.3 C.7.6.3, C.7.6.24, C.7.6.25).
pub(super) fn is_pixels(tag: Tag) -> bool {
    [tags::PIXEL_DATA, tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA].contains(&tag)
}

/// PS3.5 §6.2.2 wants Implicit VR inside a UN sequence; some senders write Explicit VR there.
fn encoding_in_unknown(declared: Encoding, first: &[u8]) -> Encoding {
    let vr = first.get(4..6).and_then(|two| VR::from_binary([*two.first()?, *two.get(1)?]));
    let tag = Encoding::ImplicitLittle.tag(first);
    match (vr, tag) {
        (Some(vr), Some(tag)) if !declared.is_big() => match dictionary_vr(tag, false) {
            known if known == vr || known == VR::UN => Encoding::ExplicitLittle,
            _ => declared,
        },
        _ => declared,
    }
}

/// Reads tag, VR and length. `left` is how many bytes there can be from `offset` on.
fn read_head(bytes: &[u8], offset: u64, encoding: Encoding, signed: bool, left: u64) -> Result<Head, Error> {
    let short = |tag, needed| Error::Truncated { tag, offset, needed, available: bytes.len() as u64 };
    let tag = encoding.tag(bytes).ok_or_else(|| short(Tag(0, 0), 8))?;
    let length = encoding.u32(bytes, 4).ok_or_else(|| short(tag, 8))?;
    let head = |vr, header_bytes: u64, length| Head {
        tag,
        vr,
        big_endian: encoding.is_big(),
        offset,
        value_offset: offset.saturating_add(header_bytes),
        length,
    };
    if tag.0 == 0xFFFE || encoding == Encoding::ImplicitLittle {
        return Ok(head(dictionary_vr(tag, signed), 8, length));
    }
    let (a, b) = (bytes.get(4).copied().unwrap_or(0), bytes.get(5).copied().unwrap_or(0));
    let length16 = encoding.u16(bytes, 6).unwrap_or(0);
    let long = || encoding.u32(bytes, 8).ok_or_else(|| short(tag, 12));
    match VR::from_binary([a, b]) {
        Some(vr) if has_long_length(vr) => Ok(head(vr, 12, long()?)),
        Some(vr) => Ok(head(vr, 8, u32::from(length16))),
        None if a.is_ascii_uppercase() && b.is_ascii_uppercase() => {
            // PS3.5 §6.2: VRs to come have the long form; a mistaken VR is more often one of the short form.
            let next = encoding.tag(bytes.get(8..).unwrap_or_default());
            let empty = next.is_some_and(|next| next.0 == tag.0 && next.1 > tag.1);
            let short_form = length16 != 0 || empty || bytes.len() < 12;
            if short_form { Ok(head(VR::UN, 8, u32::from(length16))) } else { Ok(head(VR::UN, 12, long()?)) }
        }
        // No VR at all: an Implicit VR element among explicit ones, if its length is possible.
        None if length == u32::MAX || u64::from(length).saturating_add(8) <= left => {
            Ok(head(dictionary_vr(tag, signed), 8, length))
        }
        None => Err(Error::BadVr { tag, offset, vr: [a, b] }),
    }
}
