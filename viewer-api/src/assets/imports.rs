//! Which modules a module imports, as its text says (ECMA-262 §16.2): statements at the beginning of a line, static ones
//! only. What is loaded by `import()` is not needed before somebody uses it.

/// `first`, and all that they import, each once: those given, then what they import, level by level. `read` answers
/// the text of a path; what it does not know is left out.
pub(super) fn closure<'a>(first: &[&str], read: impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut level: Vec<String> = first.iter().map(|path| (*path).to_owned()).collect();
    while !level.is_empty() {
        let mut next = Vec::new();
        for path in level {
            if found.contains(&path) {
                continue;
            }
            let Some(text) = read(&path) else { continue };
            next.extend(imports(text).iter().filter_map(|import| joined(&path, import)));
            found.push(path);
        }
        level = next;
    }
    found
}

/// What a module's text imports, as it stands there.
fn imports(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let rest = &text[at..];
        at += line.len();
        // `export {…} from`, `export * from`; any other export has code behind it.
        let is_import = line.starts_with("import ") || line.starts_with("export {") || line.starts_with("export *");
        let statement = rest.split(';').next().unwrap_or_default();
        let Some((before, quoted)) = statement.split_once('"').filter(|_| is_import) else { continue };
        if let Some((path, _)) = quoted.split_once('"')
            && (before == "import " || before.ends_with("from "))
        {
            found.push(path);
        }
    }
    found
}

/// The path that `import` means in the module at `path`; `None` where it leads out of the tree.
fn joined(path: &str, import: &str) -> Option<String> {
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
    fn static_imports_are_followed_and_no_others() {
        let read = |path: &str| match path {
            "a.js" => {
                Some("import { b } from \"./in/b.js\";\n// import \"./no.js\";\nconst c = import(\"./later.js\");\n")
            }
            "in/b.js" => {
                Some("import {\n  d,\n} from \"../d.js\";\nimport \"./b.js\";\nexport * from \"./none.js\";\n")
            }
            "d.js" => Some("export const d = 'x';\nimport \"../../out.js\";\nexport { b } from \"./a.js\";\n"),
            _ => None,
        };
        assert_eq!(closure(&["a.js"], read), ["a.js", "in/b.js", "d.js"]);
    }
}
