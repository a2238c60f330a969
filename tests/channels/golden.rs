//! Every format of the same rows, against the copies in `golden/`. `COMPTOIR_UPDATE_CONTRACT=1 cargo test --test channels`
//! writes them.

use std::fmt::Write as _;

use comptoir::channel::formats::{self, LeftOut, Tally};
use serde_json::Value;

use super::rows::{config, one_of_each};
use super::{folder, read, written};

/// The file as text: an archive by what is in it.
fn shown(format: &str, bytes: Vec<u8>) -> String {
    if format != "cdiscount-stock-price" {
        return String::from_utf8(bytes).unwrap();
    }
    let packages = read("packages", &bytes);
    packages[0]["xml"].as_str().unwrap().to_owned()
}

fn listed(tally: &Tally) -> String {
    let mut text = format!("{} rows, {} at zero\n", tally.rows, tally.zeros);
    let mut list = |what: &str, left_out: &LeftOut| {
        writeln!(text, "{what}: {}", left_out.count).unwrap();
        left_out.first.iter().for_each(|(sku, reason)| writeln!(text, "  {sku}: {reason}").unwrap());
    };
    list("left out", &tally.left_out);
    list("incomplete", &tally.incomplete);
    text
}

#[test]
fn files_are_as_they_were() {
    let folder = folder().join("golden");
    let updates = std::env::var_os("COMPTOIR_UPDATE_CONTRACT").is_some();
    for format in formats::ALL {
        let (file, bytes) = written(format.name, &config(), &one_of_each());
        for (name, now) in [
            (format.name.to_owned(), shown(format.name, bytes)),
            (format!("{}.tally", format.name), listed(file.tally())),
        ] {
            let path = folder.join(&name);
            if updates {
                std::fs::write(&path, &now).unwrap();
            }
            let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
            let first = now.lines().zip(kept.lines()).find(|(now, then)| now != then);
            assert!(now == kept, "{name} changed, first here (now, then): {first:?}");
        }
    }
}

#[test]
fn a_package_names_its_cut() {
    let (_, bytes) = written("cdiscount-stock-price", &config(), &one_of_each());
    let packages = read("packages", &bytes);
    let attributes: &Value = &packages[0]["attributes"];
    assert_eq!(attributes["Name"], "marche-1764079200000123-1");
    assert_eq!(
        (&attributes["PackageType"], &attributes["PurgeAndReplace"]),
        (&"StockAndPrice".into(), &"false".into())
    );
    assert_eq!(packages[0]["comment"], super::STAMP.cursor);
}
