//! Columns: what a series says of its instances, attribute by attribute, so that what all of them share is said once.

use serde_json::value::RawValue;

/// The values of one attribute, each as JSON; `null` where an instance has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Column {
    keyword: &'static str,
    values: Vec<String>,
}

/// Attributes of some instances, in the order they were first named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    columns: Vec<Column>,
    rows: usize,
}

impl Columns {
    /// Begins the next instance.
    pub(super) fn next_row(&mut self) {
        self.rows += 1;
    }

    /// Says an attribute of the instance that was begun last. `value` is JSON.
    pub(super) fn say(&mut self, keyword: &'static str, value: String) {
        let row = self.rows.saturating_sub(1);
        let column = match self.columns.iter().position(|column| column.keyword == keyword) {
            Some(at) => self.columns.get_mut(at),
            None => {
                self.columns.push(Column { keyword, values: Vec::new() });
                self.columns.last_mut()
            }
        };
        if let Some(column) = column
            && column.values.len() <= row
        {
            column.values.resize(row, "null".to_owned());
            column.values.push(value);
        }
    }

    /// Says a text, if there is any.
    pub(super) fn say_text(&mut self, keyword: &'static str, text: &str) {
        if !text.is_empty() {
            self.say(keyword, quoted(text));
        }
    }

    /// `"keyword":{"all":value}` where all instances have the same, else `"keyword":{"each":[value,…]}`; separated by commas.
    pub(super) fn write(&self, out: &mut String) {
        for (index, column) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(&format!("\"{}\":", column.keyword));
            let mut values = column.values.iter();
            let first = values.next().map_or("null", String::as_str);
            if column.values.len() == self.rows && values.all(|value| value == first) {
                out.push_str("{\"all\":");
                out.push_str(first);
                out.push('}');
                continue;
            }
            out.push_str("{\"each\":[");
            for row in 0..self.rows {
                if row > 0 {
                    out.push(',');
                }
                out.push_str(column.values.get(row).map_or("null", String::as_str));
            }
            out.push_str("]}");
        }
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The first value of an array of values, as it stands.
pub(super) fn first_of(values: &RawValue) -> Option<String> {
    let values: Vec<&RawValue> = serde_json::from_str(values.get()).ok()?;
    values.first().map(|value| value.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_all_share_is_said_once_and_gaps_are_null() {
        let mut columns = Columns::default();
        for row in 0..3 {
            columns.next_row();
            columns.say("Rows", "512".into());
            columns.say("InstanceNumber", row.to_string());
            if row == 1 {
                columns.say_text("ViewPosition", "CC");
                columns.say_text("ViewPosition", "twice is once");
            }
            columns.say_text("Laterality", "");
        }
        let mut out = String::new();
        columns.write(&mut out);
        let expected =
            r#""Rows":{"all":512},"InstanceNumber":{"each":[0,1,2]},"ViewPosition":{"each":[null,"CC",null]}"#;
        assert_eq!(out, expected);
    }
}
