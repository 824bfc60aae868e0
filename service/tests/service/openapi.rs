//! The OpenAPI document: committed, served, and with a page.

use std::{collections::BTreeMap, path::Path};

use crate::stack::Stack;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");

#[test]
fn the_committed_document_is_the_one_of_the_code() {
    let document = service::openapi();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(GOLDEN, &document).unwrap();
    }
    let committed = std::fs::read_to_string(GOLDEN).unwrap();
    assert!(document == committed, "service/openapi.json is out of date: UPDATE=1 cargo test -p service openapi");
}

/// Two types of one name would silently be one schema: the one that comes last.
#[test]
fn no_two_types_share_a_schema_name() {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if !(line.starts_with("#[derive(") && line.contains("ToSchema")) {
                continue;
            }
            let mut renamed = None;
            let item = lines.find(|line| {
                let name = line.strip_prefix("#[schema(as = ");
                renamed = name.map(|name| name.trim_end_matches(")]").to_owned()).or(renamed.take());
                line.contains("struct ") || line.contains("enum ")
            });
            let item =
                item.and_then(|item| item.split_once("struct ").or(item.split_once("enum "))).map(|(_, name)| name);
            let item = item.unwrap_or_else(|| panic!("a derive without an item in {file}"));
            let own = item.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
            names.entry(renamed.unwrap_or(own)).or_default().push(file.clone());
        }
    }
    assert!(names.len() > 50, "{names:?}");
    names.retain(|_, files| files.len() > 1);
    assert!(names.is_empty(), "{names:?}");
}

fn sources(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of_entry = |path: std::path::PathBuf| match path.extension() {
        None if path.is_dir() => sources(&path),
        Some(extension) if extension == "rs" => {
            vec![(path.display().to_string(), std::fs::read_to_string(&path).unwrap())]
        }
        _ => Vec::new(),
    };
    entries.flat_map(of_entry).collect()
}

#[tokio::test]
async fn the_document_and_its_page_are_served() {
    let stack = Stack::start(&[]).await;
    assert_eq!(stack.probe("/openapi.json").await.text, service::openapi());
    let page = stack.probe("/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("swagger-ui"), "{}", page.text);
    let script = stack.probe("/docs/swagger-initializer.js").await;
    assert!(script.text.contains("/openapi.json"), "{}", script.text);
}
