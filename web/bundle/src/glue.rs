//! The JavaScript between the module and the page's loader, as wasm-bindgen writes it for bundlers: functions only. The loader
//! fetches the module itself, in three lines.

use std::collections::HashMap;
use walrus::Module;

/// Gives what the module imports, and what the glue declares for itself, short names on both sides. Properties keep theirs.
pub fn shorten(module: &mut Module, glue: &str) -> String {
    let mut short: HashMap<String, String> = HashMap::new();
    for import in module.imports.iter_mut() {
        let name = format!("${}", short.len());
        short.insert(std::mem::replace(&mut import.name, name.clone()), name);
        import.module = "viz".to_owned();
    }
    for line in glue.lines() {
        let declared = ["function ", "const ", "let "].iter().find_map(|word| line.strip_prefix(word));
        let end = |text: &str| text.find(|c: char| !is_in_word(c)).unwrap_or(text.len());
        if let Some(name) = declared.map(|text| &text[..end(text)]).filter(|name| name.len() > 4) {
            let number = short.len();
            short.entry(name.to_owned()).or_insert_with(|| format!("${number}"));
        }
    }
    let mut out = String::new();
    let mut rest = glue;
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !is_in_word(c)).unwrap_or(rest.len()).max(c.len_utf8());
        let word = &rest[..end];
        let known = if out.ends_with('.') { None } else { short.get(word) };
        out += known.map_or(word, String::as_str);
        rest = &rest[end..];
    }
    out
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}

/// JavaScript or CSS without indentation, empty lines and lines of comment. Comments beside code stay, and so would anything in a
/// literal of several lines, which neither our sources nor the glue have.
pub fn stripped(text: &str) -> String {
    let mut kept = String::new();
    let mut comment = false;
    for line in text.lines().map(str::trim) {
        comment |= line.starts_with("/*");
        if !comment && !line.is_empty() && !line.starts_with("//") {
            kept += line;
            kept.push('\n');
        }
        comment &= !line.ends_with("*/");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use walrus::ValType;

    #[test]
    fn comments_and_indentation_are_left_out() {
        let text = "// one\nlet a = 1; // two\n\n/**\n * three\n */\n  if (a) {\n    b('// four');\n  }\n/* five */\nc()";
        assert_eq!(stripped(text), "let a = 1; // two\nif (a) {\nb('// four');\n}\nc()\n");
    }

    #[test]
    fn names_are_shortened_where_they_are_whole_words() {
        let mut module = Module::default();
        let ty = module.types.add(&[ValType::I32], &[]);
        module.add_import_func("./viz_bg.js", "__wbg_arc_0123", ty);
        let glue = "export function __wbg_arc_0123(a) { helper(a); a.helper = wasm; }\nfunction helper(a) {\nconst inner = a;\n}\nlet wasm;\n";
        assert_eq!(
            shorten(&mut module, glue),
            "export function $0(a) { $1(a); a.helper = wasm; }\nfunction $1(a) {\nconst $2 = a;\n}\nlet wasm;\n"
        );
        let import =
            module.imports.iter().next().map(|import| (import.module.as_str(), import.name.as_str()));
        assert_eq!(import, Some(("viz", "$0")));
    }
}
