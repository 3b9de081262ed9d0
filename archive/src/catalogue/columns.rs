//! Columns: how a row's field becomes a typed Arrow column, said once a field.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, SchemaRef};
use arrow::error::ArrowError;
use delta_kernel::schema::{ArrayType, DataType, StructField};

/// One column of rows of type `R`: its name (a PS3.6 keyword where there is one) and where its values come from.
pub(super) struct Column<R> {
    pub(super) name: &'static str,
    pub(super) get: Get<R>,
}

/// Where the values of a column come from, and so its type. Delta Lake has signed integers only and no time of day.
pub(super) enum Get<R> {
    /// Text; null when empty.
    Text(fn(&R) -> &str),
    /// Text that hardly repeats (a SOP Instance UID): a dictionary would only cost.
    Unique(fn(&R) -> &str),
    /// One component group of a PN, split at `=` (PS3.5 §6.2); null when empty.
    NameGroup(fn(&R) -> &str, usize),
    /// A SHA-256 digest, as lower-case hex.
    Digest(fn(&R) -> Option<&[u8; 32]>),
    /// A DA value; null when absent or not a date.
    Date(fn(&R) -> &str),
    /// An RFC 3339 time; null when absent or not one.
    Instant(fn(&R) -> &str),
    /// A 32-bit integer.
    Integer(fn(&R) -> Option<i32>),
    /// A 64-bit integer; null if it does not fit.
    Long(fn(&R) -> u64),
    /// True or false.
    Flag(fn(&R) -> bool),
    /// Several texts; null when there are none.
    Texts(fn(&R) -> Vec<String>),
}

impl<R> Column<R> {
    /// The column in the table's schema. All may be null: who reads must not depend on what senders leave out.
    pub(super) fn field(&self) -> StructField {
        let data_type = match self.get {
            Get::Text(_) | Get::Unique(_) | Get::NameGroup(..) | Get::Digest(_) => DataType::STRING,
            Get::Date(_) => DataType::DATE,
            Get::Instant(_) => DataType::TIMESTAMP,
            Get::Integer(_) => DataType::INTEGER,
            Get::Long(_) => DataType::LONG,
            Get::Flag(_) => DataType::BOOLEAN,
            Get::Texts(_) => ArrayType::new(DataType::STRING, false).into(),
        };
        StructField::nullable(self.name, data_type)
    }

    /// The values of all rows.
    fn array(&self, rows: &[&R], field: &Field) -> ArrayRef {
        let rows = rows.iter();
        match self.get {
            Get::Text(get) | Get::Unique(get) => Arc::new(rows.map(|r| some(get(r))).collect::<StringArray>()),
            Get::NameGroup(get, group) => {
                Arc::new(rows.map(|r| get(r).split('=').nth(group).and_then(some)).collect::<StringArray>())
            }
            Get::Digest(get) => {
                Arc::new(rows.map(|r| get(r).map(|digest| crate::hex(digest))).collect::<StringArray>())
            }
            Get::Date(get) => Arc::new(rows.map(|r| days(get(r))).collect::<Date32Array>()),
            Get::Instant(get) => {
                let micros = rows.map(|r| microseconds(get(r))).collect::<TimestampMicrosecondArray>();
                Arc::new(micros.with_data_type(field.data_type().clone()))
            }
            Get::Integer(get) => Arc::new(rows.map(|r| get(r)).collect::<Int32Array>()),
            Get::Long(get) => Arc::new(rows.map(|r| i64::try_from(get(r)).ok()).collect::<Int64Array>()),
            Get::Flag(get) => Arc::new(rows.map(|r| Some(get(r))).collect::<BooleanArray>()),
            Get::Texts(get) => lists(rows.map(|r| get(r)), field),
        }
    }
}

/// Rows as one batch of the given schema, which came from the same columns.
pub(super) fn batch<R>(columns: &[Column<R>], schema: &SchemaRef, rows: &[&R]) -> Result<RecordBatch, ArrowError> {
    let arrays = columns.iter().zip(schema.fields()).map(|(column, field)| column.array(rows, field));
    RecordBatch::try_new(schema.clone(), arrays.collect())
}

fn lists(rows: impl Iterator<Item = Vec<String>>, field: &Field) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    if let arrow::datatypes::DataType::List(element) = field.data_type() {
        lists = lists.with_field(element.clone());
    }
    for texts in rows {
        for text in &texts {
            lists.values().append_value(text);
        }
        lists.append(!texts.is_empty());
    }
    Arc::new(lists.finish())
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Days since 1970-01-01 of a DA value, `YYYYMMDD` or, as before DICOM 3.0, `YYYY.MM.DD` (PS3.5 §6.2, note to DA).
pub(super) fn days(text: &str) -> Option<i32> {
    let text = text.trim_end();
    let compact = match text.as_bytes() {
        [_, _, _, _, b'.', _, _, b'.', _, _] => text.replace('.', ""),
        _ => text.to_owned(),
    };
    if compact.len() != 8 || !compact.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) =
        (compact.get(..4)?.parse().ok()?, compact.get(4..6)?.parse().ok()?, compact.get(6..)?.parse().ok()?);
    let date = jiff::civil::Date::new(year, month, day).ok()?;
    Some(date.since(jiff::civil::Date::constant(1970, 1, 1)).ok()?.get_days())
}

/// Microseconds since 1970-01-01T00:00Z of an RFC 3339 time.
pub(super) fn microseconds(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(|time| time.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_in_both_forms_and_anything_else_is_null() {
        for (text, expected) in [
            ("19700101", Some(0)),
            ("19691231", Some(-1)),
            ("20261123", Some(20780)),
            ("2026.11.23", Some(20780)),
            ("20260230", None),
            ("19500000", None),
            ("2026", None),
            ("2026-11-23", None),
            ("+2026112", None),
            ("昭和三十年", None),
            ("", None),
        ] {
            assert_eq!(days(text), expected, "{text}");
        }
    }
}
