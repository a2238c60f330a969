//! Imports point down, never sideways, never up. `src/lib.rs` lists the modules in layer order, a blank line between
//! layers; this reads every `crate::` path and fails on one that does not go to a lower layer or stay in its own module.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> (PathBuf, Vec<PathBuf>) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 20, "the sources are there");
    (src, files)
}

fn layers() -> HashMap<String, usize> {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut layer = 0;
    let mut layers = HashMap::new();
    for line in lib.lines() {
        if line.is_empty() {
            layer += 1;
        } else if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            layers.insert(name.to_owned(), layer);
        }
    }
    layers
}

#[test]
fn imports_point_down() {
    let layers = layers();
    let (src, files) = all_sources();
    let mut paths = 0;
    let mut wrong = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let Some(module) = relative.components().next().and_then(|first| first.as_os_str().to_str()) else { continue };
        let module = module.trim_end_matches(".rs");
        let Some(&own) = layers.get(module) else { continue };
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            for rest in line.split("crate::").skip(1) {
                let target: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                // `$crate::` in a macro and groups `crate::{a, b}` are written out in full here.
                let Some(&layer) = layers.get(&target) else { continue };
                paths += 1;
                if target != module && layer >= own {
                    wrong.push(format!("{}:{}: {module} imports {target}", relative.display(), number + 1));
                }
            }
        }
    }
    assert!(paths > 50, "paths were found: {paths}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_clock_reads_the_time() {
    let (src, files) = all_sources();
    let wrong: Vec<_> = files
        .iter()
        // Tests measure virtual time for themselves.
        .filter(|file| **file != src.join("clock.rs") && !file.ends_with("tests.rs"))
        .filter(|file| !file.strip_prefix(&src).unwrap().iter().any(|part| part == "tests"))
        .filter(|file| {
            let text = fs::read_to_string(file).unwrap();
            ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"].iter().any(|call| text.contains(call))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn no_erp_has_a_name_in_the_code() {
    let (_, files) = all_sources();
    let names = ["tryton", "divalto", "sage", "dynamics", "odoo", "netsuite"];
    let wrong: Vec<_> = files
        .iter()
        .filter(|file| {
            let text = fs::read_to_string(file).unwrap().to_lowercase();
            text.split(|c: char| !c.is_alphanumeric()).any(|word| names.contains(&word))
        })
        .collect();
    assert!(wrong.is_empty(), "an ERP is a preset file: {wrong:?}");
}
