//! SKUs that mean something to whoever reads the file, read back by others.

use comptoir::channel::{ChannelConfig, ChannelRow};
use serde_json::Value;

use super::rows::{config, row};
use super::{read, written};

/// All of them are SKUs: no control characters, no outer space, 64 bytes at most.
const HOSTILE: [&str; 26] = [
    "plain",
    "quote\"inside",
    "\"quoted\"",
    "\"",
    "semi;colon",
    "comma,comma",
    "\";\";\"",
    "=cmd|' /C calc'!A0",
    "+33 4",
    "-5MM",
    "@SUM(1)",
    "'=1",
    "'quoted'",
    "<Offer Stock=\"9\"/>",
    "]]>",
    "&amp;",
    "a&b",
    "<!--",
    "back\\slash",
    "\\\"",
    "\\u0022",
    "é€漢字😀",
    "e\u{301}",
    "no\u{a0}break",
    "line\u{2028}separator",
    "A B  C",
];

fn rows(skus: &[&str]) -> Vec<ChannelRow> {
    skus.iter().zip(1..).map(|(sku, version)| row(sku, version)).collect()
}

/// The column of a file, as Python reads it.
fn column(format: &str, kind: &str, column: &str, config: &ChannelConfig, skus: &[&str]) -> Vec<String> {
    let (file, bytes) = written(format, config, &rows(skus));
    assert_eq!(file.tally().rows, skus.len() as u64, "{format}: {:?}", file.tally().left_out);
    texts(&read(kind, &bytes), column)
}

fn texts(lines: &Value, column: &str) -> Vec<String> {
    let lines = lines.as_array().unwrap();
    lines.iter().map(|line| line[column].as_str().unwrap_or_else(|| panic!("{line}")).to_owned()).collect()
}

/// The rule that the generic files state.
fn without_mark(cell: &str) -> &str {
    let is_marked = cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r']);
    if is_marked { cell.strip_prefix('\'').expect("never bare") } else { cell }
}

#[test]
fn generic_files_give_every_sku_back_and_run_none() {
    for format in ["csv", "tsv"] {
        for name in ["sku", "channelSku"] {
            let cells = column(format, format, name, &config(), &HOSTILE);
            assert_eq!(cells.iter().map(|cell| without_mark(cell)).collect::<Vec<_>>(), HOSTILE);
            assert!(cells.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{cells:?}");
        }
    }
}

#[test]
fn marketplaces_get_every_sku_to_the_letter() {
    let plain: Vec<&str> = HOSTILE.into_iter().filter(|sku| !sku.contains('/')).collect();
    assert!(plain.len() >= 24);
    assert_eq!(column("mirakl-of01", "semicolon", "sku", &config(), &plain), plain);
    assert_eq!(column("mirakl-sto01", "semicolon", "offer-sku", &config(), &plain), plain);
    assert_eq!(column("google-supplemental", "tsv", "id", &config(), &HOSTILE), HOSTILE);
}

#[test]
fn settings_are_escaped_too() {
    let mut config = config();
    config.formats.mirakl.warehouse_code = Some("a\";\"b".into());
    assert_eq!(column("mirakl-sto01", "semicolon", "warehouse-code", &config, &["A"]), ["a\";\"b"]);
    config.formats.amazon.as_mut().unwrap().seller_id = "\"},".into();
    let (_, bytes) = written("amazon-listings", &config, &rows(&["A"]));
    assert_eq!(read("json", &bytes)["header"]["sellerId"], "\"},");
}

#[test]
fn xml_gives_every_sku_back_in_one_package_and_in_several() {
    let mut config = config();
    for (offers_max, packages) in [(40_000, 1), (HOSTILE.len(), 1), (HOSTILE.len() - 1, 2), (10, 3)] {
        config.formats.cdiscount.offers_max = offers_max;
        let (_, bytes) = written("cdiscount-stock-price", &config, &rows(&HOSTILE));
        let read = read("packages", &bytes);
        let read = read.as_array().unwrap();
        assert_eq!(read.len(), packages);
        let skus: Vec<String> = read.iter().flat_map(|package| texts(&package["offers"], "SellerProductId")).collect();
        assert_eq!(skus, HOSTILE);
        let names: Vec<&str> = read.iter().map(|package| package["attributes"]["Name"].as_str().unwrap()).collect();
        assert!(names.iter().zip(1..).all(|(name, number)| name.ends_with(&format!("-{number}"))), "{names:?}");
        assert_eq!(read[0]["offers"][0]["Stock"], "5");
        assert_eq!(read[0]["offers"][0]["Price"], "12.30");
    }
}

#[test]
fn an_empty_package_is_one() {
    let (_, bytes) = written("cdiscount-stock-price", &config(), &[]);
    assert_eq!(read("packages", &bytes)[0]["offers"], Value::Array(Vec::new()));
}

#[test]
fn googles_own_classes_read_every_insert() {
    let (_, bytes) = written("google-local-inventory", &config(), &rows(&HOSTILE));
    let inserts = read("local-inventory", &bytes);
    let products = texts(&inserts, "product");
    assert_eq!(products, HOSTILE.map(|sku| format!("fr~FR~{sku}")));
    let first = &inserts[0];
    assert_eq!((&first["account"], &first["storeCode"]), (&"4200000".into(), &"LYON-1".into()));
    assert_eq!((&first["availability"], &first["quantity"]), (&"IN_STOCK".into(), &5.into()));
    assert_eq!((&first["micros"], &first["currency"]), (&12_300_000.into(), &"EUR".into()));
    let sold_out = ChannelRow { quantity: Some("0".parse().unwrap()), price: None, ..row("A", 1) };
    let (_, bytes) = written("google-local-inventory", &config(), &[sold_out]);
    let insert = &read("local-inventory", &bytes)[0];
    assert_eq!((&insert["availability"], &insert["currency"]), (&"OUT_OF_STOCK".into(), &"".into()));
}

#[test]
fn json_gives_every_sku_back() {
    let (_, bytes) = written("amazon-listings", &config(), &rows(&HOSTILE));
    assert_eq!(texts(&read("json", &bytes)["messages"], "sku"), HOSTILE);
}
