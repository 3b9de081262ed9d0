//! What a module imports and exports, as its text says (ECMA-262 §16.2): statements at the beginning of a line. Of the many
//! forms there are, these are the ones the page is written in; a module that has another is not understood, and said so.

use std::ops::Range;

/// A static import.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import<'a> {
    /// Where the statement stands, with its semicolon.
    pub(super) at: Range<usize>,
    /// What is taken: `{ a, b as c }`, `* as name`, or nothing.
    pub(super) what: &'a str,
    /// From where, as it stands there.
    pub(super) path: &'a str,
}

/// What a module's text imports. `None` for a statement that is no import of a known form, and for a passed-on export.
pub(super) fn imports(text: &str) -> Option<Vec<Import<'_>>> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        if line.starts_with("export {") || line.starts_with("export *") {
            return None;
        }
        if !line.starts_with("import ") {
            continue;
        }
        let statement = text[start..].split_inclusive(';').next()?;
        let inner = statement.strip_prefix("import ")?.strip_suffix("\";")?;
        let (before, path) = inner.split_once('"')?;
        let what = before.trim();
        let what = if what.is_empty() { what } else { what.strip_suffix("from")?.trim() };
        let is_known = what.is_empty() || what.starts_with("* as ") || (what.starts_with('{') && what.ends_with('}'));
        found.push(Import { at: start..start + statement.len(), what: Some(what).filter(|_| is_known)?, path });
    }
    Some(found)
}

/// The names a module's text exports, and where `export ` stands before each. `None` for an export of another form.
pub(super) fn exports(text: &str) -> Option<Vec<(Range<usize>, &str)>> {
    const EXPORT: &str = "export ";
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some(rest) = line.strip_prefix(EXPORT) else { continue };
        let kinds = ["const ", "function* ", "function ", "async function ", "class "];
        let name = kinds.iter().find_map(|kind| rest.strip_prefix(kind))?;
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '$').unwrap_or(name.len());
        found.push((start..start + EXPORT.len(), Some(&name[..end]).filter(|name| !name.is_empty())?));
    }
    Some(found)
}

/// The path that `import` means in the module at `path`; `None` where it leads out of the tree.
pub(super) fn joined(path: &str, import: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in import.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_read_as_they_stand() {
        let text = "import { b } from \"./in/b.js\";\n// import \"./no.js\";\nconst c = import(\"./later.js\");\nimport {\nd,\n} from \"../d.js\";\nimport * as e from \"./e.js\";\nimport \"./f.js\";\n";
        let found: Vec<_> = imports(text).unwrap().into_iter().map(|one| (one.what, one.path)).collect();
        assert_eq!(found, [("{ b }", "./in/b.js"), ("{\nd,\n}", "../d.js"), ("* as e", "./e.js"), ("", "./f.js")]);
        for text in ["import f from \"./f.js\";\n", "export * from \"./f.js\";\n", "export { f };\n", "import x\n"] {
            assert_eq!(imports(text), None, "{text}");
        }
    }

    #[test]
    fn exports_are_named() {
        let text = "export const a1 = 1;\nconst b = 2;\nexport async function c_d() {}\nexport class E extends F {}\n";
        let found: Vec<_> = exports(text).unwrap().into_iter().map(|(at, name)| (&text[at], name)).collect();
        assert_eq!(found, [("export ", "a1"), ("export ", "c_d"), ("export ", "E")]);
        for text in ["export default 1;\n", "export let a = 1;\n", "export const { a } = b;\n"] {
            assert_eq!(exports(text), None, "{text}");
        }
    }

    #[test]
    fn paths_are_joined_within_the_tree() {
        assert_eq!(joined("a/b.js", "../c/d.js").as_deref(), Some("c/d.js"));
        assert_eq!(joined("b.js", "./d.js").as_deref(), Some("d.js"));
        assert_eq!(joined("b.js", "../d.js"), None);
    }
}
