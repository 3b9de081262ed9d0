//! Modules without their comments. The source is written to be read, and prose is what compresses worst: it was a quarter
//! of what a browser has to load before the first pixel. Nothing is renamed or moved; lines keep their numbers.

/// A JavaScript or CSS text without lines that are comments as a whole, and without indentation. A text in which a
/// template literal goes over several lines stays as it is: what stands in it may look like a comment.
pub(super) fn slim(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_comment = false;
    for line in text.lines().map(str::trim) {
        if in_comment || line.starts_with("/*") {
            in_comment = !line.ends_with("*/");
            // Code behind a comment, or between two.
            if line.matches("*/").count() > usize::from(!in_comment) {
                return text.to_owned();
            }
        } else if !line.starts_with("//") {
            if line.matches('`').count() % 2 == 1 {
                return text.to_owned();
            }
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_lines_keep_their_numbers() {
        let text = "// One.\nlet a = 1; // two\n  /** Three,\n   * `four`. */\n  let b = \"// five\";\n";
        assert_eq!(slim(text), "\nlet a = 1; // two\n\n\nlet b = \"// five\";\n");
    }

    #[test]
    fn what_might_be_no_comment_stays() {
        for text in ["let a = `\n// text\n`;\n", "/* one */ let a = 1; /* two\n*/\n", "/* a */ b(); /* c */\n"] {
            let whole = slim(text);
            assert!(whole == text, "{whole}");
        }
    }
}
