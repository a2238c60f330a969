use super::*;
use crate::channel::config::{Guard, LeadTime};

fn read_all(text: &str, folder: &Path) -> anyhow::Result<Vec<ChannelConfig>> {
    let mut table: toml::Table = text.parse()?;
    channels(table.remove("channels").expect("there are channels"), folder)
}

fn one(more: &str) -> anyhow::Result<ChannelConfig> {
    let text = format!("[[channels]]\nname = \"market\"\n{more}");
    Ok(read_all(&text, Path::new("/nowhere"))?.remove(0))
}

fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

#[test]
fn a_name_is_enough() {
    assert_eq!(one("").unwrap(), ChannelConfig::named("market"));
}

#[test]
fn everything_has_a_key() {
    let text = r#"
customer = "C-1"
locations = ["PARIS", "LYON"]
settle = "1m"
hold_after = "10m"
zero_after = "2h"
remove_after = "2h"
tombstone_retention = "2400h"
assortment = { include = ["BOLT-*"], exclude = ["*-OLD"], include_skus = ["B", "A", "B"], exclude_skus = ["C"] }
aliases = [{ sku = "A", channel_sku = "A-6", pack = "6" }, { sku = "A", channel_sku = "A-1" }]
fitness = { length_max = 40, forbidden = "/ " }
quantity = { safety_stock = "2", share_percent = "33.3", cap = "5", fulfilled_by = "MERCHANT" }
lead_time = { default_days = 3, extra_days = 1 }
guard = { shrunk_percent_max = 1, zeroed_percent_max = 2, rows_min = 3 }
google = { account = 7, content_language = "fr", feed_label = "FR", store_code = "S" }
mirakl = { warehouse_code = "W" }
cdiscount = { offers_max = 9 }
[channels.price]
currency = "EUR"
tax_basis = "GROSS"
tax_rate = "0.20"
markup_percent = "-5.5"
round_to = "0.05"
round = "up"
ending = "0.90"
floor = "1.00"
change_min = "0.10"
refresh_after = "1h"
zero_after = "4h"
[channels.amazon]
seller_id = "S"
marketplace_id = "M"
issue_locale = "fr_FR"
bytes_max = "1MiB"
"#;
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    let sku = |text| Sku::new(text).unwrap();
    let mut want = ChannelConfig::named("market");
    want.customer = Some(CustomerId::new("C-1").unwrap());
    want.locations = ["PARIS", "LYON"].map(|name| LocationId::new(name).unwrap()).to_vec();
    want.settle = Duration::from_secs(60);
    want.hold_after = Duration::from_secs(600);
    want.zero_after = Some(hours(2));
    want.remove_after = hours(2);
    want.tombstone_retention = hours(2400);
    want.assortment.include = vec!["BOLT-*".to_owned()];
    want.assortment.exclude = vec!["*-OLD".to_owned()];
    want.assortment.include_skus = vec![sku("A"), sku("B")];
    want.assortment.exclude_skus = vec![sku("C")];
    want.aliases = vec![
        Alias { sku: sku("A"), channel_sku: sku("A-6"), pack: q("6") },
        Alias { sku: sku("A"), channel_sku: sku("A-1"), pack: q("1") },
    ];
    want.fitness.length_max = Some(40);
    want.fitness.forbidden = vec!['/', ' '];
    want.quantity = QuantityPolicy {
        reserve: Reserve::SafetyStock(q("2")),
        allocation: Allocation::Percent("33.3".parse().unwrap()),
        cap: Some(q("5")),
        fulfilled_by_channel: false,
    };
    want.price = Some(PricePolicy {
        currency: Some("EUR".parse().unwrap()),
        tax_basis: Some(TaxBasis::Gross),
        tax_rate: Some(q("0.20")),
        markup_percent: "-5.5".parse().unwrap(),
        rounding: Rounding { step: money("0.05"), direction: Direction::Up, ending: Some(money("0.90")) },
        floor: Some(money("1.00")),
        change_min: Some(money("0.10")),
        refresh_after: hours(1),
        zero_after: Some(hours(4)),
    });
    want.lead_time = LeadTime { default_days: Some(3), extra_days: 1 };
    want.guard = Guard { shrunk_percent_max: 1, zeroed_percent_max: 2, rows_min: 3 };
    want.formats = FormatSettings {
        amazon: Some(AmazonSettings {
            seller_id: "S".into(),
            marketplace_id: "M".into(),
            product_type: "PRODUCT".into(),
            issue_locale: Some("fr_FR".into()),
            messages_max: 10_000,
            bytes_max: 1 << 20,
        }),
        google: Some(GoogleSettings {
            account: 7,
            content_language: "fr".into(),
            feed_label: "FR".into(),
            store_code: "S".into(),
        }),
        mirakl: MiraklSettings { warehouse_code: Some("W".into()) },
        cdiscount: CdiscountSettings { offers_max: 9 },
    };
    assert_eq!(one(text).unwrap(), want);
    assert_eq!(one("prices = false").unwrap().price, None);
    let kept = |text| one(&format!("quantity = {{ {text} }}")).unwrap().quantity;
    assert_eq!(kept("threshold = \"3\"").reserve, Reserve::Threshold(q("3")));
    assert_eq!(kept("share_fixed = \"3\"").allocation, Allocation::Fixed(q("3")));
    assert!(kept("fulfilled_by = \"CHANNEL\"").fulfilled_by_channel);
}

