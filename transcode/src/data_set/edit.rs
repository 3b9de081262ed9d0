//! Changing what a scan found, before [`rewrite`](super::rewrite) writes it anew.

use dicom_core::{Tag, VR};

use super::element::{DataSet, Element, Item, Value};

impl DataSet {
    /// Sets a value, its numbers little-endian; what stood there goes.
    pub fn set(&mut self, tag: Tag, vr: VR, value: impl Into<Vec<u8>>) {
        self.put(tag, vr, Value::Bytes(value.into().into_boxed_slice()));
    }

    /// Sets a sequence; what stood there goes.
    pub fn set_items(&mut self, tag: Tag, items: Vec<Item>) {
        self.put(tag, VR::SQ, Value::Sequence(items));
    }

    /// Takes elements out, wherever in this Data Set they stand; not those inside sequences.
    pub fn remove(&mut self, tags: &[Tag]) {
        self.elements.retain(|element| !tags.contains(&element.tag));
    }

    fn put(&mut self, tag: Tag, vr: VR, value: Value) {
        self.remove(&[tag]);
        let element = Element {
            tag,
            vr,
            big_endian: false,
            undefined_length: false,
            offset: 0,
            value_offset: 0,
            value_length: 0,
            value,
        };
        self.elements.push(element);
    }
}

impl Item {
    /// An item of values, each with its tag and VR.
    pub fn of(values: &[(Tag, VR, &str)]) -> Item {
        let mut data_set = DataSet::default();
        values.iter().for_each(|(tag, vr, text)| data_set.set(*tag, *vr, text.as_bytes()));
        Item { offset: 0, data_set }
    }
}