#[test]
fn what_cannot_be_is_said() {
    for (more, names) in [
        ("colour = 1", "colour"),
        ("asortment = {}", "did you mean `assortment`"),
        ("customer = \"\"", "customer"),
        ("locations = [\" \"]", "locations"),
        ("settle = 60", "settle"),
        ("hold_after = \"1h\"\nzero_after = \"10m\"", "zero_after"),
        ("quantity = { cap = 5 }", "quantity.cap"),
        ("quantity = { cap = \"five\" }", "cap"),
        ("quantity = { cap = \"1.5\" }", "whole"),
        ("quantity = { cap = \"-1\" }", "less than zero"),
        ("quantity = { safety_stock = \"1\", threshold = \"1\" }", "not both"),
        ("quantity = { share_percent = \"1\", share_fixed = \"1\" }", "not both"),
        ("quantity = { share_percent = \"101\" }", "share_percent"),
        ("quantity = { fulfilled_by = \"ME\" }", "CHANNEL"),
        ("price = { currency = \"euro\" }", "currency"),
        ("price = { tax_basis = \"BRUT\" }", "GROSS"),
        ("price = { markup_percent = \"-100\" }", "markup_percent"),
        ("price = { round_to = \"0\" }", "round_to"),
        ("price = { round = \"off\" }", "nearest"),
        ("price = { floor = \"-1\" }", "floor"),
        ("prices = false\nprice = { floor = \"1\" }", "prices = false"),
        ("aliases = [{ sku = \"A\" }]", "channel_sku"),
        ("aliases = [{ sku = \"A\", channel_sku = \"B\", pack = \"0\" }]", "pack"),
        ("aliases = [{ sku = \"A\", channel_sku = \"X\" }, { sku = \"B\", channel_sku = \"X\" }]", "X is there twice"),
        ("assortment = { include_skus = [\"\"] }", "include_skus"),
        ("assortment = { include_file = \"none.txt\" }", "none.txt"),
        ("assortment = { include_file = 1 }", "write a path"),
        ("aliases_file = \"none.csv\"", "none.csv"),
        ("guard = { zeroed_percent_max = 101 }", "guard"),
        ("amazon = { seller_id = \"S\" }", "marketplace_id"),
        ("amazon = { seller_id = \"S\", marketplace_id = \"M\", messages_max = 0 }", "messages_max"),
        ("cdiscount = { offers_max = 0 }", "offers_max"),
    ] {
        let error = format!("{:#}", one(more).expect_err(more));
        assert!(error.contains(names) && error.contains("market"), "{more}: {error}");
    }
    for name in ["", "a b", "é", "a/b", &"x".repeat(65)] {
        let text = format!("[[channels]]\nname = {name:?}\n");
        assert!(read_all(&text, Path::new("")).is_err(), "{name}");
    }
    let twice = "[[channels]]\nname = \"a\"\n[[channels]]\nname = \"a\"\n";
    assert!(format!("{:#}", read_all(twice, Path::new("")).unwrap_err()).contains("twice"));
    assert!(format!("{:#}", read_all("channels = 1", Path::new("")).unwrap_err()).contains("[[channels]]"));
    let many: String = (0..=CHANNELS_MAX).map(|n| format!("[[channels]]\nname = \"c{n}\"\n")).collect();
    assert!(format!("{:#}", read_all(&many, Path::new("")).unwrap_err()).contains("at most 64"));
}

#[test]
fn lists_may_stand_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("in.txt", "\u{feff}B-1\r\n\n  A 1  \nB-1\n");
    write("out.txt", "C\n");
    write("aliases.csv", "channel_sku;sku;pack\r\n\"A;6\";A;6\r\nB-1;B;\n\n");
    let table = r#"
name = "market"
assortment = { include_skus = ["Z"], include_file = "in.txt", exclude_file = "out.txt" }
aliases_file = "aliases.csv"
"#;
    let text = format!("[[channels]]{table}");
    let read = read_all(&text, folder.path()).unwrap().remove(0);
    let names = |skus: &[Sku]| skus.iter().map(Sku::to_string).collect::<Vec<_>>().join(",");
    assert_eq!(names(&read.assortment.include_skus), "A 1,B-1,Z");
    assert_eq!(names(&read.assortment.exclude_skus), "C");
    let aliases: Vec<_> = read.aliases.iter().map(|a| format!("{} {} {}", a.sku, a.channel_sku, a.pack)).collect();
    assert_eq!(aliases, ["A A;6 6", "B B-1 1"]);
    // Elsewhere the files mean nothing, and with their contents in place they are not needed.
    let raw: toml::Table = table.parse().unwrap();
    assert!(format!("{:#}", channel(raw.clone()).unwrap_err()).contains("in its place"));
    assert_eq!(channel(with_files(raw, folder.path()).unwrap()).unwrap(), read);
    for (csv, names) in [
        ("", "columns"),
        ("sku;price\nA;1\n", "price"),
        ("sku;channel_sku\nA\n", "line 2"),
        ("sku;channel_sku\nA;\"B\n", "line 2"),
        ("sku;channel_sku\nA;\n", "channel_sku"),
    ] {
        write("aliases.csv", csv);
        let error = format!("{:#}", read_all(&text, folder.path()).unwrap_err());
        assert!(error.contains(names), "{csv}: {error}");
    }
}

/// Every key of the example, uncommented; what stands for something else of the same kind comes off again.
#[test]
fn the_example_is_a_good_channel() {
    let example = include_str!("../../../../examples/gateway.toml");
    let begin = example.find("# [[channels]]").expect("there is an example");
    let end = example.find("\n[check]").expect("it is the last");
    let either_or = ["aliases_file", "include_file", "exclude_file", "threshold", "share_fixed"];
    let keys = example[begin..end].lines().map(|line| line.strip_prefix("# ").unwrap_or(""));
    let kept = keys.filter(|line| !either_or.iter().any(|key| line.starts_with(key)) && !line.starts_with("   "));
    let text = kept.collect::<Vec<_>>().join("\n");
    let read = read_all(&text, Path::new("/nowhere")).unwrap().remove(0);
    assert_eq!((read.name.as_str(), read.formats.cdiscount.offers_max), ("market", 40_000));
    // Values that are said to be defaults are.
    let default = ChannelConfig::named("market");
    assert_eq!((read.settle, read.hold_after), (default.settle, default.hold_after));
    assert_eq!((read.remove_after, read.tombstone_retention), (default.remove_after, default.tombstone_retention));
    let (price, plain) = (read.price.unwrap(), default.price.unwrap());
    assert_eq!((price.refresh_after, price.rounding.step), (plain.refresh_after, plain.rounding.step));
    assert_eq!(read.guard, default.guard);
}
